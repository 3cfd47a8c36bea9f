"""Numbers as a report shows them."""

from __future__ import annotations

from s2train.data.eda.measures import Measure
from s2train.data.eda.tallies import Histogram

NOTHING = "–"
SUMMARY = ("n", "mean", "median", "5th percentile", "95th percentile")


def shown(value: float | None, places: int) -> str:
    """With thousands' commas; nothing where there is no number."""
    if value is None:
        return NOTHING
    return f"{round(value, places) + 0.0:,.{places}f}".replace("-", "−")


def percent(part: int, whole: int) -> str:
    """To one decimal; nothing where there is no whole."""
    return f"{part / whole:.1%}" if whole else NOTHING


def summary(measure: Measure, numbers: Histogram | None) -> list[str]:
    """n, mean, median, 5th and 95th percentile."""
    if numbers is None:
        return ["0", *[NOTHING] * 4]
    means = shown(numbers.mean, max(measure.places, 1))
    return [f"{numbers.n:,}", means, *(shown(numbers.percentile(share), measure.places) for share in (0.5, 0.05, 0.95))]
