"""Two models, right or wrong on the same questions: difference of their shares, McNemar's test, win rates.

Counts may be arrays of any shapes that broadcast: wins b are questions that only the second model has right, losses c
those that only the first has right.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from s2eval.records import MINIMUM, Estimate
from s2eval.stats.arrays import Floats, without_interval
from s2eval.stats.bounded import Bounds, Z, difference_weight, mean_bounds
from s2eval.stats.distributions import fair_binomial_cdf

_FEW = 6
_HALVINGS = 60  # of an interval of width 2: to 2e-18


def tango_interval(wins: ArrayLike, losses: ArrayLike, n: ArrayLike, z: float = Z) -> Bounds:
    """The score interval of (b - c)/n: Tango, Statistics in Medicine 17 (1998) 891-908.

    The values Δ for which |b - c - nΔ| ≤ z √(n (2q + Δ(1 - Δ))), with q the likeliest share of c under Δ,
    q = (√(B² - 4AC) - B) / 2A, A = 2n, B = (2n - b + c)Δ - b - c, C = -cΔ(1 - Δ). It holds 0 exactly where the
    chi-squared form of McNemar's test does not reject, and has a width where the models never differ.
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


def _variance(b: Floats, c: Floats, n: Floats, delta: Floats) -> Floats:
    """Of one question's difference, where the true difference is `delta`: 2q + Δ(1 - Δ)."""
    linear = (2 * n - b + c) * delta - b - c
    constant = -c * delta * (1 - delta)
    root = np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0.0))
    share = (root - linear) / (4 * n)
    return np.maximum(2 * share + delta * (1 - delta), 0.0)


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


def newcombe_interval(both: ArrayLike, wins: ArrayLike, losses: ArrayLike, neither: ArrayLike, z: float = Z) -> Bounds:
    """Newcombe's square-and-add interval of (b - c)/n: Statistics in Medicine 17 (1998) 2635-2650, method 10.

    With p₁ = (a + b)/n in (l₁, u₁) and p₂ = (a + c)/n in (l₂, u₂), each Wilson's, and φ the correlation of the two:
    lower = p₁ - p₂ - √((p₁ - l₁)² - 2φ(p₁ - l₁)(u₂ - p₂) + (u₂ - p₂)²), the upper one with the sides exchanged.
    φ = ad - bc over the root of the product of the four margins, ad - bc lowered by n/2 but not below 0 where it is
    positive, and 0 where a margin is.

    Args:
        both, wins, losses, neither: a, b, c, d: questions that both models have right, only one, only the other, none.
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
    b, c, n = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in counts))
    if (b < 0).any() or (c < 0).any() or (b + c > n).any() or (n <= 0).any():
        raise ValueError("expected 0 ≤ wins, 0 ≤ losses and wins + losses ≤ n, with at least one question")
    return b, c, n


def mcnemar_exact(wins: ArrayLike, losses: ArrayLike) -> Floats:
    """Two-sided p of McNemar's exact test, Psychometrika 12 (1947) 153-157; 1 where the models never differ.

    p = min(1, 2 P(X ≤ min(b, c))), X binomial with b + c trials and ½. It rejects too seldom (docs/statistics.md).
    """
    fewer, total = _discordant(wins, losses)
    return np.minimum(1.0, 2 * fair_binomial_cdf(fewer, total))


def mcnemar_mid_p(wins: ArrayLike, losses: ArrayLike) -> Floats:
    """The same with half of the probability of the observed counts, which rejects nearly as often as it states.

    p = 2 P(X ≤ min(b, c)) - P(X = min(b, c)), and 1 - P(X = b)/2 where b = c: Fagerland, Lydersen & Laake, BMC Medical
    Research Methodology 13:91 (2013).
    """
    fewer, total = _discordant(wins, losses)
    at = fair_binomial_cdf(fewer, total) - fair_binomial_cdf(fewer - 1, total)
    p = np.where(2 * fewer == total, 1 - at / 2, 2 * fair_binomial_cdf(fewer, total) - at)
    return np.where(total == 0, 1.0, p)


def _discordant(wins: ArrayLike, losses: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    b, c = np.broadcast_arrays(np.asarray(wins, dtype=np.int_), np.asarray(losses, dtype=np.int_))
    if (b < 0).any() or (c < 0).any():
        raise ValueError("a number of questions cannot be negative")
    return np.minimum(b, c), b + c


def win_rate(wins: int, ties: int, n: int) -> Estimate:
    """(W + T/2) / N, FastChat's "win rate adjusted": how often an answer is preferred; ½ is no preference.

    It is ½ + (W - L)/2N, so its interval is half of `difference_bounds`, moved to ½; the test is `mcnemar_mid_p(wins,
    losses)`. Contests are taken as independent; of several turns of a question, use `clustered_mean` of the points.

    >>> win_rate(wins=3, ties=1, n=5).value  # (3 + 1/2) / 5
    0.7
    """
    losses = n - wins - ties
    if min(wins, ties, losses) < 0:
        raise ValueError(f"{wins} wins and {ties} ties of {n} contests: cannot be")
    if n == 0:
        return without_interval(0, 0)
    value = (wins + ties / 2) / n
    squares = wins * (1 - value) ** 2 + ties * (0.5 - value) ** 2 + losses * value**2
    stderr = math.sqrt(squares / (n - 1) / n) if n > 1 else None
    if n < MINIMUM:
        return without_interval(n, n, "too-few", value, stderr)
    low, high = difference_bounds(wins, losses, n)
    return Estimate(value, stderr, (1 + float(low)) / 2, (1 + float(high)) / 2, n=n, n_valid=n, method="tango")
