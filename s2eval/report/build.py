"""What several folders hold, as one report: its tables at once, its document and charts when a format needs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from s2eval.records import Row
from s2eval.report import provenance
from s2eval.report.compare import Compared
from s2eval.report.document import Chart, Document, Table
from s2eval.report.read.items import Scored
from s2eval.report.sources import Source
from s2eval.report.tables import run_notes
from s2eval.report.tables.definitions import FAMILIES, definitions
from s2eval.report.tables.differences import against_baseline, comparison_key, sentences
from s2eval.report.tables.judged import SEVERAL, judged_tables, mixed
from s2eval.report.tables.paper import build_tables
from s2eval.report.tables.summary import summarise
from s2eval.report.tables.ties import mark_ties
from s2eval.report.tables.training_sets import matrices


@dataclass(frozen=True)
class Report:
    """What the folders hold, for a renderer to take what it needs of it.

    Attributes:
        sources: what each folder gives; models in the order in which they are met.
        published: set the paper's numbers beside ours.
        title: of the document; by default the folders' titles.
        mix_judges: let the scores of different judges share tables, with a warning in them.
        baseline: model, or group of seeds, that the others are compared with; by default the first.
    """

    sources: Sequence[Source]
    published: bool = False
    title: str | None = None
    mix_judges: bool = False
    baseline: str | None = None

    @cached_property
    def rows(self) -> list[Row]:
        """Every number, as `scores.csv` has it."""
        return [row for source in self.sources for row in source.rows]

    @cached_property
    def models(self) -> list[str]:
        """Their names."""
        return list(dict.fromkeys(model for source in self.sources for model in source.models))

    @cached_property
    def scored(self) -> list[Scored]:
        """What each document scored, where samples were kept."""
        return [scored for source in self.sources for scored in source.scored]

    @cached_property
    def references(self) -> Mapping[str, str] | None:
        """Our model → the paper's row beside it; None where no published numbers are wanted."""
        if not self.published:
            return None
        return {model: row for source in self.sources for model, row in source.references.items()}

    @cached_property
    def compared(self) -> Compared:
        """Every model against the baseline.

        Raises:
            UnknownNameError: no such baseline.
        """
        contests = [contest for source in self.sources for contest in source.contests]
        return against_baseline(self.scored, contests, self.models, self.baseline)

    @cached_property
    def document(self) -> Document:
        """Tables and notes, without charts.

        Raises:
            UnknownNameError: no such baseline, or no such row of the paper.
            DataError: a number that is not finite, or two for the same thing.
        """
        tables = self._tables()
        notes = [note for source in self.sources for note in source.notes]
        notes += [*run_notes.of_rows(self.rows), *_left_out(self.rows, tables), *_compared_notes(self.compared)]
        title = self.title or ", ".join(source.title for source in self.sources)
        summary = summarise(
            tables, self.models, self.rows, provenance.together(source.facts for source in self.sources)
        )
        return Document(title, tables, list(dict.fromkeys(notes)), summary=summary)

    def _tables(self) -> list[Table]:
        shown = mixed(self.rows) if self.mix_judges else self.rows
        trained_on = {model: name for source in self.sources for model, name in source.trained_on.items()}
        table_notes = _together(item for source in self.sources for item in source.table_notes.items())
        judge_notes = _together(
            (SEVERAL if self.mix_judges else label, notes)
            for source in self.sources
            for label, notes in source.judge_notes.items()
        )
        tables = [
            *build_tables(shown, self.models, self.references, notes=table_notes),
            *judged_tables(shown, self.models, self.references, notes=judge_notes),
        ]
        differences = sentences(self.compared)
        tables = [
            replace(table, notes=(*table.notes, *differences.get(comparison_key(table.key), ())))
            for table in mark_ties(tables, self.scored)
        ]
        return [*tables, *matrices(self.rows, self.models, trained_on, self.scored)]

    @cached_property
    def charts(self) -> list[Chart]:
        """Of the document; takes matplotlib and some seconds."""
        from s2eval.report.charts.report_charts import draw_all  # matplotlib

        # Samples may hold metrics that the configuration leaves out of the tables.
        shown = {comparison_key(table.key) for table in self.document.tables}
        known = {f"{family.prefix}_{definition.name}" for family in FAMILIES for definition in definitions()}
        wanted = tuple(table for table in self.compared.tables if table.key in shown or table.key not in known)
        compared = replace(self.compared, tables=wanted)
        return draw_all(self.document.tables, self.rows, compared, self.models)

    @property
    def illustrated(self) -> Document:
        """The document with its charts."""
        return replace(self.document, charts=self.charts)


def _left_out(rows: Iterable[Row], tables: Iterable[Table]) -> Iterator[str]:
    """Tasks that no table has, and how to see them."""
    shown = {cell.row.task for table in tables for row in table.rows for cell in row.cells if cell.row}
    names = [task for task in dict.fromkeys(row.task for row in rows) if task not in shown]
    if names:
        yield (
            f"In no table of this report: {', '.join(names)}. `s2eval report FOLDER --format csv` prints their "
            "numbers, `s2eval compare FOLDER` the differences between models."
        )


def _together(notes: Iterable[tuple[str, Sequence[str]]]) -> dict[str, list[str]]:
    """Sentences of several folders by the table or judge that they are of, each once."""
    merged: dict[str, dict[str, None]] = {}
    for key, texts in notes:
        merged.setdefault(key, {}).update(dict.fromkeys(texts))
    return {key: list(texts) for key, texts in merged.items()}


def _compared_notes(compared: Compared) -> Iterator[str]:
    """What was not compared and why, and how far what was compared goes."""
    for reason in compared.refused:
        yield f"Not compared: {reason}."
    if compared.tables:
        yield from compared.notes
        yield (
            "Differences below the tables are over the documents that both models have, and shown where p, by Holm's "
            "method over the whole table, is at most 0.05; marks in a column are corrected over that column alone. "
            "`s2eval compare` prints each difference with its interval."
        )
