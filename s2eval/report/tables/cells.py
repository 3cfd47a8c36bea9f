"""Rows of `scores.csv` and published numbers as cells of a column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from s2eval.records import MINIMUM, Row
from s2eval.report.document import MISSING, Cell
from s2eval.report.references import References, load_references, measured_less_published


def cell_of(row: Row | None, digits: int, factor: float = 1.0) -> Cell:
    """The row's value and interval, times `factor`, with its counts."""
    if row is None:
        return Cell(digits=digits)
    value, low, high = (None if x is None else x * factor for x in (row.value, row.ci_low, row.ci_high))
    return Cell(value, low, high, row.n, row.n_valid, digits=digits, row=row, few=too_few(row))


def too_few(row: Row) -> bool:
    """Whether a number has no interval for want of items, not because its metric never has one."""
    if row.value is None or row.ci_low is not None:
        return False
    return row.stderr is not None or 0 < row.n_valid < MINIMUM


def mark_best(cells: Sequence[Cell], best: Literal["high", "low"] | None) -> list[Cell]:
    """Mark the best of one column: the highest or lowest value as printed, hence all that print alike.

    Nothing is marked where `best` is None or fewer than two cells have a value.
    """
    printed = [float(cell.text) for cell in cells if cell.value is not None]
    if best is None or len(printed) < 2:
        return list(cells)
    target = max(printed) if best == "high" else min(printed)
    return [replace(cell, best=cell.value is not None and float(cell.text) == target) for cell in cells]


@dataclass(frozen=True, slots=True)
class Published:
    """Published numbers for our models; `rows`: our model → its row in the tables of the book."""

    book: References
    rows: Mapping[str, str]

    @classmethod
    def of(cls, references: Mapping[str, str] | None, book: References | None = None) -> Published | None:
        """From the book that ships with the package, unless another is given; None without `references`.

        Raises:
            UnknownNameError: no table has a row of that name.
        """
        if references is None:
            return None
        book = book or load_references()
        for row in references.values():
            book.check(row)
        return cls(book, references)

    def beside(self, cells: Sequence[Cell], models: Sequence[str], table: str, dataset: str, metric: str) -> list[Cell]:
        """A column with the published number in each cell whose model has a row, and the difference from it."""
        column: list[Cell] = []
        for cell, model in zip(cells, models, strict=True):
            if row := self.rows.get(model):
                text = self.book.published(row, table, dataset, metric) or MISSING
                column.append(replace(cell, published=text, difference=measured_less_published(cell.value, text)))
            else:
                column.append(cell)
        return column

    def sources(self, tables: Iterable[str]) -> list[str]:
        """A note for each document that the numbers of these tables were taken from."""
        return [
            f"Published numbers: {source}." for table in dict.fromkeys(tables) for source in self.book.sources(table)
        ]
