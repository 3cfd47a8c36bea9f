"""Means of items that come in clusters: turns, choices and repeats of one question, questions on one passage."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s2eval.records import Estimate, Scale
from s2eval.stats.arrays import Floats, without_interval
from s2eval.stats.student import UNKNOWN, scaled_interval, scope_of


def clustered_mean(values: Sequence[float | None], clusters: Sequence[object], *, within: Scale = UNKNOWN) -> Estimate:
    """The mean over all items with a value, where clusters are the sampling unit.

    Standard error: √(G/(G-1) · Σ_c (Σ_{i in c} (x_i - x̄))²) / n over the G clusters with a value: Miller, "Adding Error
    Bars to Evals" (arXiv 2411.00640), equation 4, times the factor that makes it s/√n for clusters of one item.
    Interval: `scaled_interval`'s, of G items.

    Args:
        values: shape (n,); None is an item without a value.
        clusters: shape (n,), the cluster of each item.
        within: what values are possible.
    """
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values, but clusters of {len(clusters)} items")
    valid = [value for value in values if value is not None]
    for value in valid:
        if not math.isfinite(value):
            raise ValueError(f"{value}: not a finite value")
    if not valid:
        return without_interval(len(values), 0)
    members = _grouped(values, clusters).values()
    sums = sorted((math.fsum(items), float(len(items))) for items in members)  # whatever the order
    totals, counts = (np.array(part) for part in zip(*sums, strict=True))
    return scaled_interval(
        float(totals.sum() / counts.sum()),
        clustered_stderr(totals, counts),
        counts.size,
        scope_of(np.array(valid, dtype=np.float64), within),
        n=len(values),
        n_valid=len(valid),
        largest=float(np.abs(totals / counts).max()),
    )


def clustered_stderr(totals: Floats, counts: Floats) -> float | None:
    """As of `clustered_mean`, from the sum and the number of the items in each cluster, both of shape (G,).

    None of a single cluster.
    """
    size = totals.size
    if size < 2:
        return None
    n = float(counts.sum())
    of_clusters = totals - counts * (float(totals.sum()) / n)
    return math.sqrt(size / (size - 1) * float(of_clusters @ of_clusters)) / n


def _grouped(values: Sequence[float | None], groups: Sequence[object]) -> dict[object, list[float]]:
    members: defaultdict[object, list[float]] = defaultdict(list)
    for value, group in zip(values, groups, strict=True):
        if value is not None:
            members[group].append(value)
    return members


@dataclass(frozen=True, slots=True)
class Components:
    """How much of the spread of repeated measurements lies between the things measured, and how much in the measuring.

    Attributes:
        between: variance of the true values of the things (questions); 0 where the estimate is negative.
        within: variance of one measurement of the same thing (the judge's).
        groups, items: number of things and of measurements.
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
    """One-way random effects, by the analysis of variance; None of fewer than two groups or if none was measured twice.

    within = MSW; between = (MSB - MSW) / n₀ with n₀ = (N - Σ n_i²/N) / (g - 1): Searle, Casella & McCulloch, "Variance
    Components" (1992), §3.6. `values` and `groups` have shape (N,); None is an item without a value.
    """
    members = _grouped(values, groups)
    sizes = np.array([len(items) for items in members.values()], dtype=np.float64)
    total = float(sizes.sum())
    if len(members) < 2 or total <= len(members):
        return None
    means = np.array([math.fsum(items) / len(items) for items in members.values()])
    grand = float(sizes @ means) / total
    inside = math.fsum((x - m) ** 2 for items, m in zip(members.values(), means, strict=True) for x in items)
    within = inside / (total - len(members))
    between = float(sizes @ (means - grand) ** 2) / (len(members) - 1)
    n0 = (total - float(sizes @ sizes) / total) / (len(members) - 1)
    return Components(max(0.0, (between - within) / n0), within, len(members), int(total))
