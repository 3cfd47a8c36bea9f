"""Intervals of shares and of means of bounded scores: they stay within the range and have a width, of few items too.

All functions take scores mapped to 0..1 and any shapes that broadcast; docs/statistics.md has the coverage of each.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from s2eval.stats.arrays import Floats
from s2eval.stats.distributions import beta_cdf

Bounds = tuple[Floats, Floats]
Weight = Callable[[ArrayLike], Floats]

Z = NormalDist().inv_cdf(0.975)
_MANY = 100  # items from which on Wilson's interval of a share that is not near 0 or 1 needs no correction
_FEW = 10  # items below which the tails of the mid-p interval are 0.022: of 6 it would cover 91.2%
_RARE = 3.5  # successes (or failures) up to which Wilson's interval is corrected, of any number of items
_HALVINGS = 30  # of an interval of less than the bound itself: nine digits


def share_bounds(share: ArrayLike, n: ArrayLike) -> Bounds:
    """Wilson's interval of a share of n items, widened to hold the mid-p interval where Wilson's covers too seldom.

    Wilson's, JASA 22 (1927): (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n). Of fewer than 100 items, and where at
    most 3 (or all but 3) are successes, it covers as little as 83% (Brown, Cai & DasGupta, Statistical Science 16
    (2001)); there each bound is the outer one of Wilson's and of the mid-p interval (Lancaster, JASA 56 (1961)), with
    tails of 0.025, 0.022 of fewer than 10 items.

    Args:
        share: p, from 0 to 1.
        n: items; may be a fraction, such as the effective number of a stratified sample.
    """
    p, size = np.broadcast_arrays(np.asarray(share, dtype=np.float64), np.asarray(n, dtype=np.float64))
    both = _share_low(np.stack([p, 1 - p]), np.stack([size, size]))
    return both[0], 1 - both[1]


def _share_low(p: Floats, n: Floats) -> Floats:
    """The lower bound of `share_bounds`; the upper one is that of the failures, from 1."""
    square = Z**2 / n
    half = Z * np.sqrt(np.maximum(p * (1 - p), 0.0) / n + square / (4 * n))
    low = np.where(p <= 0, 0.0, np.maximum((p + square / 2 - half) / (1 + square), 0.0))
    few = ((n < _MANY) | (n * np.minimum(p, 1 - p) < _RARE)) & (low > 0)
    few[few] = _mid_p_tail(low[few], p[few], n[few]) > _tail(n[few])
    if few.any():
        low[few] = _mid_p_low(p[few], n[few], low[few])
    return low


def _mid_p_low(p: Floats, n: Floats, above: Floats) -> Floats:
    """The share below `above` under which the tail is that small; by halving, as the tail rises with the share."""
    below = np.zeros_like(p)
    for _ in range(_HALVINGS):
        middle = (below + above) / 2
        rare = _mid_p_tail(middle, p, n) <= _tail(n)
        below, above = np.where(rare, middle, below), np.where(rare, above, middle)
    return below


def _tail(n: Floats) -> Floats:
    return np.where(n < _FEW, 0.022, 0.025)


def _mid_p_tail(share: Floats, p: Floats, n: Floats) -> Floats:
    """P(X > np) + P(X = np)/2 under a share."""
    k = n * p
    return (beta_cdf(share, k, n - k + 1) + beta_cdf(share, k + 1, n - k)) / 2  # of P(X ≥ k) and P(X > k)


def mean_weight(n: ArrayLike) -> Floats:
    """The part of an item that `mean_bounds` adds at the far end of a score's range: ½ min(1, (80/n)⁴).

    By simulation about the least with which scores are covered of which few are far from the rest.
    """
    return 0.5 * np.minimum(1.0, (80 / np.asarray(n, dtype=np.float64)) ** 4)


def difference_weight(n: ArrayLike) -> Floats:
    """The same for differences of two models' scores, whose range is twice as wide: ⅕ min(1, (50/n)⁶)."""
    return 0.2 * np.minimum(1.0, (50 / np.asarray(n, dtype=np.float64)) ** 6)


def mean_bounds(mean: ArrayLike, variance: ArrayLike, n: ArrayLike, weight: ArrayLike | None = None) -> Bounds:
    """The interval of a mean of scores in 0..1.

    For each bound a part of an item is added that has the score at that end (as Agresti & Coull, The American
    Statistician 52 (1998), add successes and failures to a share). The bound is then `share_bounds` of as many items as
    would give the mean's variance, p(1 - p)/variance: Korn & Graubard, Survey Methodology 24 (1998).

    Args:
        variance: of the mean, its squared standard error.
        n: independent items (documents, clusters), or as many as a stratified mean is worth.
        weight: of the added part; by default `mean_weight(n)`.
    """
    p, spread, size = (
        part.astype(np.float64) for part in np.broadcast_arrays(np.asarray(mean), np.asarray(variance), np.asarray(n))
    )
    added = mean_weight(size) if weight is None else np.asarray(weight, dtype=np.float64)
    total = size + added
    sides = np.array([0.0, 1.0]).reshape(2, *[1] * p.ndim)
    moved = (size * p + added * sides) / total
    squares = size * (size - 1) * spread + size * (p - moved) ** 2 + added * (sides - moved) ** 2
    most = moved * (1 - moved)
    largest = most / np.maximum(total - 1, 1.0)  # the variance of a mean of zeros and ones
    moved_variance = np.clip(squares / (total * (total - 1)), 1e-12 * largest, largest)
    effective = np.divide(most, moved_variance, out=np.broadcast_to(total - 1, moved.shape).copy(), where=most > 0)
    low, failures = _share_low(np.stack([moved[0], 1 - moved[1]]), effective)
    return np.minimum(low, p), np.maximum(1 - failures, p)
