"""The methods of `s2eval.stats` over thousands of experiments at once, with the very resamples that it draws.

A bootstrap mean is a matrix product of the data with how often each item was drawn, and those counts depend on the
number of items only; so are the sums under random signs. tests/stats/test_batched.py holds the results against the
functions that users call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2eval.stats.arrays import ROUNDING
from s2eval.stats.bootstrap import RESAMPLES, SEED, bca_interval, resample_weights
from s2eval.stats.bounded import Z
from s2eval.stats.distributions import student_cdf, student_quantile
from s2eval.stats.permutation import random_signs

Floats = NDArray[np.float64]
Bounds = tuple[Floats, Floats]

BLOCK = 250  # experiments at a time: 20 MB of resampled values


@lru_cache(maxsize=1)
def weights(n: int) -> Floats:
    """Shape (n, RESAMPLES), how often each item is drawn."""
    return np.concatenate(list(resample_weights(n, RESAMPLES, SEED))).T.copy()


@lru_cache(maxsize=1)
def signs(n: int) -> Floats:
    """Shape (n, RESAMPLES), of -1 and 1."""
    return np.concatenate(list(random_signs(n, RESAMPLES, SEED))).T.copy()


def bootstrap_bounds(values: Floats, drawn: Callable[[slice], Floats], left_out: Floats) -> dict[str, Bounds]:
    """BCa and percentile intervals of each experiment.

    Args:
        values: shape (E,), the statistic of each experiment.
        drawn: experiments → their resampled statistics, shape (e, RESAMPLES).
        left_out: shape (E, n), what `bca_interval` takes.
    """
    found = {name: (np.empty(values.size), np.empty(values.size)) for name in ("BCa", "percentile")}
    for block in blocks(values.size):
        resampled = drawn(block)
        low, high = np.quantile(resampled, (0.025, 0.975), axis=1)
        found["percentile"][0][block], found["percentile"][1][block] = low, high
        for row, number in enumerate(range(block.start, block.stop)):
            interval = bca_interval(values[number], resampled[row], left_out[number])
            found["BCa"][0][number], found["BCa"][1][number] = interval.low, interval.high
    return found


def mean_bounds(data: Floats) -> dict[str, Bounds]:
    """Intervals of the mean of each row of shape (E, n): those of `stats.bootstrap`, and t as of `stats.mean`."""
    ordered, n = np.sort(data, axis=1), data.shape[1]
    means = ordered.mean(axis=1)
    found = bootstrap_bounds(
        means,
        lambda block: ordered[block] @ weights(n) / n,
        (ordered.sum(axis=1, keepdims=True) - ordered) / (n - 1),
    )
    stderr = ordered.std(axis=1, ddof=1) / np.sqrt(n)
    return {**found, **around(means, stderr, n - 1)}


def around(values: Floats, stderr: Floats, freedom: Any) -> dict[str, Bounds]:
    """value ± t or 1.96 standard errors."""
    reach = student_quantile(0.975, freedom) * stderr
    return {"t": (values - reach, values + reach), "normal": (values - Z * stderr, values + Z * stderr)}


def flip_p(contributions: Floats) -> Floats:
    """`sign_flip_test` of each row of shape (E, m), always by random signs."""
    seen = np.abs(contributions.sum(axis=1))
    limit = seen - ROUNDING * np.abs(contributions).sum(axis=1)
    p = np.empty(seen.size)
    for block in blocks(seen.size):
        extreme = np.abs(contributions[block] @ signs(contributions.shape[1])) >= limit[block, None]
        p[block] = (1 + extreme.sum(axis=1)) / (1 + RESAMPLES)
    return p


def t_p(values: Floats, stderr: Floats, freedom: Any) -> Floats:
    """Two-sided p of Student's t; 1 where both are 0."""
    ratio = np.divide(np.abs(values), stderr, out=np.zeros_like(values), where=stderr > 0)
    return 2 * student_cdf(-ratio, freedom)


def blocks(count: int) -> Iterator[slice]:
    """Experiments in blocks."""
    for first in range(0, count, BLOCK):
        yield slice(first, min(first + BLOCK, count))
