"""Numbers that were stored before intervals kept within the range of their score, brought up to date."""

from __future__ import annotations

from dataclasses import replace

from s2eval import stats
from s2eval.metrics import scale_of
from s2eval.records import MINIMUM, Row


def up_to_date(row: Row) -> Row:
    """The row, its interval made of the standard error where the stored one cannot be printed.

    That is one of fewer than `MINIMUM` items, without a width, or beyond the range of the metric: earlier releases
    wrote those. Any other row is returned as it is.
    """
    if row.value is None or row.ci_low is None or row.ci_high is None:
        return row
    scale = scale_of(row.metric)
    inside = scale.clip(row.ci_low) == row.ci_low and scale.clip(row.ci_high) == row.ci_high
    if row.n_valid >= MINIMUM and row.ci_low < row.ci_high and inside:
        return row
    found = stats.from_summary(row.value, row.stderr, row.n_valid, scale)
    return replace(row, ci_low=found.ci_low, ci_high=found.ci_high)
