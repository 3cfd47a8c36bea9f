"""Where the comparison of a metric stands: in which table, under which name, at which position."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from s2eval.judge.scores.estimates import SCORE, WIN_RATE
from s2eval.metrics.choices import POINTS
from s2eval.metrics.table import metric_of
from s2eval.report.tables.definitions import FAMILIES, Definition, definitions
from s2eval.report.tables.judged import TITLES
from s2eval.tasks.leaderboard.scores import COUNTED

_TURNS = {"1": (0, "first turn"), "2": (1, "second turn"), "": (2, "both turns")}
_JUDGED, _OTHER = 1000, 2000  # after the paper's tables


@dataclass(frozen=True, slots=True, order=True)
class TableLocation:
    """A table: `order` sorts them; tests of one table are corrected together."""

    order: int
    key: str
    title: str


@dataclass(frozen=True, slots=True)
class RowName:
    """A row of it, with its decimals and which end is better (`high`, `low`, or "" for neither)."""

    order: int
    title: str
    digits: int = 4
    better: str = ""


def location_of(task: str, metric: str, judge: str = "", turn: str = "") -> tuple[TableLocation, RowName]:
    """The table and the row; what no table of the paper has stands in a table of its own for each task."""
    if judge:
        table = TableLocation(_JUDGED, f"{task}_{judge}", f"{TITLES.get(task, task)}, judged by {judge}")
        if metric == WIN_RATE:
            return table, RowName(3, "win rate", 2, "high")
        order, name = _TURNS[turn]
        return table, RowName(order, name if metric == SCORE else f"{name}, {metric}", 2, "high")
    other = TableLocation(_OTHER, f"{task}_other", f"Other metrics of {task}"), RowName(0, f"{task}, {metric}")
    return _columns(definitions()).get((task, metric), other)


def is_another_form(task: str, metric: str) -> bool:
    """Whether a metric is one of the paper's in another unit or without rounding: the same test, not a second one."""
    if metric.endswith("_unrounded"):
        return (task, metric.removesuffix("_unrounded")) in _columns(definitions())
    short = task.partition("_")[2]
    return (task, POINTS) in _columns(definitions()) and COUNTED.get(short) == metric


@cache
def _columns(tables: tuple[Definition, ...]) -> dict[tuple[str, str], tuple[TableLocation, RowName]]:
    """(task, metric) → its location, for every column of the tables."""
    locations: dict[tuple[str, str], tuple[TableLocation, RowName]] = {}
    for number, (family, definition) in enumerate((f, d) for f in FAMILIES for d in tables):
        data = family.title.removeprefix(", ")
        title = f"{definition.title} ({data})" if data else definition.title
        table = TableLocation(number, f"{family.prefix}_{definition.name}", title)
        for block, (task, dataset) in enumerate(definition.datasets):
            for position, column in enumerate(definition.columns):
                name = ", ".join(part for part in (dataset, column.title) if part)
                better = column.best or (metric.best if (metric := metric_of(column.metric)) else None) or ""
                row = RowName(100 * block + position, name, column.digits, better)
                locations[f"{family.prefix}_{column.task or task}", column.metric] = (table, row)
    return locations
