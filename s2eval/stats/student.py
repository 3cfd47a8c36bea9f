"""An estimate with its standard error → its interval, on the scale of its metric."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from s2eval.records import MINIMUM, Estimate, Scale
from s2eval.stats.arrays import ROUNDING, Floats, without_interval
from s2eval.stats.bounded import Weight, mean_bounds, mean_weight
from s2eval.stats.distributions import student_cdf, student_quantile

UNBOUNDED = Scale(graded=True)
UNKNOWN = Scale()
"""Of an unknown metric: 0 and 1 alone are no and yes, other values have no bounds."""


def scaled_interval(
    value: float,
    stderr: float | None,
    items: float,
    within: Scale = UNBOUNDED,
    *,
    n: int,
    n_valid: int,
    freedom: float | None = None,
    variance: float | None = None,
    weight: Weight = mean_weight,
    largest: float = 0.0,
) -> Estimate:
    """The interval of a mean, or of a weighted mean, of scores on a scale.

    With both bounds known it is `mean_bounds`' (method `bounded`), which has a width even where all scores are equal.
    Else it is value ± t(0.975) standard errors, cut at a bound (`student`). The mean of what is at least 0 and has no
    upper bound, such as words, has few long values that a small sample misses: its upper bound is value · (1 + e + e²),
    e the t standard errors over the value (`relative`).

    Args:
        stderr: None where it cannot be computed, of a single item.
        items: independent items (documents, clusters), or as many as a stratified mean is worth; of fewer than
            `MINIMUM` no interval is computed, method `too-few`.
        within: the scale. A value outside of it, such as a percentage where a share was expected, has no known bounds.
        freedom: degrees of freedom of the standard error; by default items - 1.
        variance: used by the bounded interval instead of the squared standard error.
        weight: the part of an item that `mean_bounds` adds, by the number of items.
        largest: absolute value of the largest item, beside which a standard error may be mere rounding.
    """
    if stderr is not None and stderr <= ROUNDING * max(abs(value), largest):
        stderr = 0.0
    if stderr is None or items < MINIMUM - ROUNDING:
        return without_interval(n, n_valid, "too-few", value, stderr)
    inside = within.clip(value) == value
    if within.low is not None and within.span is not None and inside:
        spread = stderr**2 if variance is None else variance
        bounds = mean_bounds((value - within.low) / within.span, spread / within.span**2, items, weight(items))
        low, high = (within.clip(within.low + within.span * float(bound)) for bound in bounds)
        return Estimate(value, stderr, min(low, value), max(high, value), n=n, n_valid=n_valid, method="bounded")
    if stderr == 0:
        return without_interval(n, n_valid, "constant", value, 0.0)
    reach = float(student_quantile(0.975, items - 1 if freedom is None else freedom)) * stderr
    low, high = value - reach, value + reach
    method = "student"
    if within.low == 0 and within.high is None and value > 0:
        share = reach / value
        high, method = value * (1 + share + share**2), "relative"
    if inside:
        low, high = within.clip(low), within.clip(high)
    return Estimate(value, stderr, low, high, n=n, n_valid=n_valid, method=method)


def scope_of(values: Floats, within: Scale) -> Scale:
    """The scale that some values are on.

    Values beyond a scale from 0 to 1 that are all in 0 to 100 are percentages; other values beyond a scale have no
    known bounds. On no known scale, 0, ½ and 1 alone are lost, tied and won, or wrong, partly right and right.
    """
    if within == UNKNOWN and np.isin(values, (0.0, 0.5, 1.0)).all() and (values != 0.5).any():
        return Scale(0.0, 1.0, graded=True)
    percent = [within.times(100.0)] if (within.low, within.high) == (0.0, 1.0) else []
    low, high = float(values.min()), float(values.max())
    for candidate in (within, *percent):
        if candidate.clip(low) == low and candidate.clip(high) == high:
            return candidate
    return Scale(graded=within.graded)


def clipped(estimate: Estimate, within: Scale) -> Estimate:
    """The estimate with an interval that ends where the scale does, if the value is on it."""
    if estimate.value is None or within.clip(estimate.value) != estimate.value:
        return estimate
    low, high = (None if bound is None else within.clip(bound) for bound in (estimate.ci_low, estimate.ci_high))
    return replace(estimate, ci_low=low, ci_high=high)


def student_p(value: float, stderr: float, freedom: float) -> float:
    """Two-sided p of a true value of 0; of a standard error of 0 it is 1 where the value is 0, else 0."""
    if stderr == 0:
        return 1.0 if value == 0 else 0.0
    return min(1.0, 2 * float(student_cdf(-abs(value) / stderr, freedom)))
