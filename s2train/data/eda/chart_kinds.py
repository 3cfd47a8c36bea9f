"""What a chart of the EDA shows, before it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Style = Literal["before", "after", "one", "other"]
"""How a series is drawn: what is filled, dashed or hatched besides its colour."""


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers to draw, one a bin or one a label.

    Attributes:
        all: what the numbers are shares of.
    """

    name: str
    style: Style
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


ChartKind: TypeAlias = Distribution | Cumulative | Bars
