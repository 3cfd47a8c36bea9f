"""The charts of the EDA: histograms, cumulative shares and bars; series differ in more than colour."""

from __future__ import annotations

import hashlib
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from s2eval.report.charts.canvas import COLOURS, GREY, INK, drawing
from s2eval.report.document import Chart, Charts
from s2train.data.eda.chart_kinds import Bars, ChartKind, Cumulative, Distribution, Style

_SIZE = (4.4, 2.9)  # inches; a phone's width shows it at about that size
_BAR = 0.19  # inches a bar
_BLOCKS = " ▁▂▃▄▅▆▇█"

_STYLES: Mapping[Style, Mapping[str, Any]] = {
    "before": {"color": GREY, "linestyle": (0, (2.5, 1.2)), "fill": False, "hatch": ""},
    "after": {"color": COLOURS[0], "linestyle": "-", "fill": True, "hatch": ""},
    "one": {"color": COLOURS[0], "linestyle": "-", "fill": True, "hatch": ""},
    "other": {"color": COLOURS[1], "linestyle": (0, (5, 2)), "fill": False, "hatch": "////"},
}


def charts(kinds: Iterable[ChartKind]) -> Charts:
    """A block of charts, drawn; the same bytes for the same numbers."""
    return Charts([draw(kind) for kind in kinds])


def draw(kind: ChartKind) -> Chart:
    """The chart, at a size that a phone's width shows legibly."""
    with drawing(*_SIZE, tight=False) as drawn:
        axes = drawn.figure.add_subplot()
        _set_margins(drawn.figure)
        match kind:
            case Distribution():
                _distribution(axes, kind)
            case Cumulative():
                _cumulative(axes, kind)
            case Bars():
                _bars(drawn.figure, axes, kind)
        axes.set_xlabel(kind.axis)
        _legend(axes)
    key = "c" + hashlib.sha256(f"{kind.title}\0{kind.alt}".encode()).hexdigest()[:10]
    lines = tuple(_lines(kind)) if isinstance(kind, Distribution) else ()
    notes = (kind.note,) if kind.note else ()
    return Chart(key, kind.title, kind.alt, drawn.svg(key, kind.title, kind.alt), notes=notes, lines=lines)


def _lines(chart: Distribution) -> Iterator[str]:
    """A line of block characters per series, as high as its share of the pairs; all on one scale."""
    low, high = (f"{edge:,g}" for edge in (chart.edges[0], chart.edges[-1]))
    yield f"{chart.title}, {low} to {high}{', by powers of 2' if chart.scale == 'log' else ''}"
    most = max((max(series.values) / series.all for series in chart.series), default=0) or 1
    width = max(len(series.name) for series in chart.series)
    for series in chart.series:
        blocks = "".join(_block(value / series.all / most) for value in series.values)
        yield f"  {series.name:<{width}} {blocks}".rstrip()


def _block(height: float) -> str:
    """Any share above 0 is visible."""
    return _BLOCKS[max(round(height * 8), 1 if height else 0)]


def _distribution(axes: Any, chart: Distribution) -> None:
    baseline = 0.5 if chart.scale == "rare" else 0
    for series in chart.series:
        style = _STYLES[series.style]
        values = [value or math.nan for value in series.values]  # no line where there is nothing
        if style["fill"]:
            axes.stairs(values, chart.edges, baseline=baseline, fill=True, color=style["color"], alpha=0.35)
        line = {"color": style["color"], "linestyle": style["linestyle"], "linewidth": 1.3}
        axes.stairs(values, chart.edges, baseline=baseline, label=series.name, **line)
    for number, bound in enumerate(chart.bounds):
        label = "a filter's bound" if number == 0 else None
        axes.axvline(bound, color=INK, linewidth=0.9, linestyle=":", label=label)
    axes.set_ylabel(chart.unit + (" (log scale)" if chart.scale == "rare" else ""))
    _scaled(axes, chart.scale, chart.edges)
    if chart.scale == "rare":
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
        axes.yaxis.set_major_formatter(_thousands)
        axes.minorticks_off()
    else:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(_round_steps(5, integer=True))
        axes.yaxis.set_major_formatter(_thousands)


def _cumulative(axes: Any, chart: Cumulative) -> None:
    for series in chart.series:
        style = _STYLES[series.style]
        shares = [value / series.all * 100 for value in series.values]
        axes.plot(
            chart.places,
            shares,
            color=style["color"],
            linestyle=style["linestyle"],
            linewidth=1.5,
            label=series.name,
        )
    axes.set_ylabel("pairs with at most so much (%)")
    axes.set_ylim(0, 103)
    axes.set_yticks(range(0, 101, 20))
    _scaled(axes, chart.scale, chart.places)


def _bars(figure: Any, axes: Any, chart: Bars) -> None:
    number = len(chart.series)
    figure.set_size_inches(_SIZE[0], 0.8 + _BAR * len(chart.labels) * (number + 0.6))
    labels = [_wrapped(label) for label in chart.labels]
    longest_line = max(len(line) for label in labels for line in label.split("\n"))
    _set_margins(figure, left=0.2 + 0.075 * longest_line, top=0.3 if number > 1 else 0.1)
    longest = 0.0
    for place, series in enumerate(chart.series):
        style = _STYLES[series.style]
        shares = [value / series.all * 100 for value in series.values]
        longest = max(longest, *shares)
        at = [row + (place - (number - 1) / 2) * 0.8 / number for row in range(len(chart.labels))]
        drawn = axes.barh(
            at,
            shares,
            height=0.8 / number,
            facecolor=(style["color"], 0.45) if style["fill"] else "none",
            edgecolor=style["color"],
            hatch=style["hatch"],
            linewidth=1,
            linestyle=style["linestyle"] if not style["hatch"] else "-",
            label=series.name,
        )
        texts = chart.texts or [f"{share:.1f}" for share in shares]
        axes.bar_label(drawn, texts, padding=3, fontsize=8)
    axes.set_xlim(0, longest * (1.45 if chart.texts else 1.15) or 1)
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= max(longest, 1) + 1e-9])
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()


def _scaled(axes: Any, scale: str, values: Sequence[float]) -> None:
    axes.set_xlim(values[0], values[-1])
    if scale == "log":
        axes.set_xscale("log")
        axes.minorticks_off()
    else:
        axes.xaxis.set_major_locator(_round_steps(7))
    axes.xaxis.set_major_formatter(_thousands)


def _thousands(value: float, _: int) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"


def _round_steps(most: int, *, integer: bool = False) -> Any:
    ticker: Any = import_module("matplotlib.ticker")
    return ticker.MaxNLocator(nbins=most, steps=[1, 2, 5, 10], integer=integer)


def _legend(axes: Any) -> None:
    """Above the axes, over nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        axes.legend(
            handles, labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(labels), frameon=False, fontsize=8.5
        )


def _set_margins(figure: Any, left: float = 0.66, top: float = 0.3) -> None:
    """The axes' margins, in inches: for numbers of five digits, two lines below and a legend above."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, 0.48 / height, 1 - 0.25 / width, 1 - top / height)


def _wrapped(label: str) -> str:
    """Two lines at most, as a bar has the room for."""
    return "\n".join(textwrap.wrap(label, 24, max_lines=2, placeholder="…"))
