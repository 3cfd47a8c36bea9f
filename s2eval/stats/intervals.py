"""Scores with their uncertainty: proportions, means, means over strata, averages of scores.

Intervals are at 95%. Standard errors are of the mean of items drawn from a population (Miller, "Adding Error Bars to
Evals", arXiv 2411.00640, section 2), and equal lm-eval's own. An item without a value (None or NaN) counts in `n`, not
in `n_valid`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from s2eval.records import MINIMUM, Estimate, Scale
from s2eval.stats.arrays import Labels, Values, column, without_interval
from s2eval.stats.bounded import Z, share_bounds
from s2eval.stats.strata import strata_of
from s2eval.stats.student import UNKNOWN, clipped, scaled_interval, scope_of


def proportion(successes: int, n: int) -> Estimate:
    """The share of successes among n items, with the interval of `share_bounds`.

    Standard error: √(p(1-p)/(n-1)), the sample standard deviation of items of 0 and 1 over √n; None of a single item.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}: must be between 0 and n")
    if n == 0:
        return without_interval(0, 0)
    p = successes / n
    stderr = math.sqrt(p * (1 - p) / (n - 1)) if n > 1 else None
    if n < MINIMUM:
        return without_interval(n, n, "too-few", p, stderr)
    low, high = _share_interval(successes, n)
    return Estimate(p, stderr, low, high, n=n, n_valid=n, method="wilson")


@lru_cache(maxsize=4096)
def _share_interval(successes: int, n: int) -> tuple[float, float]:
    low, high = share_bounds(successes / n, n)
    return float(low), float(high)


def mean(values: Values, n: int | None = None, *, shares: bool | None = None, within: Scale = UNKNOWN) -> Estimate:
    """The mean of per-item values: a `proportion` where all are no or yes, else with s/√n and `scaled_interval`.

    Args:
        values: shape (n,); None and NaN are items without a value.
        n: items that should have counted, where some are not even in `values`.
        shares: whether values that are all at the two ends of the scale mean yes and no. False for scores in between
            that happen to be all 0, such as ROUGE-2 of three answers. By default as the scale says.
        within: what values are possible.
    """
    array = column(values)
    n = array.size if n is None else n
    if n < array.size:
        raise ValueError(f"{array.size} values of {n} items: more values than items")
    valid = np.sort(array[~np.isnan(array)])
    if valid.size == 0:
        return without_interval(n, 0)
    low, high = ends(within)
    within = within if shares is None else replace(within, graded=not shares)
    if not within.graded and np.isin(valid, (low, high)).all():
        share = scale(proportion(int((valid == high).sum()), valid.size), high - low)
        shifted = [None if x is None else x + low for x in (share.value, share.ci_low, share.ci_high)]
        return replace(share, value=shifted[0], ci_low=shifted[1], ci_high=shifted[2], n=n)
    stderr = float(valid.std(ddof=1)) / math.sqrt(valid.size) if valid.size > 1 else None
    largest = float(np.abs(valid).max())
    scope = scope_of(valid, within)
    return scaled_interval(float(valid.mean()), stderr, valid.size, scope, n=n, n_valid=valid.size, largest=largest)


def stratified_mean(values: Values, strata: Labels, *, within: Scale = UNKNOWN) -> Estimate:
    """The unweighted mean over strata of each stratum's mean (MMLU over its subjects); see `Strata`.

    The strata are fixed, their items drawn. A stratum without any value leaves the mean without a value.

    Args:
        values: shape (n,); None and NaN are items without a value.
        strata: shape (n,), the stratum of each item.
        within: what values are possible; values of 0 and 1 alone are taken to be bounded by these.
    """
    array = column(values)
    if len(strata) != array.size:
        raise ValueError(f"{array.size} values, but strata of {len(strata)} items")
    valid = ~np.isnan(array)
    n, n_valid = array.size, int(valid.sum())
    labels = np.asarray(strata)
    if n_valid == 0 or np.unique(labels[valid]).size < np.unique(labels).size:
        return without_interval(n, n_valid)
    low, high = ends(within)
    if not within.graded and np.isin(array[valid], (low, high)).all():
        within = Scale(low, high)
    return strata_of(array[valid], labels[valid]).estimate(scope_of(array[valid], within), n=n, n_valid=n_valid)


def average(estimates: Iterable[Estimate]) -> Estimate:
    """The unweighted mean of independent estimates (the leaderboard's four), with an interval made of theirs.

    Interval: the value less √(Σ (value_i - low_i)²) / k, and likewise above (variance estimates recovery, Zou & Donner,
    Statistics in Medicine 27 (2008) 1693-1702). Standard error: √(Σ se²) / k. Value, standard error or interval are
    None where a part has none. `n` and `n_valid` are sums.
    """
    parts = tuple(estimates)
    n, n_valid = sum(part.n for part in parts), sum(part.n_valid for part in parts)
    values = [part.value for part in parts if part.value is not None]
    if not parts or len(values) < len(parts):
        return without_interval(n, n_valid)
    value, k = math.fsum(values) / len(parts), len(parts)
    stderrs = [part.stderr for part in parts if part.stderr is not None]
    stderr = math.hypot(*stderrs) / k if len(stderrs) == k else None
    below = [value - part.ci_low for value, part in zip(values, parts, strict=True) if part.ci_low is not None]
    above = [part.ci_high - value for value, part in zip(values, parts, strict=True) if part.ci_high is not None]
    if stderr is None or len(below) < k or len(above) < k:
        return without_interval(n, n_valid, "none" if stderr is None else "too-few", value, stderr)
    low, high = value - math.hypot(*below) / k, value + math.hypot(*above) / k
    return Estimate(value, stderr, low, high, n=n, n_valid=n_valid, method="recovered")


def from_summary(value: float, stderr: float | None, n: int, within: Scale = UNKNOWN) -> Estimate:
    """A number of which only the standard error is known, not the items, as lm-eval prints it.

    On a bounded scale the interval is `scaled_interval`'s; a standard error of 0 is that of a share of nothing but
    successes or failures. Else value ± 1.96 standard errors.

    Args:
        stderr: None or NaN if unknown; then there is no interval.
        n: items; 0 if unknown, and then as many as the standard error shows, if it is not 0.
    """
    if stderr is None or not math.isfinite(stderr):
        return without_interval(n, n, "none", value)
    if within != UNKNOWN:
        within = scope_of(np.array([value]), within)
    inside = within.clip(value) == value
    if stderr > 0 and (n == 0 or n >= MINIMUM) and (within.span is None or not inside):
        low, high = value - Z * stderr, value + Z * stderr
        return clipped(Estimate(value, stderr, low, high, n=n, n_valid=n, method="normal"), within)
    items = float(n)
    if n == 0 and stderr > 0 and within.low is not None and within.high is not None:
        items = 1 + (value - within.low) * (within.high - value) / stderr**2  # were all values at the ends
    return scaled_interval(value, stderr, items, within, n=n, n_valid=n)


def ends(within: Scale) -> tuple[float, float]:
    """No and yes: the ends of the scale, or 0 and 1 where it has none."""
    return (within.low, within.high) if within.low is not None and within.high is not None else (0.0, 1.0)


def scale(estimate: Estimate, factor: float) -> Estimate:
    """The estimate in another unit: all but the counts times `factor` (100: to percent)."""
    if not math.isfinite(factor):
        raise ValueError(f"cannot scale by {factor}")

    def times(x: float | None) -> float | None:
        return None if x is None else x * factor

    low, high = times(estimate.ci_low), times(estimate.ci_high)
    if factor < 0:
        low, high = high, low
    stderr = None if estimate.stderr is None else estimate.stderr * abs(factor)
    return replace(estimate, value=times(estimate.value), stderr=stderr, ci_low=low, ci_high=high)
