"""Histograms and curves of what was measured, before they are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from s2train.data.eda.chart_kinds import Cumulative, Distribution, Series, Style
from s2train.data.eda.measures import Measure
from s2train.data.eda.numbers import percent, shown
from s2train.data.eda.tallies import Histogram

Group = tuple[str, Style, Histogram]
"""A name, its style, and its numbers."""

_BINS = 28  # of a chart, at most
_PLACES = 150  # at which a curve is drawn
_SHOWN = (0.005, 0.995)  # of the numbers; the rest is told, not drawn


def distribution(
    measure: Measure, groups: Sequence[Group], bounds: Sequence[float] = (), title: str = ""
) -> list[Distribution]:
    """How many of each group are how large, of 99% of the numbers; none where nothing would be seen in it."""
    edges = _edges(measure, [numbers for _, _, numbers in groups])
    series = [Series(name, style, numbers.counted(edges), numbers.n) for name, style, numbers in groups]
    if len({key for _, _, numbers in groups for key in numbers.bins}) < 2 or not any(
        any(part.values) for part in series
    ):
        return []
    chart = Distribution(
        title=title or measure.name,
        axis=measure.axis,
        edges=edges,
        series=series,
        alt=f"Histogram of {title or measure.name}. {_summary_text(measure, groups)}",
        bounds=[bound for bound in bounds if edges[0] <= bound <= edges[-1]],
        scale=measure.scale,
        note=_beyond(series),
    )
    return [chart]


def cumulative(measure: Measure, groups: Sequence[Group], note: str = "") -> Cumulative:
    """Of each group the share up to each number."""
    scale = "log" if measure.scale == "log" else "linear"
    edges = _edges(replace(measure, scale=scale), [numbers for _, _, numbers in groups])
    low, high = edges[0], edges[-1]
    if scale == "log":
        places = [low * (high / low) ** (step / _PLACES) for step in range(_PLACES + 1)]
    elif measure.width == 1 and high - low <= _PLACES:
        places = [float(place) for place in range(int(low), int(high) + 1)]
    else:
        places = [low + (high - low) * step / _PLACES for step in range(_PLACES + 1)]
    return Cumulative(
        title=measure.name,
        axis=measure.axis,
        places=places,
        series=[Series(name, style, _up_to(numbers, places), numbers.n) for name, style, numbers in groups],
        alt=f"Cumulative shares of {measure.name}. {_summary_text(measure, groups)}",
        scale=scale,
        note=note,
    )


def _up_to(numbers: Histogram, places: Sequence[float]) -> list[int]:
    counts, at = [0] * len(places), 0
    for value, count in numbers.values():
        while at < len(places) and places[at] < value:
            at += 1
        if at == len(places):
            break
        counts[at] += count
    for place in range(1, len(counts)):
        counts[place] += counts[place - 1]
    return counts


def _summary_text(measure: Measure, groups: Sequence[Group]) -> str:
    return " ".join(
        f"{name}: {numbers.n:,} pairs, median {shown(numbers.percentile(0.5), measure.places)}, 5th to 95th percentile "
        f"{shown(numbers.percentile(0.05), measure.places)} to {shown(numbers.percentile(0.95), measure.places)}."
        for name, _, numbers in groups
    )


def _edges(measure: Measure, groups: Sequence[Histogram]) -> list[float]:
    """Of round numbers, so that 99% of each group lie within."""
    if measure.scale == "rare":  # probabilities
        return [step / 20 for step in range(21)]
    low = min(numbers.percentile(_SHOWN[0]) for numbers in groups)
    high = max(numbers.percentile(_SHOWN[1]) for numbers in groups)
    if measure.scale == "log":
        return [2.0**power for power in range(max(0, int(math.log2(max(low, 1)))), int(math.log2(max(high, 1))) + 2)]
    step = _step((high - low) / _BINS, whole=measure.width == 1)
    first = math.floor(low / step)
    last = max(math.floor(high / step) + 1, first + 1)
    return [round(number * step, 6) for number in range(first, last + 1)]


def _step(wanted: float, *, whole: bool) -> float:
    """The least of … 0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10 … that is no less than what is wanted."""
    if whole and wanted <= 1:
        return 1.0
    if wanted <= 0:
        return 0.1
    power = 10.0 ** math.floor(math.log10(wanted))
    steps = (factor * power for factor in (1, 2, 2.5, 5, 10))
    return next(step for step in steps if step >= wanted * (1 - 1e-9) and (not whole or step == round(step)))


def _beyond(series: Sequence[Series]) -> str:
    outside = [(part.name, part.all - int(sum(part.values)), part.all) for part in series]
    shares = ", ".join(f"{name} {percent(count, whole)}" for name, count, whole in outside if count)
    return f"Outside of the chart: {shares}." if shares else ""
