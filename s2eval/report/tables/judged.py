"""Rows that a judge gave → tables: MT(S)-Bench's scores, its readability, categories, and comparisons of two models.

Every judge has tables of its own: name, prompts and parser are one label, and numbers of two labels never meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from s2eval.errors import DataError
from s2eval.llm import served
from s2eval.metrics.judgments import CONSISTENCY, FIRST_PLACE, FKG_WHOLE, FLAGGED, FRE_WHOLE, SCORE, WIN_RATE
from s2eval.models import EMBEDDED
from s2eval.models.kinds import is_given
from s2eval.records import Row
from s2eval.report.document import MISSING, Cell, Table, TableRow
from s2eval.report.references import References, load_references
from s2eval.report.tables.paper import beside, mark_best, too_few

PAPERS_SUITE = "s2_mtsbench"
TITLES = {PAPERS_SUITE: "MT(S)-Bench", "s2_mtbench": "MT-bench"}
OWN_QUESTIONS = (
    "The published numbers are of the paper's own 60 questions, which it does not print; these are of the 60 that were "
    "written for this project."
)

SEVERAL = "several judges"
WARNING = (
    "Several judges share this table (--mix-judges): do not compare rows of different judges, who rate differently."
)

Place = tuple[str, str, str, str]
"""(model, turn, subset, metric)."""


@dataclass(frozen=True, slots=True)
class _Column:
    """Where a column's cells come from; `factor` turns a share into percent."""

    title: str
    metric: str
    turn: str
    digits: int
    best: Literal["high", "low"] | None = None
    published: tuple[str, str] | None = None  # table and column
    subset: str = ""
    factor: float = 1.0
    counted: bool = True  # whether n_valid/n stands beside it


_SCORES = (
    _Column("Single turn", SCORE, "1", 2, "high", ("mtbench", "single")),
    _Column("Multi turn", SCORE, "2", 2, "high", ("mtbench", "multi")),
    _Column("Average", SCORE, "", 2, "high", counted=False),
    _Column("Words", "s2_words", "1", 0, counted=False),
    _Column("Reading ease", "s2_fre_corpus", "1", 1, counted=False),
    _Column("Flagged, %", FLAGGED, "", 0, counted=False, factor=100.0),
)
_READABILITY = (
    _Column("FRE of 2023", FRE_WHOLE, "1", 2, "high", ("mtbench_readability", "fre")),
    _Column("FKG of 2023", FKG_WHOLE, "1", 1, "low", ("mtbench_readability", "fkg")),
    _Column("FRE", "s2_fre_corpus", "1", 2, "high"),
    _Column("FKG", "s2_fkg_corpus", "1", 1, "low"),
    _Column("Words per answer", "s2_words", "1", 1),
)


def published_columns() -> dict[tuple[str, str], tuple[str, str]]:
    """(turn, metric) of `PAPERS_SUITE` → published table and its column."""
    columns = (*_SCORES, *_READABILITY)
    return {(column.turn, column.metric): column.published for column in columns if column.published}


def judged_tables(
    rows: Iterable[Row],
    model_order: Sequence[str],
    references: Mapping[str, str] | None = None,
    *,
    notes: Mapping[str, Sequence[str]] | None = None,
    book: References | None = None,
) -> list[Table]:
    """Every table that rows with a judge belong to, one judge after the other.

    Args:
        rows: of `scores.csv`; those without a judge are used for what stands beside the scores.
        model_order, references, book: as of `build_tables`.
        notes: judge's label → sentences below its tables.

    Raises:
        DataError: two rows differ for the same model, judge, turn and metric.
    """
    listed = list(rows)
    labels = dict.fromkeys((row.task, row.judge) for row in listed if row.judge)
    if references is not None:
        book = book or load_references()
    tables: list[Table] = []
    for task, judge in labels:
        index = _index(row for row in listed if row.task == task and row.judge in ("", judge))
        models = [*dict.fromkeys([*model_order, *(row.model for row in listed)])]
        builder = _Builder(task, judge, index, models, references or {}, book, tuple((notes or {}).get(judge, ())))
        tables += [table for table in builder.tables() if table.rows]
    return tables


def notes_of(facts: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Judge's label → what a reader of its results must know, from their facts (`s2eval.judge.results.facts`)."""
    notes_by_label: dict[str, dict[str, None]] = {}
    for entry in facts:
        label, model, judge = str(entry["label"]), str(entry["model"]["name"]), str(entry["judge"]["text"])
        notes = notes_by_label.setdefault(label, {})
        if judge in EMBEDDED:
            notes[f"The judge is `{judge}`, not a model that can judge: its ratings show that all runs, no more."] = (
                None
            )
        suite, prompts = entry["suite"], entry["prompts"]
        notes[
            f"Questions: {suite['name']} ({suite['hash']}), {suite['questions']} of them. Judge: `{judge}`, prompts "
            f"{prompts['name']} ({prompts['hash']}), parser {entry['parser']}, temperature {entry['temperature']:g}."
        ] = None
        template = f", template {entry['template']}" if entry["template"] else ", template of its server"
        if is_given(str(entry["model"]["text"])):
            template = ""
        details = [f"{model} is `{entry['model']['text']}`{template}"]
        if refused := sum(entry["refused"].values()):
            reasons = ", ".join(f"{why} {number}" for why, number in entry["refused"].items())
            details.append(f"{refused} of {entry['n']} verdicts could not be read ({reasons})")
        details += [served.note(asked, names) for asked, names in entry.get("served", {}).items()]
        if entry["failed"]:
            details.append(f"{entry['failed']} of {entry['n']} judgments failed and will be asked again")
        if entry["cut"]:
            unended = ", or before their reasoning did" if entry.get("reasoned") else ""
            details.append(f"{entry['cut']} answers ended at the limit of tokens{unended}")
        if entry.get("reasoned"):
            details.append(f"{entry['reasoned']} of {entry['answers']} answers had reasoning, which no judge was shown")
        if entry["flagged"]:
            details.append("flagged: " + ", ".join(f"{why} {number}" for why, number in entry["flagged"].items()))
        if parts := entry.get("components"):
            details.append(
                f"variance of a rating between answers {parts['between']:.2f}, of the judge on the same answer "
                f"{parts['within']:.2f} ({parts['items']} ratings of {parts['groups']} answers)"
            )
        if contests := entry.get("contests"):
            counts = f"{contests['wins']} won, {contests['ties']} ties, {contests['losses']} lost"
            details.append(f"against {entry['against']}: {counts}")
        notes["; ".join(details) + "."] = None
    return {label: tuple(notes) for label, notes in notes_by_label.items()}


def mixed(rows: Iterable[Row]) -> list[Row]:
    """The rows with the judge in the model's name, so that several judges share their tables, which say so."""
    return [replace(row, model=f"{row.model}, by {row.judge}", judge=SEVERAL) if row.judge else row for row in rows]


def _index(rows: Iterable[Row]) -> Mapping[Place, Row]:
    index: dict[Place, Row] = {}
    for row in rows:
        known = index.setdefault((row.model, row.turn, row.subset, row.metric), row)
        if (known.value, known.judge) != (row.value, row.judge):
            raise DataError(
                f"model {row.model!r}, judge {row.judge!r}, metric {row.metric!r}: two different numbers, "
                f"{known.value} ({known.provenance}) and {row.value} ({row.provenance}). Report their folders "
                "separately, or give the models different names."
            )
    return index


@dataclass(frozen=True, slots=True)
class _Builder:
    """What the tables of one judge share."""

    task: str
    judge: str
    index: Mapping[Place, Row]
    models: Sequence[str]
    references: Mapping[str, str]
    book: References | None
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        return TITLES.get(self.task, self.task.removeprefix("s2_"))

    @property
    def _below(self) -> tuple[str, ...]:
        return (*((WARNING,) if self.judge == SEVERAL else ()), *self.notes)

    def tables(self) -> Iterable[Table]:
        """Scores, readability, categories, comparisons."""
        rated = [model for model in self.models if (model, "", "", SCORE) in self.index]
        yield self._table(
            "scores",
            f"judged by {self.judge}",
            _SCORES,
            rated,
            "Mean rating from 1 to 10; turns, choices and repeats of a question are one cluster.",
            "Words and reading ease of the answers to the first turn stand beside it, since judges like length.",
            "Flagged: answers that look as if they were written for the judge; they keep their score.",
            *self._below,
        )
        yield self._table(
            "readability",
            "readability of the answers to the first turn",
            _READABILITY,
            rated,
            "All answers of a model as one text. FRE: higher reads more easily; FKG: a school grade, lower does. Of "
            "2023: with the roundings of the textstat of then, which the paper's numbers show; without interval.",
        )
        categories = list(dict.fromkeys(place[2] for place in self.index if place[2] and place[3] == SCORE))
        columns = [_Column(name, SCORE, "", 2, "high", subset=name) for name in categories]
        if columns:
            yield self._table("categories", f"both turns by category, judged by {self.judge}", columns, rated)
        yield self._comparisons()

    def _table(self, name: str, about: str, columns: Sequence[_Column], models: Sequence[str], *notes: str) -> Table:
        cells = [self._cells(column, models) for column in columns]
        sources = [column.published[0] for column in columns if column.published and self._comparable]
        book = self.book
        return Table(
            key=f"{self.task}_{name}_{self.judge}",
            title=f"{self.title}, {about}",
            header_names=("model",),
            columns=tuple(column.title for column in columns),
            rows=tuple(TableRow((model,), row) for model, row in zip(models, zip(*cells, strict=True), strict=True)),
            secondary=tuple(at for at, column in enumerate(columns) if column.metric in (FRE_WHOLE, FKG_WHOLE)),
            notes=(
                *notes,
                *((OWN_QUESTIONS,) if sources else ()),
                *(
                    f"Published numbers: {source}."
                    for table in dict.fromkeys(sources)
                    if book
                    for source in book.sources(table)
                ),
            ),
        )

    @property
    def _comparable(self) -> bool:
        return self.book is not None and self.task == PAPERS_SUITE

    def _cells(self, column: _Column, models: Sequence[str]) -> list[Cell]:
        cells = [_cell(self.index.get((model, column.turn, column.subset, column.metric)), column) for model in models]
        if column.published and self._comparable:
            texts = [self._published(model, *column.published) for model in models]
            cells = [beside(cell, text) if text else cell for cell, text in zip(cells, texts, strict=True)]
        return mark_best(cells, column.best)

    def _published(self, model: str, table: str, metric: str) -> str | None:
        row = self.references.get(model)
        if self.book is None or row is None:
            return None
        return self.book.published(row, table, "", metric) or MISSING

    def _comparisons(self) -> Table:
        """One row a pair of models."""
        pairs = [
            (model, metric.partition("@")[2])
            for model, turn, subset, metric in self.index
            if metric.startswith(f"{WIN_RATE}@") and not turn and not subset
        ]

        def column(metric: str, turn: str = "") -> Callable[[str, str], _Column]:
            return lambda _, against: _Column("", f"{metric}@{against}", turn, 1, factor=100.0)

        makers = (
            column(WIN_RATE, "1"),
            column(WIN_RATE, "2"),
            column(WIN_RATE),
            column(CONSISTENCY),
            column(FIRST_PLACE),
        )
        rows: list[TableRow] = []
        for model, against in sorted(pairs, key=lambda pair: self.models.index(pair[0])):
            cells = [self._cells(make(model, against), [model])[0] for make in makers]
            rows.append(TableRow((model, against), tuple(cells)))
        return Table(
            key=f"{self.task}_comparisons_{self.judge}",
            title=f"{self.title}, compared in pairs by {self.judge}, percent",
            header_names=("model", "against"),
            columns=("Win rate, turn 1", "Win rate, turn 2", "Win rate", "Orders agree", "First one chosen"),
            rows=tuple(rows),
            notes=(
                "Win rate: (wins + ties/2) / n; each pair is shown in both orders, and where these disagree it is a "
                "tie. First one chosen: of all choices for one of the two; 50 without a preference for a place.",
                *self._below,
            ),
            kind="win_rates",
        )


def _cell(row: Row | None, column: _Column) -> Cell:
    if row is None:
        return Cell(digits=column.digits)
    counts = Cell(digits=column.digits, row=row)
    if column.counted:
        counts = replace(counts, n=row.n, n_valid=row.n_valid)
    if row.value is None:
        return counts

    def times(x: float | None) -> float | None:
        return None if x is None else x * column.factor

    low, high = times(row.ci_low), times(row.ci_high)
    return replace(counts, value=times(row.value), ci_low=low, ci_high=high, few=too_few(row))
