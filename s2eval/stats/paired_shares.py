"""By how much the shares of two models differ on the same questions: Tango's interval, and Newcombe's.

Both take many tables at once, and neither has zero width where the models never differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2eval.stats.bounded import Z, difference_weight, mean_bounds

Floats = NDArray[np.float64]
Bounds = tuple[Floats, Floats]

_FEW = 6
_HALVINGS = 60  # of an interval of width 2: to 2e-18


def tango_interval(wins: ArrayLike, losses: ArrayLike, n: ArrayLike, z: float = Z) -> Bounds:
    """The score interval of (b - c)/n, of b questions that only one has right and c that only the other has.

    The values Δ for which |b - c - nΔ| ≤ z √(n (2q + Δ(1 - Δ))), with q the likeliest share of c under Δ,
    q = (√(B² - 4AC) - B) / 2A, A = 2n, B = (2n - b + c)Δ - b - c, C = -cΔ(1 - Δ): Tango, Statistics in Medicine 17
    (1998) 891-908, the interval by efficient score. It holds 0 exactly where the chi-squared form of McNemar's test
    does not reject.

    Args:
        wins, losses, n: b, c and the number of questions; any shapes that broadcast.
        z: quantile of the normal distribution, 1.96 for 95%.

    Returns:
        Lower and upper bounds, in the broadcast shape.

    Raises:
        ValueError: where not 0 ≤ b, 0 ≤ c and b + c ≤ n, or n = 0.
    """
    b, c, size = _counts(wins, losses, n)
    estimate = (b - c) / size

    def bound(side: float) -> Floats:
        inside, outside = estimate.copy(), np.full_like(estimate, side)
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2
            within = np.abs(b - c - size * middle) <= z * np.sqrt(size * _variance(b, c, size, middle))
            inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
        return inside

    return bound(-1.0), bound(1.0)


def difference_bounds(wins: ArrayLike, losses: ArrayLike, n: ArrayLike) -> Bounds:
    """Tango's interval at 95%; of fewer than 6 questions, of which it covers 91.6%, at least that of `mean_bounds`."""
    b, c, size = _counts(wins, losses, n)
    low, high = tango_interval(b, c, size)
    few = (size > 1) & (size < _FEW)
    if few.any():
        b, c, size = b[few], c[few], size[few]
        mean = (b - c) / size
        variance = np.maximum((b + c) / size - mean**2, 0.0) / (size - 1)
        lower, upper = mean_bounds((mean + 1) / 2, variance / 4, size, difference_weight(size))
        low[few], high[few] = np.minimum(low[few], 2 * lower - 1), np.maximum(high[few], 2 * upper - 1)
    return low, high


def _variance(b: Floats, c: Floats, n: Floats, delta: Floats) -> Floats:
    """Of one question's difference, where the true difference is `delta`: 2q + Δ(1 - Δ)."""
    linear = (2 * n - b + c) * delta - b - c
    constant = -c * delta * (1 - delta)
    root = np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0.0))
    share = (root - linear) / (4 * n)
    return np.maximum(2 * share + delta * (1 - delta), 0.0)


def newcombe_interval(both: ArrayLike, wins: ArrayLike, losses: ArrayLike, neither: ArrayLike, z: float = Z) -> Bounds:
    """Newcombe's square-and-add interval of (b - c)/n, from Wilson's intervals of the two shares.

    With p₁ = (a + b)/n in (l₁, u₁) and p₂ = (a + c)/n in (l₂, u₂), each Wilson's, and φ the correlation of the two:
    lower = p₁ - p₂ - √((p₁ - l₁)² - 2φ(p₁ - l₁)(u₂ - p₂) + (u₂ - p₂)²), the upper one with the sides exchanged.
    φ = ad - bc over the root of the product of the four margins, ad - bc lowered by n/2 but not below 0 where it is
    positive, and 0 where a margin is: Newcombe, Statistics in Medicine 17 (1998) 2635-2650, method 10.

    Args:
        both, wins, losses, neither: a, b, c, d: questions that both models have right, only one, only the other, none.
        z: quantile of the normal distribution.
    """
    a, b, c, d = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (both, wins, losses, neither)))
    n = a + b + c + d
    first, second = (a + b) / n, (a + c) / n
    (low1, high1), (low2, high2) = _wilson(first, n, z), _wilson(second, n, z)
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    product = a * d - b * c
    lowered = np.where(product > 0, np.maximum(product - n / 2, 0.0), product)
    phi = np.divide(lowered, np.sqrt(margins), out=np.zeros_like(n), where=margins > 0)

    def reach(own: Floats, other: Floats) -> Floats:
        return np.sqrt(np.maximum(own**2 - 2 * phi * own * other + other**2, 0.0))

    difference = first - second
    return (
        difference - reach(first - low1, high2 - second),
        difference + reach(high1 - first, second - low2),
    )


def _wilson(p: Floats, n: Floats, z: float) -> Bounds:
    centre = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)


def _counts(*counts: ArrayLike) -> tuple[Floats, Floats, Floats]:
    found: Any = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in counts))
    b, c, n = found
    if (b < 0).any() or (c < 0).any() or (b + c > n).any() or (n <= 0).any():
        raise ValueError("expected 0 ≤ wins, 0 ≤ losses and wins + losses ≤ n, with at least one question")
    return b, c, n
