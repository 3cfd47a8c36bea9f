"""Rows that a judge gave → tables: MT(S)-Bench's scores, its readability, categories, and comparisons of two models.

Every judge has tables of its own: name, prompts and parser are one label, and numbers of two labels never meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from s2eval.errors import DataError
from s2eval.llm import served
from s2eval.metrics.judgments import CONSISTENCY, FIRST_PLACE, FKG_WHOLE, FLAGGED, FRE_WHOLE, SCORE, WIN_RATE
from s2eval.models import EMBEDDED
from s2eval.models.kinds import is_given
from s2eval.records import Row
from s2eval.report.document import Cell, Table, TableRow
from s2eval.report.references import References
from s2eval.report.tables.cells import Published, cell_of, mark_best

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
    counted: bool = True  # whether n_valid/n is shown


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
_COMPARISONS = (  # metric, turn and title
    (WIN_RATE, "1", "Win rate, turn 1"),
    (WIN_RATE, "2", "Win rate, turn 2"),
    (WIN_RATE, "", "Win rate"),
    (CONSISTENCY, "", "Orders agree"),
    (FIRST_PLACE, "", "First one chosen"),
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
        rows: of `scores.csv`; those without a judge are used for what is shown beside the scores.
        model_order, references, book: as of `build_tables`.
        notes: judge's label → sentences below its tables.

    Raises:
        DataError: two rows differ for the same model, judge, turn and metric.
    """
    rows = list(rows)
    models = list(dict.fromkeys([*model_order, *(row.model for row in rows)]))
    published = Published.of(references, book)
    tables: list[Table] = []
    for task, judge in dict.fromkeys((row.task, row.judge) for row in rows if row.judge):
        index = _index(row for row in rows if row.task == task and row.judge in ("", judge))
        comparable = published if task == PAPERS_SUITE else None
        builder = _Builder(task, judge, index, models, comparable, tuple((notes or {}).get(judge, ())))
        tables += [table for table in builder.tables() if table.rows]
    return tables


def notes_of(facts: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Judge's label → what a reader of its results must know, from their facts (`s2eval.judge.results.facts`)."""
    notes_by_label: dict[str, dict[str, None]] = {}
    for entry in facts:
        label, model, judge = str(entry["label"]), str(entry["model"]["name"]), str(entry["judge"]["text"])
        notes = notes_by_label.setdefault(label, {})
        if judge in EMBEDDED:
            sentence = f"The judge is `{judge}`, not a model that can judge: its ratings show that all runs, no more."
            notes[sentence] = None
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
        details += [served.note(requested, names) for requested, names in entry.get("served", {}).items()]
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
    published: Published | None
    notes: tuple[str, ...]

    def tables(self) -> Iterator[Table]:
        """Scores, readability, categories, comparisons."""
        rated = [model for model in self.models if (model, "", "", SCORE) in self.index]
        notes = (WARNING, *self.notes) if self.judge == SEVERAL else self.notes
        yield self._table(
            "scores",
            f"judged by {self.judge}",
            _SCORES,
            rated,
            "Mean rating from 1 to 10; turns, choices and repeats of a question are one cluster.",
            "Words and reading ease of the answers to the first turn stand beside it, since judges like length.",
            "Flagged: answers that look as if they were written for the judge; they keep their score.",
            *notes,
        )
        yield self._table(
            "readability",
            "readability of the answers to the first turn",
            _READABILITY,
            rated,
            "All answers of a model as one text. FRE: higher reads more easily; FKG: a school grade, lower does. Of "
            "2023: with the roundings of the textstat of then, which the paper's numbers show; without interval.",
        )
        categories = dict.fromkeys(subset for _, _, subset, metric in self.index if subset and metric == SCORE)
        columns = [_Column(name, SCORE, "", 2, "high", subset=name) for name in categories]
        if columns:
            yield self._table("categories", f"both turns by category, judged by {self.judge}", columns, rated)
        yield self._comparisons(notes)

    def _table(self, name: str, about: str, columns: Sequence[_Column], models: Sequence[str], *notes: str) -> Table:
        cells = [self._cells(column, models) for column in columns]
        sources = [column.published[0] for column in columns if column.published] if self.published else []
        return Table(
            key=f"{self.task}_{name}_{self.judge}",
            title=f"{self._title}, {about}",
            header_names=("model",),
            columns=tuple(column.title for column in columns),
            rows=tuple(TableRow((model,), row) for model, row in zip(models, zip(*cells, strict=True), strict=True)),
            secondary=tuple(at for at, column in enumerate(columns) if column.metric in (FRE_WHOLE, FKG_WHOLE)),
            notes=(
                *notes,
                *((OWN_QUESTIONS,) if sources else ()),
                *(self.published.sources(sources) if self.published else ()),
            ),
        )

    @property
    def _title(self) -> str:
        return TITLES.get(self.task, self.task.removeprefix("s2_"))

    def _cells(self, column: _Column, models: Sequence[str]) -> list[Cell]:
        rows = [self.index.get((model, column.turn, column.subset, column.metric)) for model in models]
        cells = [cell_of(row, column.digits, column.factor) for row in rows]
        if not column.counted:
            cells = [replace(cell, n=0, n_valid=0) for cell in cells]
        if column.published and self.published:
            table, metric = column.published
            cells = self.published.beside(cells, models, table, "", metric)
        return mark_best(cells, column.best)

    def _comparisons(self, notes: Sequence[str]) -> Table:
        """One row a pair of models."""
        pairs = [
            (model, metric.partition("@")[2])
            for model, turn, subset, metric in self.index
            if metric.startswith(f"{WIN_RATE}@") and not turn and not subset
        ]
        rows: list[TableRow] = []
        for model, against in sorted(pairs, key=lambda pair: self.models.index(pair[0])):
            columns = [_Column("", f"{metric}@{against}", turn, 1, factor=100.0) for metric, turn, _ in _COMPARISONS]
            rows.append(TableRow((model, against), tuple(self._cells(column, [model])[0] for column in columns)))
        return Table(
            key=f"{self.task}_comparisons_{self.judge}",
            title=f"{self._title}, compared in pairs by {self.judge}, percent",
            header_names=("model", "against"),
            columns=tuple(title for _, _, title in _COMPARISONS),
            rows=tuple(rows),
            notes=(
                "Win rate: (wins + ties/2) / n; each pair is shown in both orders, and where these disagree it is a "
                "tie. First one chosen: of all choices for one of the two; 50 without a preference for a place.",
                *notes,
            ),
            kind="win_rates",
        )
