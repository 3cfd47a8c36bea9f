"""How far apart two groups of numbers are, and how far a random split would put them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from s2train.data.eda.tallies import Histogram

NEGLIGIBLE = 0.1  # of d: Austin, Statistics in Medicine 28 (2009) 3083-3107
CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two groups' distance in two measures, each with what a random split of them exceeds in 5% of cases.

    Attributes:
        d: standardised difference of the means; None where neither group varies, and the means differ.
        gap: Kolmogorov and Smirnov's D, 0 to 1.
    """

    d: float | None
    d_by_chance: float
    gap: float
    gap_by_chance: float

    @property
    def apart(self) -> bool:
        """Whether chance does not explain the distance."""
        return self.d is None or abs(self.d) > self.d_by_chance or self.gap > self.gap_by_chance


def compare(first: Histogram, second: Histogram, n_first: int, n_second: int, tests: int) -> Comparison:
    """Compare two groups of at least one number each.

    Args:
        n_first, n_second: independent items of each group; fewer than its numbers where several share a question.
        tests: measures compared together; the 5% are for all of them and for d and D (Bonferroni).
    """
    share = CHANCE / (2 * tests)
    n = first.n + second.n
    variance = max(0.0, (first.squares + second.squares) / n - ((first.total + second.total) / n) ** 2)
    by_split = math.sqrt(variance * (1 / n_first + 1 / n_second))
    spread = _spread(first, second)
    return Comparison(
        d=standardised_difference(first, second),
        d_by_chance=NormalDist().inv_cdf(1 - share / 2) * by_split / spread if spread else 0.0,
        gap=largest_gap(first, second),
        gap_by_chance=gap_by_chance(n_first, n_second, share),
    )


def standardised_difference(first: Histogram, second: Histogram) -> float | None:
    """(mean - mean) / √((variance + variance) / 2), Austin 2009; None where neither varies and the means differ."""
    difference = first.mean - second.mean
    spread = _spread(first, second)
    return difference / spread if spread else None if difference else 0.0


def _spread(first: Histogram, second: Histogram) -> float:
    return math.sqrt((first.deviation**2 + second.deviation**2) / 2)


def largest_gap(first: Histogram, second: Histogram) -> float:
    """The largest difference of the groups' shares up to a number, over the bins."""
    most, share_first, share_second, n_first, n_second = 0.0, 0, 0, first.n, second.n
    for key in sorted(first.bins.keys() | second.bins.keys()):
        share_first += first.bins[key]
        share_second += second.bins[key]
        most = max(most, abs(share_first / n_first - share_second / n_second))
    return most


def gap_by_chance(n_first: int, n_second: int, share: float = CHANCE) -> float:
    """D that a random split exceeds in that share of cases: √(-ln(share / 2) / 2) · √((n1 + n2) / (n1 n2)).

    The limit for large groups; where numbers repeat, it is exceeded still more seldom.
    """
    return math.sqrt(-math.log(share / 2) / 2) * math.sqrt((n_first + n_second) / (n_first * n_second))
