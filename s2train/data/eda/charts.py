"""Pictures as SVG, drawn by matplotlib: series differ in more than colour, letters stay text, the same bytes always."""

from __future__ import annotations

import io
import math
import re
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from html import escape
from importlib import import_module
from typing import Any

from s2train.data.eda.document import Bars, Cumulative, Distribution, Look, Picture

# Blue and vermilion of Okabe & Ito (2008), told apart by colour-blind readers and on white as on black; text and axes
# take the colour of the page.
_BLUE, _RED, _GREY = "#0072b2", "#d55e00", "#8a8a8a"
_INK = "#010203"

_SIZE = (4.4, 2.9)  # inches; a phone's width shows it at about that size
_BAR = 0.19  # inches a bar

_LOOKS: Mapping[Look, Mapping[str, Any]] = {
    "before": {"color": _GREY, "linestyle": (0, (2.5, 1.2)), "fill": False, "hatch": ""},
    "after": {"color": _BLUE, "linestyle": "-", "fill": True, "hatch": ""},
    "one": {"color": _BLUE, "linestyle": "-", "fill": True, "hatch": ""},
    "other": {"color": _RED, "linestyle": (0, (5, 2)), "fill": False, "hatch": "////"},
}

_SETTINGS = {
    "svg.hashsalt": "s2train",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name may hold `$`
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "hatch.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(picture: Picture, name: str) -> str:
    """An `<svg>` to stand in a page, as wide as the page lets it be.

    Args:
        name: begins all its ids, which must differ within one page.
    """
    # matplotlib's types are in part unknown
    mpl: Any = import_module("matplotlib")
    style: Any = import_module("matplotlib.style")
    svg: Any = import_module("matplotlib.backends.backend_svg")
    figures: Any = import_module("matplotlib.figure")

    text = io.StringIO()
    with style.context("default"), mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that the font lacks: the page's font shows them
        figure = figures.Figure(figsize=_SIZE)
        axes = figure.add_subplot()
        _place(figure)
        match picture:
            case Distribution():
                _distribution(axes, picture)
            case Cumulative():
                _cumulative(axes, picture)
            case Bars():
                _bars(figure, axes, picture)
        axes.set_xlabel(picture.axis)
        _legend(axes)
        svg.FigureCanvasSVG(figure).print_figure(text, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(text.getvalue(), picture.alt, name)


def _distribution(axes: Any, picture: Distribution) -> None:
    baseline = 0.5 if picture.scale == "rare" else 0
    for one in picture.series:
        look = _LOOKS[one.look]
        values = [value or math.nan for value in one.values]  # no line where there is nothing
        if look["fill"]:
            axes.stairs(values, picture.edges, baseline=baseline, fill=True, color=look["color"], alpha=0.35)
        style = {"color": look["color"], "linestyle": look["linestyle"], "linewidth": 1.3}
        axes.stairs(values, picture.edges, baseline=baseline, label=one.name, **style)
    for number, bound in enumerate(picture.bounds):
        label = "a filter's bound" if number == 0 else None
        axes.axvline(bound, color=_INK, linewidth=0.9, linestyle=":", label=label)
    axes.set_ylabel(picture.unit + (" (log scale)" if picture.scale == "rare" else ""))
    _scaled(axes, picture.scale, picture.edges)
    if picture.scale == "rare":
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
        axes.yaxis.set_major_formatter(_thousands)
        axes.minorticks_off()
    else:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(_round_steps(5, integer=True))
        axes.yaxis.set_major_formatter(_thousands)


def _cumulative(axes: Any, picture: Cumulative) -> None:
    for one in picture.series:
        look = _LOOKS[one.look]
        shares = [value / one.all * 100 for value in one.values]
        axes.plot(
            picture.places,
            shares,
            color=look["color"],
            linestyle=look["linestyle"],
            linewidth=1.5,
            label=one.name,
        )
    axes.set_ylabel("pairs with at most so much (%)")
    axes.set_ylim(0, 103)
    axes.set_yticks(range(0, 101, 20))
    _scaled(axes, picture.scale, picture.places)


def _bars(figure: Any, axes: Any, picture: Bars) -> None:
    number = len(picture.series)
    figure.set_size_inches(_SIZE[0], 0.8 + _BAR * len(picture.labels) * (number + 0.6))
    labels = [_wrapped(label) for label in picture.labels]
    longest_line = max(len(line) for label in labels for line in label.split("\n"))
    _place(figure, left=0.2 + 0.075 * longest_line, top=0.3 if number > 1 else 0.1)
    longest = 0.0
    for place, one in enumerate(picture.series):
        look = _LOOKS[one.look]
        shares = [value / one.all * 100 for value in one.values]
        longest = max(longest, *shares)
        at = [row + (place - (number - 1) / 2) * 0.8 / number for row in range(len(picture.labels))]
        drawn = axes.barh(
            at,
            shares,
            height=0.8 / number,
            facecolor=(look["color"], 0.45) if look["fill"] else "none",
            edgecolor=look["color"],
            hatch=look["hatch"],
            linewidth=1,
            linestyle=look["linestyle"] if not look["hatch"] else "-",
            label=one.name,
        )
        texts = picture.texts or [f"{share:.1f}" for share in shares]
        axes.bar_label(drawn, texts, padding=3, fontsize=8)
    axes.set_xlim(0, longest * (1.45 if picture.texts else 1.15) or 1)
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


def _place(figure: Any, left: float = 0.66, top: float = 0.3) -> None:
    """The axes' margins, in inches: for numbers of five digits, two lines below and a legend above."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, 0.48 / height, 1 - 0.25 / width, 1 - top / height)


def _wrapped(label: str) -> str:
    """Two lines at most, as a bar has the room for."""
    return "\n".join(textwrap.wrap(label, 24, max_lines=2, placeholder="…"))


# --- a page's own SVG ---

_TAG = re.compile(r"<[^>]+>")
_ID = re.compile(r'(\bid="|href="#|url\(#)')
_OPENING = re.compile(r'<svg\b[^>]*?viewBox="([^"]*)"[^>]*>')
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)


def _inline(text: str, alt: str, name: str) -> str:
    """Without the head of a file and what it says of itself; ids that differ from other pictures'."""
    text = _METADATA.sub("", text[text.index("<svg") :])
    text = _TAG.sub(lambda tag: _ID.sub(rf"\g<1>{name}-", tag[0]).replace(_INK, "currentColor"), text)
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{{box}}" role="img" aria-label="{escape(alt)}">'
    )
    return _OPENING.sub(lambda match: head.replace("{box}", match[1]), text, count=1).strip()
