"""A report before it has a format: sections of prose, tables and pictures; whatever is text is shown literally."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Look = Literal["before", "after", "one", "other"]
"""How a series is drawn: what is filled, dashed or dotted besides its colour."""


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of shown values.

    Attributes:
        words: numbers of the columns that are read as words, from the left; the others hold numbers.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0,)


@dataclass(frozen=True, slots=True)
class Details:
    """A table that is shown when it is asked for; only where a format can do that."""

    title: str
    table: Table


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers to draw, one a bin or one a label.

    Attributes:
        all: what the numbers are shares of.
    """

    name: str
    look: Look
    values: Sequence[float]
    all: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """Histograms one over the other.

    Attributes:
        title: what is shown, in a word or two.
        axis: of the numbers, with their unit.
        edges: of the bins.
        series: how many lie in each.
        bounds: numbers at which a filter cuts.
        scale: `log` = numbers, `rare` = frequencies over powers of ten.
        note: on what is not shown.
        unit: of what is counted.
    """

    title: str
    axis: str
    edges: Sequence[float]
    series: Sequence[Series]
    alt: str
    bounds: Sequence[float] = ()
    scale: str = "linear"
    note: str = ""
    unit: str = "pairs"


@dataclass(frozen=True, slots=True)
class Cumulative:
    """Of each series the share that is at most so much, at each of `places`."""

    title: str
    axis: str
    places: Sequence[float]
    series: Sequence[Series]
    alt: str
    scale: str = "linear"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar a label and series, of the share of all, lying.

    Attributes:
        axis: of the bars' lengths.
        texts: what stands beside the bars, a text a label; otherwise the share.
    """

    title: str
    axis: str
    labels: Sequence[str]
    series: Sequence[Series]
    alt: str
    texts: Sequence[str] = ()
    note: str = ""


Picture: TypeAlias = Distribution | Cumulative | Bars


@dataclass(frozen=True, slots=True)
class Pictures:
    """Small pictures side by side."""

    pictures: Sequence[Picture]


Block: TypeAlias = Prose | Table | Details | Pictures


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands under it."""

    title: str
    blocks: Sequence[Block]
    parts: Sequence[Section] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A report."""

    title: str
    blocks: Sequence[Block]
    sections: Sequence[Section] = ()
