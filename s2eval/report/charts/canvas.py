"""A chart as SVG for a page: drawn by matplotlib, letters stay text, the same bytes always.

No style sheet and no `style=`, which a strict content security policy would not apply. Text and axes are
`currentColor`; series are `var(--s2-1, #…)` to `var(--s2-8, #…)`: Okabe & Ito's colours (2008), which colour-blind
readers can distinguish and a page may replace on light and dark ground.
"""

# matplotlib leaves its keyword arguments untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal, TypedDict

from s2eval.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

INK, GREY = "#010203", "#8a8a8a"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7f3fbf", "#6b8e23")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", (0, (5, 2)), (0, (2, 1.2)), (0, (6, 1.5, 1.5, 1.5)))

_SETTINGS: dict[RcKeyType, object] = {
    "svg.hashsalt": "s2eval",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a model's name may hold `$`
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GREY,
    "grid.linewidth": 0.4,
    "hatch.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}


class SeriesStyle(TypedDict):
    color: str
    marker: str
    linestyle: str | tuple[float, tuple[float, ...]]


def style_for(number: int) -> SeriesStyle:
    """Colour, mark and line of the n-th series: no two of 32 alike, the first eight in both colour and mark."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKS[(number + number // len(COLOURS)) % len(MARKS)],
        "linestyle": DASHES[(number + number // len(COLOURS)) % len(DASHES)],
    }


@dataclass(slots=True)
class Drawing:
    """A figure of matplotlib, and what it writes of it once the block that draws on it has ended."""

    figure: Figure
    text: str = ""

    def svg(self, key: str, title: str, description: str) -> str:
        """An `<svg>` with title and description; `key` begins all its ids, which must differ within one page."""
        return _inline(self.text, key, title, description)

    def file(self, title: str, description: str) -> str:
        """The content of an SVG file."""
        return standalone(self.svg("chart", title, description))


@contextmanager
def drawing(
    width: float, height: float, *, tight: bool = True, layout: Literal["constrained"] | None = None
) -> Generator[Drawing]:
    """A figure of that many inches to draw on; written when the block ends.

    Args:
        tight: cut to what is drawn, labels outside of the figure included.
        layout: "constrained" for several panels.
    """
    from matplotlib import rcParams, style
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with style.context("default"), warnings.catch_warnings():
        rcParams.update(_SETTINGS)
        warnings.simplefilter("ignore")  # letters that the font lacks: the page's font shows them
        drawn = Drawing(Figure(figsize=(width, height), layout=layout))
        yield drawn
        file = io.StringIO()
        FigureCanvasSVG(drawn.figure).print_figure(
            file,
            format="svg",
            metadata={"Date": None, "Creator": None},
            bbox_inches="tight" if tight else None,
            pad_inches=0.05,
        )
        drawn.text = file.getvalue()


def standalone(svg: str) -> str:
    """A chart of a page as a file of its own: colours instead of the page's variables, on white."""
    text = re.sub(r"var\(--[\w-]+, (#\w+)\)", r"\1", svg)
    text = text.replace("</desc>", '</desc><rect width="100%" height="100%" fill="#ffffff"/>', 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


_TAG = re.compile(r"<[^>]+>")
_ID = re.compile(r'(\bid="|href="#|url\(#)')
_OPENING = re.compile(r'<svg\b[^>]*?viewBox="([^"]*)"[^>]*>')
_DROPPED = re.compile(r"\s*<(metadata|title|desc)>.*?</\1>|<style\b.*?</style>|<!--.*?-->", re.DOTALL)
_DECIMALS = re.compile(r"\d+\.\d{3,}")
_STYLE = re.compile(r'\s*style="([^"]*)"')
_FONT = re.compile(r"(?:(?P<weight>bold|[1-9]00) )?(?P<size>[0-9.]+)px ")
_FORBIDDEN = re.compile(r"<(script|image|a|foreignObject|style|iframe|use\b[^>]*href=\"(?!#))\b", re.IGNORECASE)


def _inline(text: str, key: str, title: str, description: str) -> str:
    """Without the file's head and metadata; with the page's colours and font."""
    text = _DROPPED.sub("", text[text.index("<svg") :])
    text = _TAG.sub(lambda tag: _of_page(tag[0], key), text)
    box = _OPENING.search(text)
    if box is None or _FORBIDDEN.search(text):
        raise DataError(f"chart {key}: matplotlib wrote an SVG of an unknown form")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box[1]}" '
        'stroke-linejoin="round" stroke-linecap="butt" font-family="sans-serif" '
        f'role="img" aria-labelledby="{key}-title {key}-desc"><title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-desc">{escape(description)}</desc>'
    )
    text = text[: box.start()] + head + text[box.end() :]
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def _attributes(style: str) -> Iterator[str]:
    """A style's declarations as attributes of their own."""
    for declaration in filter(None, map(str.strip, style.split(";"))):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":
            font = _FONT.search(value + " ")
            if font:
                yield f' font-size="{font["size"]}"'
                yield f' font-weight="{font["weight"]}"' if font["weight"] else ""
        elif name != "font-family":  # the page's
            yield f' {name}="{value}"'


def _of_page(tag: str, key: str) -> str:
    tag = _ID.sub(rf"\g<1>{key}-", tag).replace(INK, "currentColor")
    tag = _STYLE.sub(lambda match: "".join(_attributes(match[1])), tag)
    for number, colour in enumerate(COLOURS, 1):
        tag = tag.replace(colour, f"var(--s2-{number}, {colour})")
    tag = _DECIMALS.sub(lambda match: f"{float(match[0]):.2f}", tag)
    return tag.replace(GREY, f"var(--s2-grey, {GREY})")
