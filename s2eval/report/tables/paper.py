"""Rows of `scores.csv` → the paper's tables. Pure: no mark-up, no files besides the published numbers.

A new table is an entry of `definitions.definitions`; a new format is a renderer that reads `Document`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from s2eval.errors import DataError
from s2eval.records import MINIMUM, Row
from s2eval.report.document import MISSING, Cell, Table, TableRow
from s2eval.report.references import References, load_references, measured_less_published
from s2eval.report.tables.definitions import FAMILIES, Column, Definition, Family, definitions

Index = Mapping[tuple[str, str, str], Row]
"""(model, task, metric) → its row for the whole task."""


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
    tables = (builder.table(family, definition) for family in FAMILIES for definition in definitions())
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
            title=f"Table {definition.number}{family.title}: {definition.title}"
            if definition.number
            else f"{definition.title}{family.title}",
            header_names=("data set", "model") if any(title for _, title in definition.datasets) else ("model",),
            columns=tuple(column.title for column in definition.columns),
            rows=tuple(row for row in rows if row.header[-1] in known),
            notes=(
                *family.notes,
                *definition.notes,
                *([f"No numbers here of {', '.join(empty)}."] if empty else []),
                *self._sources(family, definition),
                *self.notes.get(key, ()),
            ),
            secondary=tuple(at for at, column in enumerate(definition.columns) if column.secondary),
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
