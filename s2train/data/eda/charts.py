"""The charts of the EDA: histograms, cumulative shares and bars; series differ in more than colour."""

from __future__ import annotations

import hashlib
import math
import textwrap
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

from s2eval.report.charts.canvas import COLOURS, GREY, INK, Drawing, drawing
from s2eval.report.document import Chart
from s2train.data.eda.measures import Measure
from s2train.data.eda.numbers import percent, shown
from s2train.data.eda.tallies import Histogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

Style = Literal["before", "after", "other"]
"""How a series is drawn: what is filled, dashed or hatched besides its colour."""

Group = tuple[str, Style, Histogram]
"""A name, its style, and its numbers."""

_SIZE = (4.4, 2.9)  # inches; a phone's width shows it at about that size
_BAR = 0.19  # inches a bar
_BLOCKS = " ▁▂▃▄▅▆▇█"
_BINS = 28  # of a histogram, at most
_PLACES = 150  # at which a curve is drawn
_DRAWN = (0.005, 0.995)  # percentiles of the numbers; a note counts those outside


class _SeriesStyle(NamedTuple):
    color: str
    linestyle: str | tuple[float, Sequence[float]]
    fill: bool
    hatch: str


_STYLES: dict[Style, _SeriesStyle] = {
    "before": _SeriesStyle(GREY, (0, (2.5, 1.2)), fill=False, hatch=""),
    "after": _SeriesStyle(COLOURS[0], "-", fill=True, hatch=""),
    "other": _SeriesStyle(COLOURS[1], (0, (5, 2)), fill=False, hatch="////"),
}


def distribution(
    measure: Measure, groups: Sequence[Group], bounds: Sequence[float] = (), title: str = ""
) -> list[Chart]:
    """A histogram of each group over 99% of its numbers, with the filters' `bounds`; none if all numbers are alike."""
    title = title or measure.name
    edges = bin_edges([numbers for _, _, numbers in groups], measure.width, measure.scale)
    counts = [numbers.counted(edges) for _, _, numbers in groups]
    if len({key for _, _, numbers in groups for key in numbers.bins}) < 2 or not any(map(any, counts)):
        return []
    rare = measure.scale == "rare"
    with _axes(measure.axis) as (drawn, axes):
        baseline = 0.5 if rare else 0
        for (name, style, _), values in zip(groups, counts, strict=True):
            drawn_as = _STYLES[style]
            heights = [value or math.nan for value in values]  # no line where there is nothing
            if drawn_as.fill:
                axes.stairs(heights, edges, baseline=baseline, fill=True, color=drawn_as.color, alpha=0.35)
            axes.stairs(
                heights,
                edges,
                baseline=baseline,
                label=name,
                color=drawn_as.color,
                linestyle=drawn_as.linestyle,
                linewidth=1.3,
            )
        label = "a filter's bound"
        for bound in bounds:
            if edges[0] <= bound <= edges[-1]:
                axes.axvline(bound, color=INK, linewidth=0.9, linestyle=":", label=label)
                label = None
        axes.set_ylabel("pairs (log scale)" if rare else "pairs")
        _scale_numbers(axes, measure.scale, edges)
        if rare:
            axes.set_yscale("log")
            axes.minorticks_off()
        else:
            axes.yaxis.set_major_locator(_round_steps(5, integer=True))
        axes.set_ylim(bottom=baseline)
        axes.yaxis.set_major_formatter(_thousands)
    outside = [
        f"{name} {percent(count, numbers.n)}"
        for (name, _, numbers), values in zip(groups, counts, strict=True)
        if (count := numbers.n - sum(values))
    ]
    note = f"Outside of the chart: {', '.join(outside)}." if outside else ""
    alt = f"Histogram of {title}. {_summary_text(measure, groups)}"
    return [_chart(drawn, title, alt, note, _block_lines(title, measure.scale, edges, groups, counts))]


def cumulative(measure: Measure, groups: Sequence[Group], note: str = "") -> Chart:
    """Of each group the share up to each number."""
    scale = "log" if measure.scale == "log" else "linear"
    edges = bin_edges([numbers for _, _, numbers in groups], measure.width, scale)
    low, high = edges[0], edges[-1]
    if scale == "log":
        places = [low * (high / low) ** (step / _PLACES) for step in range(_PLACES + 1)]
    elif measure.width == 1 and high - low <= _PLACES:
        places = [float(place) for place in range(int(low), int(high) + 1)]
    else:
        places = [low + (high - low) * step / _PLACES for step in range(_PLACES + 1)]
    with _axes(measure.axis) as (drawn, axes):
        for name, style, numbers in groups:
            shares = [count / numbers.n * 100 for count in numbers.below(places, inclusive=True)]
            color, linestyle, *_ = _STYLES[style]
            axes.plot(places, shares, color=color, linestyle=linestyle, linewidth=1.5, label=name)
        axes.set_ylabel("pairs with at most so much (%)")
        axes.set_ylim(0, 103)
        axes.set_yticks(range(0, 101, 20))
        _scale_numbers(axes, scale, places)
    alt = f"Cumulative shares of {measure.name}. {_summary_text(measure, groups)}"
    return _chart(drawn, measure.name, alt, note)


def bars(
    title: str,
    axis: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Style, Sequence[float]]],
    alt: str,
    texts: Sequence[str] = (),
) -> Chart:
    """Horizontal bars of percentages, one a label and series.

    Args:
        series: name, style, and a percentage a label.
        texts: beside the bars, one a label; the percentages if empty.
    """
    number = len(series)
    with _axes(axis) as (drawn, axes):
        drawn.figure.set_size_inches(_SIZE[0], 0.8 + _BAR * len(labels) * (number + 0.6))
        wrapped = ["\n".join(textwrap.wrap(label, 24, max_lines=2, placeholder="…")) for label in labels]
        widest = max(len(line) for label in wrapped for line in label.split("\n"))
        _set_margins(drawn.figure, left=0.2 + 0.075 * widest, top=0.3 if number > 1 else 0.1)
        longest = 0.0
        for place, (name, style, shares) in enumerate(series):
            drawn_as = _STYLES[style]
            longest = max(longest, *shares)
            drawn_bars = axes.barh(
                [row + (place - (number - 1) / 2) * 0.8 / number for row in range(len(labels))],
                shares,
                height=0.8 / number,
                facecolor=(drawn_as.color, 0.45) if drawn_as.fill else "none",
                edgecolor=drawn_as.color,
                hatch=drawn_as.hatch,
                linewidth=1,
                linestyle="-" if drawn_as.hatch else drawn_as.linestyle,
                label=name,
            )
            axes.bar_label(drawn_bars, texts or [f"{share:.1f}" for share in shares], padding=3, fontsize=8)
        axes.set_xlim(0, longest * (1.45 if texts else 1.15) or 1)
        axes.set_xticks([tick for tick in axes.get_xticks() if tick <= max(longest, 1) + 1e-9])
        axes.set_yticks(range(len(wrapped)), wrapped, fontsize=8)
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
    return _chart(drawn, title, alt)


def bin_edges(groups: Sequence[Histogram], width: float, scale: str) -> list[float]:
    """Round numbers between which 99% of each group lie."""
    if scale == "rare":  # probabilities
        return [step / 20 for step in range(21)]
    low = min(numbers.percentile(_DRAWN[0]) for numbers in groups)
    high = max(numbers.percentile(_DRAWN[1]) for numbers in groups)
    if scale == "log":
        return [2.0**power for power in range(max(0, int(math.log2(max(low, 1)))), int(math.log2(max(high, 1))) + 2)]
    step = _bin_width((high - low) / _BINS, integer=width == 1)
    first = math.floor(low / step)
    last = max(math.floor(high / step) + 1, first + 1)
    return [round(number * step, 6) for number in range(first, last + 1)]


def _bin_width(least: float, *, integer: bool) -> float:
    """The least of … 0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10 … that is no less than this."""
    if integer and least <= 1:
        return 1.0
    if least <= 0:
        return 0.1
    power = 10.0 ** math.floor(math.log10(least))
    steps = (factor * power for factor in (1, 2, 2.5, 5, 10))
    return next(step for step in steps if step >= least * (1 - 1e-9) and (not integer or step == round(step)))


@contextmanager
def _axes(label: str) -> Generator[tuple[Drawing, Axes]]:
    """Axes with this label below, and a legend above where there are several series."""
    with drawing(*_SIZE, tight=False) as drawn:
        axes = drawn.figure.add_subplot()
        _set_margins(drawn.figure)
        yield drawn, axes
        axes.set_xlabel(label)
        handles, labels = axes.get_legend_handles_labels()
        if len(labels) > 1:
            above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": len(labels)}
            axes.legend(handles, labels, frameon=False, fontsize=8.5, **above)


def _set_margins(figure: Figure, left: float = 0.66, top: float = 0.3) -> None:
    """In inches: for numbers of five digits, two lines below and a legend above."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, 0.48 / height, 1 - 0.25 / width, 1 - top / height)


def _scale_numbers(axes: Axes, scale: str, values: Sequence[float]) -> None:
    axes.set_xlim(values[0], values[-1])
    if scale == "log":
        axes.set_xscale("log")
        axes.minorticks_off()
    else:
        axes.xaxis.set_major_locator(_round_steps(7))
    axes.xaxis.set_major_formatter(_thousands)


def _thousands(value: float, _: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"


def _round_steps(most: int, *, integer: bool = False) -> MaxNLocator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=most, steps=[1, 2, 5, 10], integer=integer)


def _summary_text(measure: Measure, groups: Sequence[Group]) -> str:
    return " ".join(
        f"{name}: {numbers.n:,} pairs, median {shown(numbers.percentile(0.5), measure.places)}, 5th to 95th percentile "
        f"{shown(numbers.percentile(0.05), measure.places)} to {shown(numbers.percentile(0.95), measure.places)}."
        for name, _, numbers in groups
    )


def _block_lines(
    title: str, scale: str, edges: Sequence[float], groups: Sequence[Group], counts: Sequence[Sequence[int]]
) -> list[str]:
    """A line of block characters per group, as high as its share of the pairs, above 0 always visible; on one scale."""
    lines = [f"{title}, {edges[0]:,g} to {edges[-1]:,g}{', by powers of 2' if scale == 'log' else ''}"]
    shares = [[count / numbers.n for count in row] for (_, _, numbers), row in zip(groups, counts, strict=True)]
    most = max(map(max, shares))
    width = max(len(name) for name, _, _ in groups)
    for (name, _, _), row in zip(groups, shares, strict=True):
        blocks = "".join(_BLOCKS[max(round(share / most * 8), 1 if share else 0)] for share in row)
        lines.append(f"  {name:<{width}} {blocks}".rstrip())
    return lines


def _chart(drawn: Drawing, title: str, alt: str, note: str = "", lines: Sequence[str] = ()) -> Chart:
    key = "c" + hashlib.sha256(f"{title}\0{alt}".encode()).hexdigest()[:10]
    return Chart(key, title, alt, drawn.svg(key, title, alt), notes=(note,) if note else (), lines=tuple(lines))
