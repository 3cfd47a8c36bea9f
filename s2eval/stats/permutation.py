"""Two models on the same items: would exchanging their labels, item by item, often give a difference as large?

Exact where it does not matter which model is which, whatever the distribution; where only the means are equal,
asymptotically so. Fisher, "The Design of Experiments" (1935), §21; Good, "Permutation, Parametric and Bootstrap Tests
of Hypotheses" (2005), §3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from s2eval.stats.arrays import ROUNDING, Floats
from s2eval.stats.bootstrap import CELLS, RESAMPLES, SEED

_ENUMERATED = 13  # items that differ, up to which all 2^m sign patterns are evaluated: fewer than RESAMPLES
_FEW = 16  # items a distinct value, from which on it is drawn how many of them change their sign


def sign_flip_test(contributions: ArrayLike, *, resamples: int = RESAMPLES, seed: int = SEED) -> float:
    """Two-sided p of a sum of differences, by changing their signs at random; 1 where none differs from 0.

    The share of sign patterns in which |Σ ±c_i| ≥ |Σ c_i|: of all 2^m patterns where m ≤ 13 items differ, else
    (1 + k) / (1 + resamples) of k random ones, which keeps the level: Phipson & Smyth, Statistical Applications in
    Genetics and Molecular Biology 9 (2010), article 39.

    Args:
        contributions: shape (m,), what each independent unit adds to the difference: x_i - y_i over n for a mean, times
            the stratum's weight for a mean over strata, summed over the items of a cluster where clusters are drawn.
    """
    c = np.asarray(contributions, dtype=np.float64)
    if c.ndim != 1 or not np.isfinite(c).all():
        raise ValueError("the contributions must be finite and have one dimension")
    c = c[c != 0]
    if c.size == 0:
        return 1.0
    limit = abs(float(c.sum())) - ROUNDING * float(np.abs(c).sum())
    if c.size <= _ENUMERATED:
        patterns = 1 - 2 * ((np.arange(1 << c.size)[:, None] >> np.arange(c.size)) & 1)
        return float(np.mean(np.abs(patterns @ c) >= limit))
    extreme = sum(int(np.count_nonzero(np.abs(sums) >= limit)) for sums in _flipped(c, resamples, seed))
    return (1 + extreme) / (1 + resamples)


def swap_test(
    statistic: Callable[[Floats], Floats],
    first: ArrayLike,
    second: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> float:
    """Two-sided p of a difference of two statistics of sums, by exchanging the models' rows at random.

    For what is no mean over items: the readability of all answers of a model as one text is a function of sums of
    words, sentences and syllables. p as in `sign_flip_test`, with |f(sums of second) - f(sums of first)|; an exchange
    whose statistic is not finite counts as extreme.

    Args:
        statistic: takes sums of shape (B, k) and gives B values, shape (B,).
        first, second: shape (n, k), what each item adds to the sums of the one model and of the other.
    """
    rows, others = rows_of_sums(first, second)
    differing = (rows != others).any(axis=1)
    if not differing.any():
        return 1.0
    half, total = ((others - rows) / 2)[differing], rows.sum(axis=0) + others.sum(axis=0)

    def distance(moved: Floats) -> Floats:
        return np.abs(statistic(total / 2 + moved) - statistic(total / 2 - moved))

    observed = float(distance(half.sum(axis=0)[None])[0])
    if not np.isfinite(observed):
        raise ValueError("the statistic has no value for one of the models")
    limit = observed * (1 - ROUNDING)
    extreme = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        for signs in random_signs(len(half), resamples, seed):
            extreme += int(np.count_nonzero(~(distance(signs @ half) < limit)))
    return (1 + extreme) / (1 + resamples)


def rows_of_sums(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float64 of one shape (n, k); ValueError for any other."""
    rows, others = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if rows.shape != others.shape or rows.ndim != 2:
        raise ValueError(f"the models' rows must have one shape (n, k), not {rows.shape} and {others.shape}")
    return rows, others


def random_signs(m: int, resamples: int, seed: int = SEED) -> Iterator[Floats]:
    """Blocks of shape (b, m), `resamples` rows in all, of -1 and 1."""
    rng = np.random.default_rng(seed)
    width = -(-m // 8)
    height = max(1, CELLS // m)
    for start in range(0, resamples, height):
        rows = min(height, resamples - start)
        octets = rng.integers(0, 256, size=(rows, width), dtype=np.uint8)
        yield 1 - 2 * np.unpackbits(octets, axis=1, count=m).astype(np.float64)


def _flipped(c: Floats, resamples: int, seed: int) -> Iterator[Floats]:
    """The sums of `c` under random signs, in blocks; of m items with the same |c| the positive ones are binomial."""
    sizes, alike = np.unique(np.abs(c), return_counts=True)
    if _FEW * sizes.size <= c.size:
        positive = np.random.default_rng(seed).binomial(alike, 0.5, size=(resamples, sizes.size))
        yield (2 * positive - alike).astype(np.float64) @ sizes
        return
    for signs in random_signs(c.size, resamples, seed):
        yield signs @ c
