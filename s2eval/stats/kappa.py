"""Agreement of two raters beyond chance: Cohen's kappa."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2eval.records import Estimate
from s2eval.stats.intervals import Z

Counts = Sequence[Sequence[int]] | NDArray[np.integer[Any]]


def cohen_kappa(table: Counts) -> Estimate:
    """Cohen's kappa of two raters who put the same n items into k categories, with its normal interval.

    κ = (p_o - p_e) / (1 - p_e), with p_o = Σ p_ii and p_e = Σ p_i. p_.i; Cohen, Educational and Psychological
    Measurement 20 (1960) 37-46. Standard error: the root of

        Σ p_ii (1 - (p_i. + p_.i)(1 - κ))² + (1 - κ)² Σ_{i≠j} p_ij (p_.i + p_j.)² - (κ - p_e (1 - κ))²

    over √n (1 - p_e); Fleiss, Cohen & Everitt, Psychological Bulletin 72 (1969) 323-327. It is for large n, and the
    interval may leave -1 to 1.
    No value where both raters put everything into one category: chance then agrees as well as they do. Where they
    agree on every item the method is `constant`: no disagreement was seen, which is not certainty.

    Args:
        table: shape (k, k), table[i][j] = items that the first rater put into category i and the second into j.

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
    kappa = (float(diagonal.sum()) - by_chance) / (1 - by_chance)
    if np.count_nonzero(counts - np.diag(np.diag(counts))) == 0:
        return Estimate(1.0, 0.0, 1.0, 1.0, n=n, n_valid=n, method="constant")
    agreed = float(diagonal @ (1 - (first + second) * (1 - kappa)) ** 2)
    crossed = (second[:, None] + first[None, :]) ** 2  # (i, j): p_.i + p_j.
    missed = (1 - kappa) ** 2 * float((p * crossed).sum() - diagonal @ (first + second) ** 2)
    variance = agreed + missed - (kappa - by_chance * (1 - kappa)) ** 2
    stderr = math.sqrt(max(variance, 0.0) / n) / (1 - by_chance)
    return Estimate(kappa, stderr, kappa - Z * stderr, kappa + Z * stderr, n=n, n_valid=n, method="normal")


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
