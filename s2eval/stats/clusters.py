"""Means of items that come in clusters: turns, choices and repeats of one question, questions on one passage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2eval.records import Estimate, Scale
from s2eval.stats.student import UNKNOWN, scaled_interval, scope_of

Floats = NDArray[np.float64]


def clustered_mean(values: Sequence[float | None], clusters: Sequence[object], *, within: Scale = UNKNOWN) -> Estimate:
    """The mean over all items with a value; clusters, not items, are what was drawn.

    Standard error: √(G/(G-1) · Σ_c (Σ_{i in c} (x_i - x̄))²) / n over the G clusters with a value: Miller, "Adding Error
    Bars to Evals" (arXiv 2411.00640), equation 4, times the factor that makes it s/√n where every cluster has one item.
    Interval: `scaled_interval`'s, of G items: within the scale where its bounds are known, else Student's with G - 1
    degrees of freedom.

    Args:
        values: shape (n,); None is an item without a value.
        clusters: shape (n,), the cluster of each item.
        within: what values are possible.

    Returns:
        `n` and `n_valid` count items.

    Raises:
        ValueError: for shapes that differ or a value that is not finite.
    """
    sums = _sums(values, clusters)
    if sums.counts.size == 0:
        return Estimate(None, None, None, None, n=len(values), n_valid=0, method="none")

    value = float(sums.totals.sum() / sums.counts.sum())
    largest = float(np.abs(sums.totals / sums.counts).max())
    stderr = clustered_stderr(sums.totals, sums.counts)
    valid = [item for item in values if item is not None]
    scope = scope_of(np.array(valid, dtype=np.float64), within)
    return scaled_interval(
        value, stderr, sums.counts.size, scope, n=len(values), n_valid=int(sums.counts.sum()), largest=largest
    )


def clustered_stderr(totals: Floats, counts: Floats) -> float | None:
    """Of a mean of items, from the sum and the number of the items in each cluster, both of shape (G,); see
    `clustered_mean`. None of a single cluster.
    """
    size = totals.size
    if size < 2:
        return None
    n = float(counts.sum())
    of_clusters = totals - counts * (float(totals.sum()) / n)
    return math.sqrt(size / (size - 1) * float(of_clusters @ of_clusters)) / n


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of each cluster that has a value: the sum of its values, and how many there are; sorted, whatever the order."""

    totals: Floats
    counts: Floats


def _sums(values: Sequence[float | None], clusters: Sequence[object]) -> _Sums:
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values, but clusters of {len(clusters)} items")
    found: dict[object, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        if value is not None:
            if not math.isfinite(value):
                raise ValueError(f"{value}: not a finite value")
            found.setdefault(cluster, []).append(value)
    pairs = sorted((math.fsum(items), float(len(items))) for items in found.values())
    return _Sums(np.array([total for total, _ in pairs]), np.array([count for _, count in pairs]))


@dataclass(frozen=True, slots=True)
class Components:
    """How much of the spread of repeated measurements lies between the things measured, and how much in the measuring.

    Attributes:
        between: variance of the true values of the things (questions); 0 where the estimate is negative.
        within: variance of one measurement of the same thing (the judge's).
        groups: things measured at least once.
        items: measurements.
    """

    between: float
    within: float
    groups: int
    items: int

    @property
    def share(self) -> float | None:
        """Of the variance of a single measurement, what the measuring adds: within / (between + within)."""
        total = self.between + self.within
        return self.within / total if total > 0 else None

    def stderr(self, repeats: float) -> float:
        """Of a mean over as many things, each measured `repeats` times: √((between + within/repeats)/groups)."""
        return math.sqrt((self.between + self.within / repeats) / self.groups)


def variance_components(values: Sequence[float | None], groups: Sequence[object]) -> Components | None:
    """One-way random effects, by the analysis of variance.

    within = MSW; between = (MSB - MSW) / n₀ with n₀ = (N - Σ n_i²/N) / (g - 1), which is n where every group has n
    items: Searle, Casella & McCulloch, "Variance Components" (1992), §3.6.

    Args:
        values: shape (N,); None is an item without a value.
        groups: shape (N,), what was measured.

    Returns:
        None where it cannot be told: fewer than two groups, or none measured twice.
    """
    found: dict[object, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        if value is not None:
            found.setdefault(group, []).append(value)
    sizes = np.array([len(items) for items in found.values()], dtype=np.float64)
    total = float(sizes.sum())
    if len(found) < 2 or total <= len(found):
        return None
    means = np.array([math.fsum(items) / len(items) for items in found.values()])
    grand = float(sizes @ means) / total
    inside = math.fsum((x - m) ** 2 for items, m in zip(found.values(), means, strict=True) for x in items)
    within = inside / (total - len(found))
    between = float(sizes @ (means - grand) ** 2) / (len(found) - 1)
    n0 = (total - float(sizes @ sizes) / total) / (len(found) - 1)
    return Components(max(0.0, (between - within) / n0), within, len(found), int(total))
