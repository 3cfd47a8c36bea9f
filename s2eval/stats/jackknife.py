"""The interval of a statistic of few items that is no mean: the readability of all answers as one text."""

from __future__ import annotations

import math

import numpy as np

from s2eval.records import Estimate, Scale
from s2eval.stats.bootstrap import Statistic, evaluate, jackknife_weights, value_of
from s2eval.stats.student import UNBOUNDED, clipped, scaled_interval

MANY = 100
"""Items from which on the bootstrap takes its place: of fewer its intervals are too narrow."""


def jackknife(statistic: Statistic, n: int, *, within: Scale = UNBOUNDED) -> Estimate:
    """The value of a statistic of `n` items with the jackknife's standard error and Student's interval.

    Standard error: √((n-1)/n Σ (θ_(i) - θ̄)²), θ_(i) the statistic without the i-th item; Efron & Tibshirani, "An
    Introduction to the Bootstrap" (1993), equation 11.5. Interval: value ± t(n - 1) √(1 + 2/n) standard errors; the
    root, chosen by simulation, is for ratios of few items, whose standard error is somewhat too small.

    Args:
        statistic: as of `bootstrap`: weights of shape (B, n) → values of shape (B,).
        within: what values are possible.

    Returns:
        `method` is `jackknife`; `none` without a finite value, also where the statistic has none without one of the
        items; `too-few` and `constant` as of `scaled_interval`.
    """
    value = value_of(statistic, n) if n else math.nan
    if not math.isfinite(value):
        return Estimate(None, None, None, None, n=n, n_valid=0, method="none")
    if n < 2:
        return Estimate(value, None, None, None, n=n, n_valid=n, method="too-few")
    left_out = evaluate(statistic, jackknife_weights(n), n)
    if not np.isfinite(left_out).all():
        return Estimate(value, None, None, None, n=n, n_valid=n, method="none")
    stderr = math.sqrt((n - 1) / n * float(((left_out - left_out.mean()) ** 2).sum()))
    largest = float(np.abs(left_out).max())
    wider = scaled_interval(value, stderr * math.sqrt(1 + 2 / n), n, n=n, n_valid=n, largest=largest)
    if wider.method != "student":
        return wider
    return clipped(Estimate(value, stderr, wider.ci_low, wider.ci_high, n, n, "jackknife"), within)
