"""Two models, right or wrong on the same questions: is the one right more often? McNemar's test, exact and mid-p."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2eval.stats.distributions import fair_binomial_cdf

Floats = NDArray[np.float64]


def mcnemar_exact(wins: ArrayLike, losses: ArrayLike) -> Floats:
    """Two-sided p of McNemar's exact test: of b + c questions on which two models differ, as many go to each.

    p = min(1, 2 P(X ≤ min(b, c))), X binomial with b + c trials and ½; McNemar, Psychometrika 12 (1947) 153-157, as in
    Fagerland, Lydersen & Laake, BMC Medical Research Methodology 13:91 (2013), "exact conditional test". It never
    rejects too often, and at the sizes of evaluations clearly too seldom (docs/statistics.md).

    Args:
        wins, losses: questions that only the second model, or only the first, has right; any shapes that broadcast.

    Returns:
        p, in the broadcast shape; 1 where the models never differ.

    Raises:
        ValueError: for a negative count.
    """
    fewer, total = _discordant(wins, losses)
    return np.minimum(1.0, 2 * fair_binomial_cdf(fewer, total))


def mcnemar_mid_p(wins: ArrayLike, losses: ArrayLike) -> Floats:
    """The same with half of the probability of what was seen: rejects as often as it says, nearly, and not more.

    p = 2 P(X ≤ min(b, c)) - P(X = min(b, c)), and 1 - P(X = b)/2 where b = c: Fagerland, Lydersen & Laake (2013),
    "mid-p test"; Lancaster, JASA 56 (1961) 223-234. 1 where the models never differ.
    """
    fewer, total = _discordant(wins, losses)
    at = fair_binomial_cdf(fewer, total) - fair_binomial_cdf(fewer - 1, total)
    p = np.where(2 * fewer == total, 1 - at / 2, 2 * fair_binomial_cdf(fewer, total) - at)
    return np.where(total == 0, 1.0, p)


def _discordant(wins: ArrayLike, losses: ArrayLike) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    b, c = np.broadcast_arrays(np.asarray(wins, dtype=np.int_), np.asarray(losses, dtype=np.int_))
    if (b < 0).any() or (c < 0).any():
        raise ValueError("a number of questions cannot be negative")
    return np.minimum(b, c), b + c
