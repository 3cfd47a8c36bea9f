"""Every score with its uncertainty: proportions, means, means over strata, averages of scores.

Intervals are at 95%. Standard errors are of the mean of the items as drawn from all that might have been
asked (Miller, "Adding Error Bars to Evals", arXiv 2411.00640, section 2), and equal lm-eval's own where it
has one. An item without a value (None or NaN) is never left out unsaid: it counts in `n`, not in `n_valid`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2eval.records import Estimate
from s2eval.stats.strata import strata_of
from s2eval.stats.student import student_interval

Values = Sequence[float | None] | NDArray[np.bool_ | np.integer[Any] | np.floating[Any]]
Labels = Sequence[str] | Sequence[int] | NDArray[np.str_] | NDArray[np.int_]

Z = NormalDist().inv_cdf(0.975)


def proportion(successes: int, n: int) -> Estimate:
    """The share of successes among n items, with Wilson's score interval.

    Interval: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n); Wilson, JASA 22 (1927) 209-212; Newcombe,
    Statistics in Medicine 17 (1998) 857-872, method 3. Not of zero width at 0 or n successes.
    Standard error: √(p(1-p)/(n-1)), which is lm-eval's `mean_stderr` (the sample standard deviation over √n)
    of items of 0 and 1, as Σ(x-p)² = n p(1-p); None for a single item.

    Raises:
        ValueError: where not 0 ≤ successes ≤ n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}: must be between 0 and n")
    if n == 0:
        return _unknown(n=0, n_valid=0)
    p = successes / n
    stderr = math.sqrt(p * (1 - p) / (n - 1)) if n > 1 else None
    centre = p + Z**2 / (2 * n)
    half = Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    low = 0.0 if successes == 0 else (centre - half) / (1 + Z**2 / n)
    high = 1.0 if successes == n else (centre + half) / (1 + Z**2 / n)
    return Estimate(p, stderr, low, high, n=n, n_valid=n, method="wilson")


def mean(values: Values, n: int | None = None, *, shares: bool = True) -> Estimate:
    """The mean of per-item values.

    If every value is 0 or 1 it is a `proportion`, unless `shares` is False. Else the standard error is the sample
    standard deviation over √n (lm-eval's `mean_stderr`), and the interval Student's with n - 1 degrees of freedom: what
    simulation supports (docs/statistics.md). Of few items it may leave the score's range.

    Args:
        values: shape (n,); None and NaN are items without a value.
        n: items that should have counted, where some are not even in `values`.
        shares: whether values of 0 and 1 only mean yes and no. False for scores in between that happen to be all 0,
            such as ROUGE-2 of three answers: no interval of a proportion is told for those.

    Raises:
        ValueError: for an infinite value, `n` smaller than the number of values, or not one dimension.
    """
    array = _column(values)
    n = array.size if n is None else n
    if n < array.size:
        raise ValueError(f"{array.size} values of {n} items: more values than items")
    valid = np.sort(array[~np.isnan(array)])
    if valid.size == 0:
        return _unknown(n=n, n_valid=0)
    if shares and np.isin(valid, (0.0, 1.0)).all():
        return replace(proportion(int(valid.sum()), valid.size), n=n)
    stderr = float(valid.std(ddof=1)) / math.sqrt(valid.size) if valid.size > 1 else None
    largest = float(np.abs(valid).max())
    return student_interval(float(valid.mean()), stderr, valid.size - 1, n=n, n_valid=valid.size, largest=largest)


def stratified_mean(values: Values, strata: Labels) -> Estimate:
    """The unweighted mean over strata of each stratum's mean (MMLU over its subjects), normal interval.

    Standard error: √(Σ s_k²/n_k) / K, with s_k the sample standard deviation of the n_k values of the k-th
    of K strata: the strata are fixed (these subjects are all that there are), their items are drawn.
    A stratum with one value tells no variance of its own; it is given that of all values together, which also
    contains how the strata differ: too wide rather than too narrow (the idea of collapsed strata, Cochran 1977,
    §5A.12). Where every stratum has one value this is the standard error of a plain mean.
    A stratum without any value leaves the mean over all strata unknown, and there is no value either:
    the mean over the rest is another number.

    Args:
        values: shape (n,); None and NaN are items without a value.
        strata: shape (n,), the stratum of each item.

    Raises:
        ValueError: for an infinite value, or shapes that differ.
    """
    array = _column(values)
    if len(strata) != array.size:
        raise ValueError(f"{array.size} values, but strata of {len(strata)} items")
    valid = ~np.isnan(array)
    n, n_valid = array.size, int(valid.sum())
    labels = np.asarray(strata)
    if n_valid == 0 or np.unique(labels[valid]).size < np.unique(labels).size:
        return _unknown(n=n, n_valid=n_valid)
    mean_of_means = strata_of(array[valid], labels[valid])
    return _normal(mean_of_means.value, mean_of_means.stderr, n=n, n_valid=n_valid)


def average(estimates: Iterable[Estimate]) -> Estimate:
    """The unweighted mean of independent estimates (the leaderboard's four), normal interval.

    Standard error: √(Σ se²) / k. No value if a part has none, no standard error and no interval if a part
    has no standard error. `n` and `n_valid` are sums.
    """
    parts = tuple(estimates)
    n, n_valid = sum(part.n for part in parts), sum(part.n_valid for part in parts)
    values = [part.value for part in parts if part.value is not None]
    stderrs = [part.stderr for part in parts if part.stderr is not None]
    if not parts or len(values) < len(parts):
        return _unknown(n=n, n_valid=n_valid)
    known = len(stderrs) == len(parts)
    stderr = math.hypot(*stderrs) / len(parts) if known else None
    return _normal(math.fsum(values) / len(parts), stderr, n=n, n_valid=n_valid)


def scale(estimate: Estimate, factor: float) -> Estimate:
    """The estimate in another unit: all but the counts times `factor` (100: to percent).

    Raises:
        ValueError: for a factor that is not finite.
    """
    if not math.isfinite(factor):
        raise ValueError(f"cannot scale by {factor}")

    def times(x: float | None) -> float | None:
        return None if x is None else x * factor

    low, high = times(estimate.ci_low), times(estimate.ci_high)
    if factor < 0:
        low, high = high, low
    stderr = None if estimate.stderr is None else estimate.stderr * abs(factor)
    return replace(estimate, value=times(estimate.value), stderr=stderr, ci_low=low, ci_high=high)


def _column(values: Values) -> NDArray[np.float64]:
    """The values as float64, None as NaN; raises for infinity and for any shape but (n,)."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"values must have one dimension, not {array.ndim}")
    infinite = np.flatnonzero(np.isinf(array))
    if infinite.size:
        raise ValueError(f"value {array[infinite[0]]} of item {infinite[0]}: a metric must be finite, or None")
    return array


def _normal(value: float, stderr: float | None, *, n: int, n_valid: int) -> Estimate:
    """value ± z·stderr, or the value alone where there is no standard error."""
    if stderr is None:
        return Estimate(value, None, None, None, n=n, n_valid=n_valid, method="none")
    return Estimate(value, stderr, value - Z * stderr, value + Z * stderr, n=n, n_valid=n_valid, method="normal")


def _unknown(n: int, n_valid: int) -> Estimate:
    """No value: `n_valid` of `n` items were valid, and that was not enough."""
    return Estimate(None, None, None, None, n=n, n_valid=n_valid, method="none")
