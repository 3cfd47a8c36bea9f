"""Agreement of two raters beyond chance: Cohen's kappa."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2eval.records import MINIMUM, Estimate
from s2eval.stats.bounded import share_bounds

Counts = Sequence[Sequence[int]] | NDArray[np.integer[Any]]


def cohen_kappa(table: Counts) -> Estimate:
    """Cohen's kappa of two raters who put the same n items into k categories.

    κ = (p_o - p_e) / (1 - p_e), with p_o = Σ p_ii and p_e = Σ p_i. p_.i; Cohen, Educational and Psychological
    Measurement 20 (1960) 37-46. Standard error: the root of

        Σ p_ii (1 - (p_i. + p_.i)(1 - κ))² + (1 - κ)² Σ_{i≠j} p_ij (p_.i + p_j.)² - (κ - p_e (1 - κ))²

    over √n (1 - p_e); Fleiss, Cohen & Everitt, Psychological Bulletin 72 (1969) 323-327. It is for large n, and 0 where
    they agree on every item. So the interval is that of the share p_o (`share_bounds`), with p_e as it was seen.
    No value where both raters put everything into one category: chance then agrees as well as they do.

    Args:
        table: shape (k, k), `table[i][j]` = items that the first rater put into category i and the second into j.

    Raises:
        ValueError: the table is not square, or has a negative count.
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"the table of two raters must be square, not {counts.shape}")
    if (counts < 0).any():
        raise ValueError("the table of two raters has a negative count")
    n = int(counts.sum())
    if n == 0 or (counts.sum(axis=1) * counts.sum(axis=0)).sum() == n * n:
        return Estimate(None, None, None, None, n=n, n_valid=n, method="none")
    p = counts / n
    first, second, diagonal = p.sum(axis=1), p.sum(axis=0), np.diag(p)
    by_chance = float(first @ second)
    observed = float(diagonal.sum())
    kappa = (observed - by_chance) / (1 - by_chance)
    agreed = float(diagonal @ (1 - (first + second) * (1 - kappa)) ** 2)
    crossed = (second[:, None] + first[None, :]) ** 2  # (i, j): p_.i + p_j.
    missed = (1 - kappa) ** 2 * float((p * crossed).sum() - diagonal @ (first + second) ** 2)
    variance = agreed + missed - (kappa - by_chance * (1 - kappa)) ** 2
    stderr = math.sqrt(max(variance, 0.0) / n) / (1 - by_chance)
    if n < MINIMUM:
        return Estimate(kappa, stderr, None, None, n=n, n_valid=n, method="too-few")
    low, high = ((float(bound) - by_chance) / (1 - by_chance) for bound in share_bounds(min(observed, 1.0), n))
    return Estimate(kappa, stderr, max(-1.0, low), high, n=n, n_valid=n, method="wilson")


def cross_table(first: Sequence[str], second: Sequence[str]) -> NDArray[np.int_]:
    """How often the first rater said i where the second said j: shape (k, k), over the k labels in sorted order.

    Raises:
        ValueError: not as many labels of the one as of the other.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} labels of one rater, {len(second)} of the other")
    index = {label: place for place, label in enumerate(sorted({*first, *second}))}
    table = np.zeros((len(index), len(index)), dtype=np.int_)
    for one, other in zip(first, second, strict=True):
        table[index[one], index[other]] += 1
    return table
