"""The report's charts: leaderboard, categories of a judge, readability against score, paired differences.

They are as wide as a phone shows legibly: names stand above their bars, legends below the axes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from s2eval.judge.scores.estimates import SCORE
from s2eval.records import Row
from s2eval.report.charts.canvas import COLOURS, GREY, INK, Drawing, drawing, style_for
from s2eval.report.compare import LEVEL, Compared, Comparison, ComparisonTable
from s2eval.report.document import MISSING, Chart, Table, TableRow
from s2eval.report.tables.definitions import FAMILIES, datasets
from s2eval.report.tables.differences import difference_table

_WIDTH = 4.4  # inches
_ROW = 0.36  # inches of a bar with the name above it
_MAX_ROWS = 60  # of a forest; with more, only its first metric is drawn

_Point = tuple[Row, Row]


def draw_all(
    tables: Sequence[Table], rows: Sequence[Row], compared: Compared, models: Sequence[str] = ()
) -> list[Chart]:
    """Every chart of which there are the numbers, in the order of the tables.

    Args:
        tables: of the document.
        rows: of `scores.csv`.
        compared: every model against the baseline.
        models: of the report; a chart names those that it has no value of.
    """
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
            if cell.ci_low is not None and cell.ci_high is not None:
                bounds = [[max(0.0, cell.value - cell.ci_low)], [max(0.0, cell.ci_high - cell.value)]]
                axes.errorbar(cell.value, place, xerr=bounds, color=INK, capsize=3, linewidth=1.2, fmt="none")
        for place in range(len(names), len(names) + len(missing)):
            axes.text(0, place, f" {MISSING}", va="center")
        for number, at in enumerate(known[1:], 1):
            points = [(row.cells[at].value, place) for place, row in enumerate(table.rows)]
            xs, ys = zip(*((x, y) for x, y in points if x is not None), strict=True)
            style = style_for(number) | {"linestyle": "none"}
            axes.plot(xs, ys, label=table.columns[at], markersize=5, **style)
        axes.set_xlim(left=0)
        _name_rows(axes, [*names, *missing])
        axes.set_xlabel(f"{table.columns[known[0]]}, percent (bar, with 95% interval)")
        if len(known) > 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=8, handletextpad=0.1)
    numbers = [_numbers(row, table.columns, known) for row in table.rows]
    description = f"Bars of {table.columns[known[0]]} with 95% intervals. {'; '.join(numbers)}."
    return _chart(f"{table.key}-chart", f"{table.title}: chart", description, drawn, missing=missing)


def _numbers(row: TableRow, columns: Sequence[str], known: Sequence[int]) -> str:
    cells = (f"{columns[at]} {row.cells[at].text} {row.cells[at].interval}".strip() for at in known)
    return f"{row.header[-1]}: {', '.join(cells)}"


def _name_rows(axes: Any, names: Sequence[str]) -> None:
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
    ratings = ratings_by_category(rows, judge)
    names = list(dict.fromkeys(name for scores in ratings.values() for name in scores))
    if len(names) < 3:
        return None
    with drawing(_WIDTH, 3.4) as drawn:
        draw_radar(drawn.figure, ratings, names)
    numbers = [
        f"{model}: {', '.join(f'{name} {scores[name]:.2f}' for name in names if name in scores)}"
        for model, scores in ratings.items()
    ]
    title = f"Mean rating by category, both turns, judged by {judge}"
    description = f"Radar chart from 0 to 10. {'; '.join(numbers)}."
    missing = [model for model in models if model not in ratings]
    return _chart(f"categories-{judge}", title, description, drawn, missing=missing)


def ratings_by_category(rows: Sequence[Row], judge: str) -> dict[str, dict[str, float]]:
    """Model → category → mean rating."""
    ratings: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.judge == judge and row.metric == SCORE and row.subset and not row.turn and row.value is not None:
            ratings.setdefault(row.model, {})[row.subset] = row.value
    return ratings


def draw_radar(figure: Any, ratings: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> None:
    """A line a model over an axis a category."""
    angles = [2 * math.pi * number / len(names) for number in range(len(names))]
    axes = figure.add_subplot(polar=True)
    axes.set_theta_offset(math.pi / 2)
    axes.set_theta_direction(-1)
    axes.set_ylim(0, 10)
    axes.set_yticks(range(2, 11, 2))
    axes.set_xticks(angles, [name.replace("-", "\n", 1).replace("-", " ") for name in names])
    axes.tick_params(axis="x", pad=10)
    for number, (model, scores) in enumerate(ratings.items()):
        values = [scores.get(name, math.nan) for name in names]
        style = style_for(number) | {"linewidth": 1.5, "markersize": 4}
        axes.plot([*angles, angles[0]], [*values, values[0]], label=model, **style)
    _legend_below(axes, -0.16)


def readability(rows: Sequence[Row], models: Sequence[str] = ()) -> Iterator[Chart]:
    """Reading ease (across) against score (up), a mark a model: of each judge, and of each data set's ROUGE-1."""
    index = {(row.model, row.task, row.judge, row.turn, row.metric): row for row in rows if not row.subset}
    models = list(dict.fromkeys([*models, *(row.model for row in rows)]))

    def points(task: str, ease: tuple[str, str], judge: str, score: str) -> dict[str, _Point]:
        known: dict[str, _Point] = {}
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


def _scatter(key: str, title: str, up: str, points: Mapping[str, _Point], models: Sequence[str]) -> Iterator[Chart]:
    if len(points) < 2:
        return
    with drawing(_WIDTH, 3.2) as drawn:
        axes = drawn.figure.add_subplot()
        for number, (model, (x, y)) in enumerate(points.items()):
            style = style_for(number) | {"linestyle": "none"}
            bars = {"xerr": _bounds(x), "yerr": _bounds(y)}
            bars = {name: bound for name, bound in bars.items() if bound}
            axes.errorbar(x.value, y.value, label=model, markersize=6, elinewidth=0.8, **bars, **style)
        axes.set_xlabel("Flesch reading ease (further right: simpler)")
        axes.set_ylabel(up)
        axes.grid()
        _legend_below(axes, -0.18)
    numbers = [f"{model}: reading ease {x.value:.1f}, {up} {y.value:.4g}" for model, (x, y) in points.items()]
    missing = [model for model in models if model not in points]
    yield _chart(key, title, f"A mark a model, with 95% intervals. {'; '.join(numbers)}.", drawn, missing=missing)


def _bounds(row: Row) -> list[list[float]] | None:
    if row.value is None or row.ci_low is None or row.ci_high is None:
        return None
    return [[max(0.0, row.value - row.ci_low)], [max(0.0, row.ci_high - row.value)]]


def _legend_below(axes: Any, gap: float) -> None:
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
        _name_rows(axes, [f"{_metric(row)} · {row.model}" if several else _metric(row) for row in rows])
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


def _draw_differences(axes: Any, rows: Sequence[Comparison]) -> None:
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
        style = {"fmt": mark, "markerfacecolor": face, "color": colour, "markersize": 5}
        axes.errorbar(values, places, xerr=[below, above], elinewidth=1.2, capsize=2, **style)


def _scale(row: Comparison) -> tuple[str, str]:
    """What may share an axis: points; a score between 0 and 1; else the metric alone."""
    return (row.unit, "") if row.unit or row.metric.startswith(("s2_rouge", "s2_bert")) else ("", row.metric)


def _metric(row: Comparison) -> str:
    return row.what.removesuffix(", %")


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
