"""Agreement of two raters beyond chance: Cohen's kappa."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2eval.records import MINIMUM, Estimate
from s2eval.stats.arrays import without_interval
from s2eval.stats.bounded import share_bounds


def cohen_kappa(table: ArrayLike) -> Estimate:
    """κ = (p_o - p_e) / (1 - p_e) of two raters: Cohen, Educational and Psychological Measurement 20 (1960) 37-46.

    p_o = Σ p_ii is the agreement, p_e = Σ p_i. p_.i that by chance. Standard error: the root of

        Σ p_ii (1 - (p_i. + p_.i)(1 - κ))² + (1 - κ)² Σ_{i≠j} p_ij (p_.i + p_j.)² - (κ - p_e (1 - κ))²

    over √n (1 - p_e); Fleiss, Cohen & Everitt, Psychological Bulletin 72 (1969) 323-327. It is for large n, so the
    interval is `share_bounds` of p_o, with p_e as observed. No value where both raters use a single category.

    `table` has shape (k, k): `table[i][j]` = items that the first rater put into category i and the second into j.
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"the table of two raters must be square, not {counts.shape}")
    if (counts < 0).any():
        raise ValueError("the table of two raters has a negative count")
    n = int(counts.sum())
    if n == 0 or (counts.sum(axis=1) * counts.sum(axis=0)).sum() == n * n:
        return without_interval(n, n)
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
        return without_interval(n, n, "too-few", kappa, stderr)
    low, high = ((float(bound) - by_chance) / (1 - by_chance) for bound in share_bounds(min(observed, 1.0), n))
    return Estimate(kappa, stderr, max(-1.0, low), high, n=n, n_valid=n, method="wilson")


def cross_table(first: Sequence[str], second: Sequence[str]) -> NDArray[np.int_]:
    """How often the first rater chose i where the second chose j: shape (k, k), over the k labels in sorted order."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} labels of one rater, {len(second)} of the other")
    index = {label: place for place, label in enumerate(sorted({*first, *second}))}
    table = np.zeros((len(index), len(index)), dtype=np.int_)
    for mine, other in zip(first, second, strict=True):
        table[index[mine], index[other]] += 1
    return table
