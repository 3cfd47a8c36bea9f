"""The report's charts: leaderboard, categories of a judge, readability against score, paired differences."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from s2eval.judge.scores import SCORE
from s2eval.records import Row
from s2eval.report.charts.canvas import COLOURS, GREY, INK, drawing, style_for
from s2eval.report.comparisons import LEVEL, Compared, Comparison, ComparisonTable
from s2eval.report.document import MISSING, Chart, Table
from s2eval.report.tables.definitions import FAMILIES, datasets
from s2eval.report.tables.differences import difference_table

_WIDTH = 6.4  # inches
_LINE = 0.24  # inches a line of text
_MOST = 60  # rows of a forest; with more, only its first metric is drawn


def draw_all(tables: Sequence[Table], rows: Sequence[Row], compared: Compared) -> list[Chart]:
    """Every chart of which there are the numbers, in the order of the tables.

    Args:
        tables: of the document.
        rows: of `scores.csv`.
        compared: every model against the baseline.
    """
    charts = [leaderboard(table) for table in tables if table.key.endswith("_leaderboard")]
    for judge in dict.fromkeys(row.judge for row in rows if row.judge):
        charts.append(categories(rows, judge))
    charts += readability(rows)
    charts += [forest(table) for table in compared.tables]
    return [chart for chart in charts if chart is not None]


def leaderboard(table: Table) -> Chart | None:
    """A bar a model with its interval, of the first column that has numbers; the other columns as marks."""
    known = [at for at in range(len(table.columns)) if any(row.cells[at].value is not None for row in table.rows)]
    if not known:
        return None
    names = [row.header[-1] for row in table.rows]
    with drawing(_WIDTH, 0.9 + _LINE * 1.4 * len(names)) as one:
        axes = one.figure.add_subplot()
        for place, row in enumerate(table.rows):
            cell = row.cells[known[0]]
            if cell.value is None:
                axes.text(0, place, f" {MISSING}", va="center")
                continue
            axes.barh(place, cell.value, height=0.6, color=COLOURS[0], alpha=0.45, linewidth=0)
            if cell.ci_low is not None and cell.ci_high is not None:
                bounds = [[max(0.0, cell.value - cell.ci_low)], [max(0.0, cell.ci_high - cell.value)]]
                axes.errorbar(cell.value, place, xerr=bounds, color=INK, capsize=3, linewidth=1.2, fmt="none")
        for number, at in enumerate(known[1:], 1):
            points = [(row.cells[at].value, place) for place, row in enumerate(table.rows)]
            xs, ys = zip(*((x, y) for x, y in points if x is not None), strict=True)
            style = style_for(number) | {"linestyle": "none"}
            axes.plot(xs, ys, label=table.columns[at], markersize=5, **style)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel(f"{table.columns[known[0]]}, percent (bar, with 95% interval)")
        axes.grid(axis="x")
        if len(known) > 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=8)
    told = [
        f"{row.header[-1]}: "
        + ", ".join(f"{table.columns[at]} {row.cells[at].text} {row.cells[at].interval}".strip() for at in known)
        for row in table.rows
    ]
    description = f"Bars of {table.columns[known[0]]} with 95% intervals. {'; '.join(told)}."
    return _chart(f"{table.key}-chart", f"{table.title}: chart", description, one)


def categories(rows: Sequence[Row], judge: str) -> Chart | None:
    """Mean rating by category, an axis a category from 0 to 10; None for fewer than three categories."""
    found = ratings_by_category(rows, judge)
    names = list(dict.fromkeys(name for scores in found.values() for name in scores))
    if len(names) < 3:
        return None
    with drawing(_WIDTH, 3.6) as one:
        draw_radar(one.figure, found, names)
    told = [
        f"{model}: {', '.join(f'{name} {scores[name]:.2f}' for name in names if name in scores)}"
        for model, scores in found.items()
    ]
    title = f"Mean rating by category, both turns, judged by {judge}"
    return _chart(f"categories-{judge}", title, f"Radar chart from 0 to 10. {'; '.join(told)}.", one)


def ratings_by_category(rows: Sequence[Row], judge: str) -> dict[str, dict[str, float]]:
    """Model → category → mean rating."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.judge == judge and row.metric == SCORE and row.subset and not row.turn and row.value is not None:
            found.setdefault(row.model, {})[row.subset] = row.value
    return found


def draw_radar(figure: Any, found: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> None:
    """A line a model over an axis a category."""
    angles = [2 * math.pi * number / len(names) for number in range(len(names))]
    axes = figure.add_subplot(polar=True)
    axes.set_theta_offset(math.pi / 2)
    axes.set_theta_direction(-1)
    axes.set_ylim(0, 10)
    axes.set_yticks(range(2, 11, 2))
    axes.set_xticks(angles, [name.replace("-", " ") for name in names])
    axes.tick_params(axis="x", pad=12)
    for number, (model, scores) in enumerate(found.items()):
        values = [scores.get(name, math.nan) for name in names]
        axes.plot(
            [*angles, angles[0]], [*values, values[0]], label=model, linewidth=1.5, markersize=4, **style_for(number)
        )
    axes.legend(loc="center left", bbox_to_anchor=(1.25, 0.5), fontsize=8, frameon=False)


def readability(rows: Sequence[Row]) -> Iterator[Chart]:
    """Reading ease (across) against score (up), a mark a model: of each judge, and of each data set's ROUGE-1."""
    index = {(row.model, row.task, row.judge, row.turn, row.metric): row for row in rows if not row.subset}
    models = list(dict.fromkeys(row.model for row in rows))
    for task, judge in dict.fromkeys((row.task, row.judge) for row in rows if row.judge and row.metric == SCORE):
        points = {
            model: (
                index.get((model, task, "", "1", "s2_fre_corpus")),
                index.get((model, task, judge, "", SCORE)),
            )
            for model in models
        }
        title = f"Reading ease of the answers against the rating of {judge}"
        yield from _scatter(f"ease-{task}-{judge}", title, "mean rating", points)
    for family in FAMILIES:
        for name, shown in datasets("qa"):
            task = f"{family.prefix}_{name}"
            points = {
                model: (index.get((model, task, "", "", "s2_fre")), index.get((model, task, "", "", "s2_rouge1")))
                for model in models
            }
            title = f"Reading ease of the answers against ROUGE-1: {shown}{family.title}"
            yield from _scatter(f"ease-{task}", title, "ROUGE-1, F-measure", points)


def _scatter(key: str, title: str, up: str, points: Mapping[str, tuple[Row | None, Row | None]]) -> Iterator[Chart]:
    known = {
        model: (x, y)
        for model, (x, y) in points.items()
        if x is not None and y is not None and x.value is not None and y.value is not None
    }
    if len(known) < 2:
        return
    with drawing(_WIDTH, 3.6) as one:
        axes = one.figure.add_subplot()
        for number, (model, (x, y)) in enumerate(known.items()):
            style = style_for(number) | {"linestyle": "none"}
            bars = {"xerr": _bounds(x), "yerr": _bounds(y)}
            bars = {name: bound for name, bound in bars.items() if bound}
            axes.errorbar(x.value, y.value, label=model, markersize=6, elinewidth=0.8, **bars, **style)
        axes.set_xlabel("Flesch reading ease (further right: simpler)")
        axes.set_ylabel(up)
        axes.grid()
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8, frameon=False)
    told = [f"{model}: reading ease {x.value:.1f}, {up} {y.value:.4g}" for model, (x, y) in known.items()]
    yield _chart(key, title, f"A mark a model, with 95% intervals. {'; '.join(told)}.", one)


def _bounds(row: Row) -> list[list[float]] | None:
    if row.value is None or row.ci_low is None or row.ci_high is None:
        return None
    return [[max(0.0, row.value - row.ci_low)], [max(0.0, row.ci_high - row.value)]]


def forest(table: ComparisonTable) -> Chart | None:
    """The differences of a table with their intervals, a line each; all numbers in the table below it.

    Metrics of unlike units do not share an axis: drawn are those in the unit of the first.
    """
    rows = [row for row in table.rows if row.difference.estimate.value is not None and row.better]
    rows = [row for row in rows if _scale(row) == _scale(rows[0])]
    if len(rows) > _MOST:
        rows = [row for row in rows if row.what == rows[0].what]
    if not rows:
        return None
    several = len({row.model for row in rows}) > 1
    with drawing(_WIDTH, 0.9 + _LINE * len(rows)) as one:
        axes = one.figure.add_subplot()
        axes.axvline(0, color=INK, linewidth=0.9)
        _differences(axes, rows)
        labels = [f"{_metric(row)} · {row.model}" if several else _metric(row) for row in rows]
        axes.set_yticks(range(len(rows)), labels, fontsize=8)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="x")
        unit = f", {rows[0].unit}" if rows[0].unit else ""
        axes.set_xlabel(
            f"model less {rows[0].baseline}{unit}, 95% interval\nfilled: difference shown (▲ better, ▼ worse); "
            "open: none shown"
        )
    told = [f"{row.what}, {row.model}: {_value(row)}, {row.verdict}" for row in rows]
    description = (
        f"Differences from {rows[0].baseline} with 95% intervals; filled marks: a difference was shown. "
        f"{'; '.join(told)}."
    )
    title = f"Differences from {rows[0].baseline}: {table.title}"
    return _chart(f"{table.key}-forest", title, description, one, difference_table(table))


def _differences(axes: Any, rows: Sequence[Comparison]) -> None:
    """Marks and intervals, those of one look together."""
    looks: dict[tuple[str, str, str], list[tuple[int, float, float, float]]] = {}
    for place, row in enumerate(rows):
        one = row.difference.estimate
        assert one.value is not None
        shown = row.adjusted is not None and row.adjusted <= LEVEL
        better = (one.value > 0) == (row.better == "high")
        colour = GREY if not shown else COLOURS[0] if better else COLOURS[1]
        mark = ("^" if better else "v") if shown else "o"
        low = one.value if one.ci_low is None else min(one.ci_low, one.value)
        high = one.value if one.ci_high is None else max(one.ci_high, one.value)
        looks.setdefault((mark, colour, colour if shown else "none"), []).append(
            (place, one.value, one.value - low, high - one.value)
        )
    for (mark, colour, face), points in looks.items():
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


def _metric(row: Comparison) -> str:
    return row.what.removesuffix(", %")


def _value(row: Comparison) -> str:
    one = row.difference.estimate
    if one.value is None:
        return MISSING
    interval = ""
    if one.ci_low is not None and one.ci_high is not None:
        interval = f" [{one.ci_low:+z.{row.digits}f}, {one.ci_high:+z.{row.digits}f}]"
    return f"{one.value:+z.{row.digits}f}{interval}"


def _chart(key: str, title: str, description: str, drawn: Any, table: Table | None = None) -> Chart:
    name = "p-" + re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")
    return Chart(name, title, description, drawn.svg(name, title, description), table)
