"""Scores by category as a radar chart, in SVG."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from s2eval.records import Row
from s2eval.report.judged import SCORE
from s2eval.store import write_atomically


def radar(rows: Sequence[Row], judge: str) -> str | None:
    """The chart of one judge: an axis a category from 1 to 10, a line a model; None for fewer than three categories.

    Args:
        rows: of `scores.csv`.
        judge: its label.
    """
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.judge == judge and row.metric == SCORE and row.subset and not row.turn and row.value is not None:
            found.setdefault(row.model, {})[row.subset] = row.value
    categories = list(dict.fromkeys(category for scores in found.values() for category in scores))
    return _draw(found, categories, judge) if len(categories) > 2 else None


def _draw(found: Mapping[str, Mapping[str, float]], categories: Sequence[str], judge: str) -> str:
    # matplotlib's types are in part unknown, and of polar axes not there at all
    mpl: Any = import_module("matplotlib")
    svg: Any = import_module("matplotlib.backends.backend_svg")
    figures: Any = import_module("matplotlib.figure")

    angles = [2 * math.pi * number / len(categories) for number in range(len(categories))]
    figure = figures.Figure(figsize=(7, 6))
    axes = figure.add_subplot(polar=True)
    axes.set_theta_offset(math.pi / 2)
    axes.set_theta_direction(-1)
    axes.set_ylim(0, 10)
    axes.set_yticks(range(2, 11, 2))
    axes.set_xticks(angles, [category.replace("-", " ") for category in categories])
    for model, scores in found.items():
        values = [scores.get(category, math.nan) for category in categories]
        axes.plot([*angles, angles[0]], [*values, values[0]], label=model, linewidth=1.5)
    axes.tick_params(axis="x", pad=14)
    axes.set_title(f"Mean rating by category, both turns\n{judge}", fontsize=10, pad=18)
    axes.legend(loc="upper left", bbox_to_anchor=(1.05, 1.05), fontsize=8)
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "s2eval", "svg.fonttype": "none"}):  # the same file whenever it is drawn
        svg.FigureCanvasSVG(figure).print_figure(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    return text.getvalue()


def write_radars(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """One `radar-<judge>.svg` in the folder for each judge that has categories enough."""
    written: list[Path] = []
    for judge in dict.fromkeys(row.judge for row in rows if row.judge):
        chart = radar(rows, judge)
        if chart is not None:
            path = folder / f"radar-{judge.replace('/', '-').replace('@', '-')}.svg"
            with write_atomically(path) as file:
                file.write(chart)
            written.append(path)
    return written
