"""The report's charts: leaderboard, categories of a judge, readability against score, paired differences.

They are as wide as a phone shows legibly, so names are above their bars and legends below the axes.
"""

# matplotlib leaves its keyword arguments untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from s2eval.judge.scores.estimates import SCORE
from s2eval.records import Row
from s2eval.report.charts.canvas import COLOURS, GREY, INK, Drawing, SeriesStyle, drawing, standalone, style_for
from s2eval.report.compare import LEVEL, Compared, Comparison, ComparisonTable
from s2eval.report.document import MISSING, Cell, Chart, Table
from s2eval.report.tables.definitions import FAMILIES, datasets
from s2eval.report.tables.differences import difference_table
from s2eval.store import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 4.4  # inches
_ROW = 0.36  # inches of a bar with the name above it
_MAX_ROWS = 60  # of a forest; with more, only its first metric is drawn


def draw_all(
    tables: Sequence[Table], rows: Sequence[Row], compared: Compared, models: Sequence[str] = ()
) -> list[Chart]:
    """Every chart that has numbers, in the order of the tables; a chart names those of `models` it has no value of."""
    charts = [leaderboard(table, models) for table in tables if table.key.endswith("_leaderboard")]
    for judge in dict.fromkeys(row.judge for row in rows if row.judge):
        charts.append(categories(rows, judge, models))
    charts += readability(rows, models)
    charts += [forest(table) for table in compared.tables]
    return [chart for chart in charts if chart is not None]


def leaderboard(table: Table, models: Sequence[str] = ()) -> Chart | None:
    """A bar per model with its interval, of the first column that has numbers; the other columns as marks."""
    known = [at for at in range(len(table.columns)) if any(row.cells[at].value is not None for row in table.rows)]
    if not known:
        return None
    names = [row.header[-1] for row in table.rows]
    missing = [model for model in models if model not in names]
    with drawing(_WIDTH, 0.9 + _ROW * len([*names, *missing])) as drawn:
        axes = drawn.figure.add_subplot()
        for place, row in enumerate(table.rows):
            cell = row.cells[known[0]]
            if cell.value is None:
                axes.text(0, place, f" {MISSING}", va="center")
                continue
            axes.barh(place, cell.value, height=0.42, color=COLOURS[0], alpha=0.45, linewidth=0)
            if bounds := _error_bar(cell):
                axes.errorbar(cell.value, place, xerr=bounds, color=INK, capsize=3, linewidth=1.2, fmt="none")
        for place in range(len(names), len(names) + len(missing)):
            axes.text(0, place, f" {MISSING}", va="center")
        for number, at in enumerate(known[1:], 1):
            points = {place: x for place, row in enumerate(table.rows) if (x := row.cells[at].value) is not None}
            axes.plot(list(points.values()), list(points), label=table.columns[at], markersize=5, **_mark(number))
        axes.set_xlim(left=0)
        _name_rows(axes, [*names, *missing])
        axes.set_xlabel(f"{table.columns[known[0]]}, percent (bar, with 95% interval)")
        if len(known) > 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=8, handletextpad=0.1)
    numbers: list[str] = []
    for row in table.rows:
        cells = (f"{table.columns[at]} {row.cells[at].text} {row.cells[at].interval}".strip() for at in known)
        numbers.append(f"{row.header[-1]}: {', '.join(cells)}")
    description = f"Bars of {table.columns[known[0]]} with 95% intervals. {'; '.join(numbers)}."
    return _chart(f"{table.key}-chart", f"{table.title}: chart", description, drawn, missing=missing)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names above their rows, the first on top, so that the chart is as wide as its numbers need."""
    for place, name in enumerate(names):
        axes.text(
            0, place - 0.25, f" {name}", transform=axes.get_yaxis_transform(), ha="left", va="bottom", fontsize=8.5
        )
    axes.set_ylim(len(names) - 0.55, -0.85)
    axes.set_yticks([])
    axes.grid(axis="x")


def categories(rows: Sequence[Row], judge: str, models: Sequence[str] = ()) -> Chart | None:
    """Mean rating by category, an axis a category from 0 to 10; None for fewer than three categories."""
    ratings: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.judge == judge and row.metric == SCORE and row.subset and not row.turn and row.value is not None:
            ratings.setdefault(row.model, {})[row.subset] = row.value
    names = list(dict.fromkeys(name for scores in ratings.values() for name in scores))
    if len(names) < 3:
        return None
    from matplotlib.projections.polar import PolarAxes

    with drawing(_WIDTH, 3.4) as drawn:
        axes = drawn.figure.add_subplot(polar=True)
        assert isinstance(axes, PolarAxes)
        angles = [2 * math.pi * number / len(names) for number in range(len(names))]
        axes.set_theta_offset(math.pi / 2)
        axes.set_theta_direction(-1)
        axes.set_ylim(0, 10)
        axes.set_yticks(range(2, 11, 2))
        axes.set_xticks(angles, [name.replace("-", "\n", 1).replace("-", " ") for name in names])
        axes.tick_params(axis="x", pad=10)
        for number, (model, scores) in enumerate(ratings.items()):
            values = [scores.get(name, math.nan) for name in names]
            line = [*angles, angles[0]], [*values, values[0]]
            axes.plot(*line, label=model, linewidth=1.5, markersize=4, **style_for(number))
        _legend_below(axes, -0.16)
    numbers = [
        f"{model}: {', '.join(f'{name} {scores[name]:.2f}' for name in names if name in scores)}"
        for model, scores in ratings.items()
    ]
    title = f"Mean rating by category, both turns, judged by {judge}"
    description = f"Radar chart from 0 to 10. {'; '.join(numbers)}."
    missing = [model for model in models if model not in ratings]
    return _chart(f"categories-{judge}", title, description, drawn, missing=missing)


def write_radars(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """Write `radar-<judge>.svg` for each judge that has three categories or more."""
    written: list[Path] = []
    for judge in dict.fromkeys(row.judge for row in rows if row.judge):
        if chart := categories(rows, judge):
            path = folder / f"radar-{judge.replace('/', '-').replace('@', '-')}.svg"
            with write_atomically(path) as file:
                file.write(standalone(chart.svg))
            written.append(path)
    return written


def readability(rows: Sequence[Row], models: Sequence[str] = ()) -> Iterator[Chart]:
    """Reading ease (across) against score (up), a mark a model: of each judge, and of each data set's ROUGE-1."""
    index = {(row.model, row.task, row.judge, row.turn, row.metric): row for row in rows if not row.subset}
    models = list(dict.fromkeys([*models, *(row.model for row in rows)]))

    def points(task: str, ease: tuple[str, str], judge: str, score: str) -> dict[str, tuple[Row, Row]]:
        known: dict[str, tuple[Row, Row]] = {}
        for model in models:
            x, y = index.get((model, task, "", *ease)), index.get((model, task, judge, "", score))
            if x is not None and y is not None and x.value is not None and y.value is not None:
                known[model] = (x, y)
        return known

    for task, judge in dict.fromkeys((row.task, row.judge) for row in rows if row.judge and row.metric == SCORE):
        title = f"Reading ease of the answers against the rating of {judge}"
        judged = points(task, ("1", "s2_fre_corpus"), judge, SCORE)
        yield from _scatter(f"ease-{task}-{judge}", title, "mean rating", judged, models)
    for family in FAMILIES:
        for name, shown in datasets("qa"):
            task = f"{family.prefix}_{name}"
            title = f"Reading ease of the answers against ROUGE-1: {shown}{family.title}"
            measured = points(task, ("", "s2_fre"), "", "s2_rouge1")
            yield from _scatter(f"ease-{task}", title, "ROUGE-1, F-measure", measured, models)


def _scatter(
    key: str, title: str, up: str, points: Mapping[str, tuple[Row, Row]], models: Sequence[str]
) -> Iterator[Chart]:
    if len(points) < 2:
        return
    with drawing(_WIDTH, 3.2) as drawn:
        axes = drawn.figure.add_subplot()
        for number, (model, (x, y)) in enumerate(points.items()):
            assert x.value is not None
            assert y.value is not None
            axes.errorbar(
                x.value,
                y.value,
                xerr=_error_bar(x),
                yerr=_error_bar(y),
                label=model,
                markersize=6,
                elinewidth=0.8,
                **_mark(number),
            )
        axes.set_xlabel("Flesch reading ease (further right: simpler)")
        axes.set_ylabel(up)
        axes.grid()
        _legend_below(axes, -0.18)
    numbers = [f"{model}: reading ease {x.value:.1f}, {up} {y.value:.4g}" for model, (x, y) in points.items()]
    missing = [model for model in models if model not in points]
    yield _chart(key, title, f"A mark a model, with 95% intervals. {'; '.join(numbers)}.", drawn, missing=missing)


def _mark(number: int) -> SeriesStyle:
    return {**style_for(number), "linestyle": "none"}


def _error_bar(number: Row | Cell) -> list[list[float]] | None:
    """Its interval as distances below and above it."""
    if number.value is None or number.ci_low is None or number.ci_high is None:
        return None
    return [[max(0.0, number.value - number.ci_low)], [max(0.0, number.ci_high - number.value)]]


def _legend_below(axes: Axes, gap: float) -> None:
    """Below the axes, in columns; `gap` as a share of their height."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, gap), ncols=3, fontsize=8, frameon=False)


def forest(table: ComparisonTable) -> Chart | None:
    """The differences of a table with their intervals, a line each; all numbers in the table below it.

    Metrics of unlike units do not share an axis: drawn are those in the unit of the first.
    """
    rows = [row for row in table.rows if row.difference.estimate.value is not None and row.better]
    rows = [row for row in rows if _scale(row) == _scale(rows[0])]
    if len(rows) > _MAX_ROWS:
        rows = [row for row in rows if row.what == rows[0].what]
    if not rows:
        return None
    several = len({row.model for row in rows}) > 1
    with drawing(_WIDTH, 0.9 + _ROW * len(rows)) as drawn:
        axes = drawn.figure.add_subplot()
        axes.axvline(0, color=INK, linewidth=0.9)
        _draw_differences(axes, rows)
        metrics = [row.what.removesuffix(", %") for row in rows]
        _name_rows(
            axes, [f"{name} · {row.model}" if several else name for name, row in zip(metrics, rows, strict=True)]
        )
        unit = f", {rows[0].unit}" if rows[0].unit else ""
        axes.set_xlabel(
            f"model less {rows[0].baseline}{unit}, 95% interval\nfilled: difference shown (▲ better, ▼ worse); "
            "open: none shown"
        )
    numbers = [f"{row.what}, {row.model}: {_value(row)}, {row.verdict}" for row in rows]
    description = (
        f"Differences from {rows[0].baseline} with 95% intervals; filled marks: a difference was shown. "
        f"{'; '.join(numbers)}."
    )
    title = f"Differences from {rows[0].baseline}: {table.title}"
    return _chart(f"{table.key}-forest", title, description, drawn, difference_table(table))


def _draw_differences(axes: Axes, rows: Sequence[Comparison]) -> None:
    """Marks and intervals, those of one style together."""
    styles: dict[tuple[str, str, str], list[tuple[int, float, float, float]]] = {}
    for place, row in enumerate(rows):
        estimate = row.difference.estimate
        assert estimate.value is not None
        shown = row.adjusted is not None and row.adjusted <= LEVEL
        better = (estimate.value > 0) == (row.better == "high")
        colour = GREY if not shown else COLOURS[0] if better else COLOURS[1]
        mark = ("^" if better else "v") if shown else "o"
        low = estimate.value if estimate.ci_low is None else min(estimate.ci_low, estimate.value)
        high = estimate.value if estimate.ci_high is None else max(estimate.ci_high, estimate.value)
        styles.setdefault((mark, colour, colour if shown else "none"), []).append(
            (place, estimate.value, estimate.value - low, high - estimate.value)
        )
    for (mark, colour, face), points in styles.items():
        places, values, below, above = zip(*points, strict=True)
        axes.errorbar(
            values,
            places,
            xerr=[below, above],
            fmt=mark,
            markerfacecolor=face,
            color=colour,
            markersize=5,
            elinewidth=1.2,
            capsize=2,
        )


def _scale(row: Comparison) -> tuple[str, str]:
    """What may share an axis: points; a score between 0 and 1; else the metric alone."""
    return (row.unit, "") if row.unit or row.metric.startswith(("s2_rouge", "s2_bert")) else ("", row.metric)


def _value(row: Comparison) -> str:
    estimate = row.difference.estimate
    if estimate.value is None:
        return MISSING
    interval = ""
    if estimate.ci_low is not None and estimate.ci_high is not None:
        interval = f" [{estimate.ci_low:+z.{row.digits}f}, {estimate.ci_high:+z.{row.digits}f}]"
    return f"{estimate.value:+z.{row.digits}f}{interval}"


def _chart(
    key: str, title: str, description: str, drawn: Drawing, table: Table | None = None, missing: Sequence[str] = ()
) -> Chart:
    name = "p-" + re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")
    notes = (f"No value of {', '.join(missing)}.",) if missing else ()
    return Chart(name, title, description, drawn.svg(name, title, description), table, notes)
