"""A report without mark-up: what every table, chart and renderer shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from s2eval.records import MINIMUM, Row

MISSING = "–"
"""In place of a number, in every format."""

TOO_FEW = f"{MISSING} too few"
"""In place of an interval that so few items cannot give, in every format for readers."""

FEW_LEGEND = f"{TOO_FEW}: fewer than {MINIMUM} independent items, or all alike, give no interval."

Kind = Literal["scores", "win_rates", "matrix", "differences"]
"""`scores`: a row a model, the best of each column marked; `win_rates`: a row a pair of models; `matrix`: training sets
by evaluation sets; `differences`: a row a comparison, without marks of the best."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of a table, ready to be printed.

    Attributes:
        value, ci_low, ci_high: the number and its 95% interval in the column's unit.
        n, n_valid: items that should have counted, and those that did; 0 and 0 where nothing was evaluated.
        best: whether it is the best, or one of the best, of its column and data set.
        tied, differs: whether no difference from the best was shown, or one was; neither of the best itself, nor where
            it was not tested.
        published: the printed number beside it, `MISSING` where the paper's row has none, None where no row is wanted.
        difference: `value` less the published number.
        diagonal: in a matrix, whether the model was trained on the kind of data it was evaluated on.
        digits: decimals of `value` and `difference`.
        row: of `scores.csv`, which the cell shows.
        words: text in place of a number.
        few: whether there are too few items, or nothing but the same value, for an interval.
    """

    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n: int = 0
    n_valid: int = 0
    best: bool = False
    tied: bool = False
    differs: bool = False
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
        """`[50.1, 56.0]`, `TOO_FEW`, or ""."""
        if self.ci_low is None or self.ci_high is None:
            return TOO_FEW if self.few else ""
        decimals = self.interval_digits
        return f"[{self.ci_low:z.{decimals}f}, {self.ci_high:z.{decimals}f}]"

    @property
    def with_interval(self) -> str:
        """`53.10 [50.1, 56.0]`; the value alone where there is no interval."""
        return self.text if self.ci_low is None else f"{self.text} {self.interval}"

    @property
    def plus_minus(self) -> str:
        """`53.1 ± 2.9`: the value and half the interval's width, with the interval's decimals; else `text`."""
        if self.value is None or self.ci_low is None or self.ci_high is None:
            return self.text
        decimals = self.interval_digits
        return f"{self.value:z.{decimals}f} ± {(self.ci_high - self.ci_low) / 2:.{decimals}f}"

    @property
    def interval_digits(self) -> int:
        """Decimals that show two significant digits of half the interval's width: at least 1, at most the value's."""
        half = 0.0 if self.ci_low is None or self.ci_high is None else (self.ci_high - self.ci_low) / 2
        wanted = 1 - math.floor(math.log10(half)) if half > 0 else self.digits
        return min(max(wanted, 1), self.digits)

    @property
    def counts(self) -> str:
        """`97/100` (n_valid/n), or "" where nothing was evaluated."""
        return f"{self.n_valid}/{self.n}" if self.n else ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """The names that a row is of, and its cells in the order of the table's columns."""

    header: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def counts(self) -> str | None:
        """`n_valid/n` of all evaluated cells, "" where none was evaluated, None where they differ."""
        counts = {cell.counts for cell in self.cells if cell.counts}
        return None if len(counts) > 1 else next(iter(counts), "")


@dataclass(frozen=True, slots=True)
class Table:
    """A table without mark-up.

    Attributes:
        key: unique in a report, `<family>_<table>`: `s2_leaderboard`, `s2demo_rouge`.
        header_names: what the row headers are, such as ("data set", "model").
        columns: headers of the cells.
        notes: sentences below it; plain text, where `…` marks code.
        secondary: positions of columns that a page may fold away.
    """

    key: str
    title: str
    header_names: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()
    kind: Kind = "scores"
    secondary: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart for renderers that can show one.

    Attributes:
        key: unique in a report, and a valid id in HTML.
        description: what the chart shows, as a text alternative: its numbers in sentences.
        svg: one `<svg …>…</svg>` with role="img", title and desc; without script, link, style sheet or raster image.
            Text and axes are `currentColor`, series `var(--s2-1, #…)` to `var(--s2-8, #…)`, for light and dark ground.
        table: its numbers; None where a table of the document has them.
        lines: the chart in block characters, for renderers that show no image.
    """

    key: str
    title: str
    description: str
    svg: str
    table: Table | None = None
    notes: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows of texts; `words` are the positions of columns that hold words, the others hold numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0,)


@dataclass(frozen=True, slots=True)
class Details:
    """A table behind a title, to be opened; left out of formats that cannot fold."""

    title: str
    table: TextTable


@dataclass(frozen=True, slots=True)
class Charts:
    """Small charts side by side."""

    charts: Sequence[Chart]


Block: TypeAlias = Prose | TextTable | Details | Charts


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, its blocks, and the sections below it."""

    title: str
    blocks: Sequence[Block]
    parts: Sequence[Section] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """The first screen of a report.

    Attributes:
        compared: which models, on which tasks.
        verdict: sentences; none where nothing is comparable.
        board: the scoreboard, a row per model.
        facts: how the numbers came about: name and value.
    """

    compared: str
    verdict: tuple[str, ...] = ()
    board: Table | None = None
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A report without mark-up, which every renderer takes: title, intro, summary, then the rest.

    `tables` are of numbers with intervals, `sections` of prose, tables of texts and small charts. `summary` is None
    where the document is not about models.
    """

    title: str
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    charts: Sequence[Chart] = ()
    sections: Sequence[Section] = ()
    intro: Sequence[Prose] = ()
    summary: Summary | None = None

    def with_digits(self, digits: int | None) -> Document:
        """The same with so many decimals in every number that is not a count; None changes nothing."""
        if digits is None:
            return self
        summary = self.summary
        if summary and summary.board:
            summary = replace(summary, board=_rounded(summary.board, digits))
        return replace(self, tables=[_rounded(table, digits) for table in self.tables], summary=summary)


def short_counts(counts: str) -> str:
    """`12` for `12/12`, else the counts."""
    n_valid, _, n = counts.partition("/")
    return n if n_valid == n else counts


def _rounded(table: Table, digits: int) -> Table:
    rows: list[TableRow] = []
    for row in table.rows:
        cells = (replace(cell, digits=digits) if cell.digits else cell for cell in row.cells)
        rows.append(replace(row, cells=tuple(cells)))
    return replace(table, rows=tuple(rows))
