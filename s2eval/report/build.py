"""What several folders hold, as one report: its tables at once, its document and charts when a format needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from s2eval.records import Row
from s2eval.report.compare import Compared
from s2eval.report.document import Chart, Document
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

_DIFFERENCES = (
    "Differences below the tables are over the documents that both models have, and shown where p, by Holm's "
    "method over the whole table, is at most 0.05; marks in a column are corrected over that column alone. "
    "`s2eval compare` prints each difference with its interval."
)


@dataclass(frozen=True)
class Report:
    """What the folders hold; each renderer takes the parts that it needs.

    Attributes:
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
        """Every model against the baseline; UnknownNameError where there is no such model."""
        contests = [contest for source in self.sources for contest in source.contests]
        return against_baseline(self.scored, contests, self.models, self.baseline)

    @cached_property
    def document(self) -> Document:
        """Tables and notes, without charts.

        Raises:
            UnknownNameError: no such baseline, or no such row of the paper.
            DataError: a number that is not finite, or two for the same thing.
        """
        rows, sources = self.rows, self.sources
        shown = mixed(rows) if self.mix_judges else rows
        table_notes = _together(item for source in sources for item in source.table_notes.items())
        judge_notes = _together(
            (SEVERAL if self.mix_judges else label, notes)
            for source in sources
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
        trained_on = {model: name for source in sources for model, name in source.trained_on.items()}
        tables += matrices(rows, self.models, trained_on, self.scored)
        in_tables = {cell.row.task for table in tables for row in table.rows for cell in row.cells if cell.row}
        others = [task for task in dict.fromkeys(row.task for row in rows) if task not in in_tables]
        notes = [note for source in sources for note in source.notes]
        notes += run_notes.of_rows(rows)
        if others:
            notes.append(
                f"In no table of this report: {', '.join(others)}. `s2eval report FOLDER --format csv` prints their "
                "numbers, `s2eval compare FOLDER` the differences between models."
            )
        notes += [f"Not compared: {reason}." for reason in self.compared.refused]
        notes += [*self.compared.notes, _DIFFERENCES] if self.compared.tables else []
        facts = _together((name, (value,)) for source in sources for name, value in source.facts)
        summary = summarise(tables, self.models, rows, [(name, "; ".join(values)) for name, values in facts.items()])
        title = self.title or ", ".join(source.title for source in sources)
        return Document(title, tables, list(dict.fromkeys(notes)), summary=summary)

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


def _together(notes: Iterable[tuple[str, Sequence[str]]]) -> dict[str, list[str]]:
    """Texts of several folders by the name that they belong to, each once."""
    merged: dict[str, dict[str, None]] = {}
    for key, texts in notes:
        merged.setdefault(key, {}).update(dict.fromkeys(texts))
    return {key: list(texts) for key, texts in merged.items()}
