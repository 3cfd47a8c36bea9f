"""Numbers as a report shows them."""

from __future__ import annotations

from s2train.data.eda.measures import Measure
from s2train.data.eda.tallies import Histogram

NOTHING = "–"
SUMMARY = ("n", "mean", "median", "5th percentile", "95th percentile")


def shown(value: float | None, places: int) -> str:
    """With thousands' commas; `NOTHING` for None."""
    return NOTHING if value is None else f"{round(value, places) + 0.0:,.{places}f}".replace("-", "−")


def percent(part: int, total: int) -> str:
    """To one decimal; `NOTHING` of a total of 0."""
    return f"{part / total:.1%}" if total else NOTHING


def summary(measure: Measure, numbers: Histogram | None) -> list[str]:
    """The cells of `SUMMARY`."""
    if numbers is None:
        return ["0", *[NOTHING] * 4]
    mean = shown(numbers.mean, max(measure.places, 1))
    return [f"{numbers.n:,}", mean, *(shown(numbers.percentile(share), measure.places) for share in (0.5, 0.05, 0.95))]
