"""Uncertainty: pure functions from per-item values to an `Estimate` (s2eval.records).

>>> from s2eval.stats import proportion, scale
>>> scale(proportion(315, 1172), 100).value  # ARC-Challenge, percent
26.87713310580205
"""

from __future__ import annotations

from s2eval.stats.bootstrap import bca_interval, bootstrap
from s2eval.stats.clusters import Components, clustered_mean, variance_components
from s2eval.stats.intervals import average, mean, proportion, scale, stratified_mean

__all__ = [
    "Components",
    "average",
    "bca_interval",
    "bootstrap",
    "clustered_mean",
    "mean",
    "proportion",
    "scale",
    "stratified_mean",
    "variance_components",
]
