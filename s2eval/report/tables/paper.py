"""Rows of `scores.csv` → the paper's tables. Pure: no mark-up, no files besides the published numbers.

A new table is an entry of `definitions.definitions`; a new format is a renderer that reads `Document`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from s2eval.errors import DataError
from s2eval.records import Row
from s2eval.report.document import MISSING, Cell, Table, TableRow
from s2eval.report.references import References
from s2eval.report.tables.cells import Published, cell_of, mark_best
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
        rows: of `scores.csv`. Parts of a task, judged rows and single turns belong to other tables.
        model_order: models in the order to print; those that only `rows` have follow. A model without any number of a
            table, measured or published, has no rows there: a note names it.
        references: our model → the paper's row to be set beside it; None = no published numbers at all.
        notes: table's key → sentences to add below that table, such as the restriction of MMLU.
        book: published numbers; by default those that ship with the package.

    Raises:
        UnknownNameError: `references` names a row that the paper does not have.
        DataError: a row is no finite number, or two rows differ for the same model, task and metric.
    """
    index = _index(rows)
    models = list(dict.fromkeys([*model_order, *(model for model, _, _ in index)]))
    published = Published.of(references, book)
    tables: list[Table] = []
    for family in FAMILIES:
        for definition in definitions():
            table = _table(family, definition, index, models, published if family.comparable else None)
            if table.rows:
                tables.append(replace(table, notes=(*table.notes, *(notes or {}).get(table.key, ()))))
    return tables


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


def _table(
    family: Family, definition: Definition, index: Index, models: Sequence[str], published: Published | None
) -> Table:
    """The table; without rows where nothing was evaluated for it."""
    rows = [
        row
        for task, dataset in definition.datasets
        for row in _block(family, definition, task, dataset, index, models, published)
    ]
    # A cell also says something by the number of items for which it has no value.
    known = {
        row.header[-1]
        for row in rows
        if any(cell.value is not None or cell.n > 0 or cell.published not in (None, MISSING) for cell in row.cells)
    }
    title = f"{definition.title}{family.title}"
    if definition.number:
        title = f"Table {definition.number}{family.title}: {definition.title}"
    empty = [model for model in models if model not in known]
    return Table(
        key=f"{family.prefix}_{definition.name}",
        title=title,
        header_names=("data set", "model") if any(title for _, title in definition.datasets) else ("model",),
        columns=tuple(column.title for column in definition.columns),
        rows=tuple(row for row in rows if row.header[-1] in known),
        notes=(
            *family.notes,
            *definition.notes,
            *([f"No numbers here of {', '.join(empty)}."] if empty else []),
            *(published.sources([definition.name]) if published else []),
        ),
        secondary=tuple(at for at, column in enumerate(definition.columns) if column.secondary),
    )


def _block(
    family: Family,
    definition: Definition,
    task: str,
    dataset: str,
    index: Index,
    models: Sequence[str],
    published: Published | None,
) -> list[TableRow]:
    """One row a model, the best of each column marked; nothing where `scores.csv` has none of it."""
    names = [(f"{family.prefix}_{column.task or task}", column.metric) for column in definition.columns]
    if not any((model, *name) in index for model in models for name in names):
        return []
    columns: list[list[Cell]] = []
    for column, name in zip(definition.columns, names, strict=True):
        cells = [_cell(index.get((model, *name)), column) for model in models]
        if published and column.published:
            cells = published.beside(cells, models, definition.name, dataset, column.published)
        columns.append(mark_best(cells, column.best))
    header = (dataset,) if dataset else ()
    return [TableRow((*header, model), cells) for model, cells in zip(models, zip(*columns, strict=True), strict=True)]


def _cell(row: Row | None, column: Column) -> Cell:
    """Of a `counted` column how many of the valid items: their share times their number, which must be an integer."""
    cell = cell_of(row, column.digits)
    if row is None or row.value is None or not column.counted:
        return cell
    number = row.value * row.n_valid
    if not 0 <= number <= row.n_valid or abs(number - round(number)) > 1e-3:
        raise DataError(f"{_place(row)}: {row.value} is not a share of {row.n_valid} items. Evaluate that task again.")
    return replace(cell, value=float(round(number)), ci_low=None, ci_high=None, few=False)


def _place(row: Row) -> str:
    return f"model {row.model!r}, task {row.task!r}, metric {row.metric!r}"
