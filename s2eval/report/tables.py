"""Rows of `scores.csv` → the paper's tables. Pure: no mark-up, no files besides the published numbers.

A new table is an entry of `definitions.DEFINITIONS`; a new format is a renderer that reads `Document`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from s2eval.errors import DataError
from s2eval.records import MINIMUM, Row
from s2eval.report.definitions import DEFINITIONS, FAMILIES, ONE_ROW_A_MODEL, Column, Definition, Family
from s2eval.report.references import References, load_references, measured_less_published

MISSING = "–"
"""What stands where there is no number, in every format."""

TOO_FEW = f"{MISSING} too few"
"""What stands in place of an interval that so few items cannot give, in every format for readers."""

FEW_LEGEND = f"{TOO_FEW}: fewer than {MINIMUM} independent items, or all alike, give no interval."

Kind = Literal["scores", "win_rates", "matrix", "differences"]
"""`scores`: a row a model, the best of each column marked; `win_rates`: a row a pair of models; `matrix`: training sets
by evaluation sets; `differences`: a row a comparison, without marks of the best."""

Index = Mapping[tuple[str, str, str], Row]
"""(model, task, metric) → its row for the whole task."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of a table, ready to be printed.

    Attributes:
        value: in the column's unit; None where there is none.
        ci_low, ci_high: the 95% interval in the same unit; None where there is none.
        n, n_valid: items that should have counted, and those that did; 0 and 0 where nothing was evaluated.
        best: whether it is the best, or one of the best, of its column and data set.
        tied: whether no difference from the best of its column and data set was shown; never of the best itself.
        published: the printed number beside it, `MISSING` where the paper's row has none, None where no row is asked
            for.
        difference: `value` less the published number; None where either is missing.
        diagonal: in a matrix, whether the model was trained on the kind of data it was evaluated on.
        digits: decimals of `value` and `difference`.
        row: of `scores.csv`, that it was made of.
        words: what stands in place of a number.
        few: whether there are too few items, or nothing but the same value, for an interval.
    """

    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n: int = 0
    n_valid: int = 0
    best: bool = False
    tied: bool = False
    published: str | None = None
    difference: float | None = None
    diagonal: bool = False
    digits: int = 2
    row: Row | None = field(default=None, compare=False, repr=False)
    words: str = ""
    few: bool = False

    @property
    def text(self) -> str:
        """The value with its decimals, or its words, or `MISSING`."""
        return self.words or MISSING if self.value is None else f"{self.value:z.{self.digits}f}"

    @property
    def difference_text(self) -> str:
        """`+0.33` or `-1.20`, measured less published; "" where there is none."""
        return "" if self.difference is None else f"{self.difference:+z.{self.digits}f}"

    @property
    def interval(self) -> str:
        """`[50.1, 56.0]`, `TOO_FEW`, or "".

        As many decimals as show two significant digits of half its width; at least one, at most the value's.
        """
        if self.ci_low is None or self.ci_high is None:
            return TOO_FEW if self.few else ""
        half = (self.ci_high - self.ci_low) / 2
        wanted = 1 - math.floor(math.log10(half)) if half > 0 else self.digits
        decimals = min(max(wanted, 1), self.digits)
        return f"[{self.ci_low:z.{decimals}f}, {self.ci_high:z.{decimals}f}]"

    @property
    def counts(self) -> str:
        """`97/100` (n_valid/n), or "" where nothing was evaluated."""
        return f"{self.n_valid}/{self.n}" if self.n else ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """The names that say what a row is about, and its cells in the order of the table's columns."""

    header: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table without mark-up.

    Attributes:
        key: unique in a report, `<family>_<table>`: `s2_leaderboard`, `s2demo_rouge`.
        title: one line.
        header_names: what the row headers are, such as ("data set", "model").
        columns: headers of the cells.
        rows: in the order to print.
        notes: sentences that a reader needs below it; plain text, where `…` marks code.
        kind: what its cells are; see `Kind`.
    """

    key: str
    title: str
    header_names: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()
    kind: Kind = "scores"


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart for renderers that can show one.

    Attributes:
        key: unique in a report, and a valid id in HTML.
        title: one line.
        description: what the picture shows, as a text alternative: its numbers in sentences.
        svg: one `<svg …>…</svg>` with role="img", title and desc; without script, link, style sheet or raster image.
            Text and axes are `currentColor`, series `var(--s2-1, #…)` to `var(--s2-8, #…)`, so that it is legible on
            light and dark ground.
        table: its numbers; None where a table of the document has them.
        notes: as in `Table`.
    """

    key: str
    title: str
    description: str
    svg: str
    table: Table | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A report without mark-up: what every renderer takes. Notes as in `Table`; pictures follow the tables."""

    title: str
    tables: Sequence[Table]
    notes: Sequence[str] = ()
    pictures: Sequence[Picture] = ()


def build_tables(
    rows: Sequence[Row],
    model_order: Sequence[str],
    references: Mapping[str, str] | None = None,
    *,
    notes: Mapping[str, Sequence[str]] | None = None,
    book: References | None = None,
) -> list[Table]:
    """Build every table that any of `rows` belongs to: in the paper's order, one family after the other.

    Args:
        rows: rows of `scores.csv`. Parts of a task, judged rows and single turns belong to other tables.
        model_order: models in the order to print; those that only `rows` know follow in the order they are met. One
            without any number of a table, measured or published, has no rows there: a note names it.
        references: our model → the paper's row to be set beside it; None = no published numbers at all.
        notes: table's key → sentences to add below that table, such as the restriction of MMLU.
        book: published numbers; by default those that ship with the package.

    Raises:
        UnknownNameError: `references` names a row that the paper does not have.
        DataError: a row is no finite number, or two rows differ for the same model, task and metric.
    """
    index = _index(rows)
    models = list(dict.fromkeys([*model_order, *(model for model, _, _ in index)]))
    if references is None:
        book = None
    else:
        book = book or load_references()
        for row_name in references.values():
            book.check(row_name)
    builder = _Builder(index, models, references or {}, book, notes or {})
    tables = (builder.table(family, definition) for family in FAMILIES for definition in DEFINITIONS)
    return [table for table in tables if table.rows]


def _index(rows: Iterable[Row]) -> Index:
    index: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        if row.subset or row.judge or row.turn:
            continue
        if any(x is not None and not math.isfinite(x) for x in (row.value, row.ci_low, row.ci_high)):
            raise DataError(
                f"{_place(row)}: {row.value} [{row.ci_low}, {row.ci_high}] is not a finite number. "
                "Evaluate that task again."
            )
        known = index.setdefault((row.model, row.task, row.metric), row)
        if known != row:
            raise DataError(
                f"{_place(row)}: two different numbers, {known.value} ({known.provenance}) and {row.value} "
                f"({row.provenance}). Report their folders separately, or give the models different names."
            )
    return index


@dataclass(frozen=True, slots=True)
class _Builder:
    """What all tables of a report share."""

    index: Index
    models: Sequence[str]
    references: Mapping[str, str]
    book: References | None
    notes: Mapping[str, Sequence[str]]

    def table(self, family: Family, definition: Definition) -> Table:
        """The table; without rows where nothing was evaluated for it."""
        key = f"{family.prefix}_{definition.name}"
        blocks = [self._block(family, definition, *dataset) for dataset in definition.datasets]
        rows = [row for block in blocks for row in block]
        known = {row.header[-1] for row in rows if any(_says_something(cell) for cell in row.cells)}
        empty = [model for model in self.models if model not in known]
        return Table(
            key=key,
            title=f"Table {definition.number}{family.title}: {definition.title}",
            header_names=("model",) if definition.datasets == ONE_ROW_A_MODEL else ("data set", "model"),
            columns=tuple(column.title for column in definition.columns),
            rows=tuple(row for row in rows if row.header[-1] in known),
            notes=(
                *family.notes,
                *definition.notes,
                *([f"No numbers here of {', '.join(empty)}."] if empty else []),
                *self._sources(family, definition),
                *self.notes.get(key, ()),
            ),
        )

    def _block(self, family: Family, definition: Definition, task: str, dataset: str) -> list[TableRow]:
        """One row a model, the best of each column marked; nothing where `scores.csv` has none of it."""
        names = [(f"{family.prefix}_{column.task or task}", column.metric) for column in definition.columns]
        if not any((model, *name) in self.index for model in self.models for name in names):
            return []
        columns: list[list[Cell]] = []
        for column, name in zip(definition.columns, names, strict=True):
            cells = [_cell(self.index.get((model, *name)), column) for model in self.models]
            if self.book and family.comparable and column.published:
                place = (definition.name, dataset, column.published)
                published = [self._published(model, *place) for model in self.models]
                cells = [beside(cell, text) if text else cell for cell, text in zip(cells, published, strict=True)]
            columns.append(mark_best(cells, column.best))
        header = (dataset,) if dataset else ()
        by_model = zip(self.models, zip(*columns, strict=True), strict=True)
        return [TableRow((*header, model), cells) for model, cells in by_model]

    def _published(self, model: str, table: str, dataset: str, metric: str) -> str | None:
        row_name = self.references.get(model)
        if self.book is None or row_name is None:
            return None
        return self.book.published(row_name, table, dataset, metric) or MISSING

    def _sources(self, family: Family, definition: Definition) -> tuple[str, ...]:
        if self.book is None or not family.comparable:
            return ()
        return tuple(f"Published numbers: {source}." for source in self.book.sources(definition.name))


def beside(cell: Cell, published: str) -> Cell:
    """The cell with a published number, `MISSING` where there is none, and its difference from it."""
    return replace(cell, published=published, difference=measured_less_published(cell.value, published))


def _says_something(cell: Cell) -> bool:
    """Whether it has a number, or says of how many items it has none."""
    return cell.value is not None or cell.n > 0 or cell.published not in (None, MISSING)


def _cell(row: Row | None, column: Column) -> Cell:
    if row is None:
        return Cell(digits=column.digits)
    counts = Cell(n=row.n, n_valid=row.n_valid, digits=column.digits, row=row)
    if row.value is None:
        return counts
    if column.counted:
        return replace(counts, value=_number_of(row))
    return replace(counts, value=row.value, ci_low=row.ci_low, ci_high=row.ci_high, few=too_few(row))


def too_few(row: Row) -> bool:
    """Whether a number has no interval for want of items, not because none is ever computed of it."""
    if row.value is None or row.ci_low is not None:
        return False
    return row.stderr is not None or 0 < row.n_valid < MINIMUM


def _number_of(row: Row) -> float:
    """How many of the valid items: their share times their number, which must be whole."""
    number = (row.value or 0.0) * row.n_valid
    if not 0 <= number <= row.n_valid or abs(number - round(number)) > 1e-3:
        raise DataError(f"{_place(row)}: {row.value} is not a share of {row.n_valid} items. Evaluate that task again.")
    return float(round(number))


def _place(row: Row) -> str:
    return f"model {row.model!r}, task {row.task!r}, metric {row.metric!r}"


def mark_best(cells: Sequence[Cell], best: Literal["high", "low"] | None) -> list[Cell]:
    """Mark the best of one column: the highest or lowest value as printed, hence all that print alike.

    Nothing is marked where `best` is None or fewer than two cells have a value.
    """
    printed = [float(cell.text) for cell in cells if cell.value is not None]
    if best is None or len(printed) < 2:
        return list(cells)
    target = max(printed) if best == "high" else min(printed)
    return [replace(cell, best=cell.value is not None and float(cell.text) == target) for cell in cells]
