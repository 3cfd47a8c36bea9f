"""Uncertainty: pure functions from per-item values to an `Estimate` (s2eval.records), of two models to a `Difference`.

>>> from s2eval.stats import proportion, scale
>>> scale(proportion(315, 1172), 100).value  # ARC-Challenge, percent
26.87713310580205

>>> from s2eval.stats import paired_difference
>>> paired_difference([1, 0, 0, 1, 0, 0], [1, 1, 1, 1, 1, 0]).p  # 3 against 0 discordant: 2/8 - 1/8
0.125
"""

from __future__ import annotations

from s2eval.records import MINIMUM
from s2eval.stats.bootstrap import MANY, RESAMPLES, bca_interval, bootstrap, jackknife
from s2eval.stats.bounded import Z, mean_bounds, share_bounds
from s2eval.stats.clusters import Components, clustered_mean, clustered_stderr, variance_components
from s2eval.stats.intervals import average, ends, from_summary, mean, proportion, scale, stratified_mean
from s2eval.stats.kappa import cohen_kappa
from s2eval.stats.multiplicity import holm
from s2eval.stats.paired import Difference, Pairs, paired_average, paired_difference, paired_statistic
from s2eval.stats.paired_shares import (
    difference_bounds,
    mcnemar_exact,
    mcnemar_mid_p,
    newcombe_interval,
    tango_interval,
    win_rate,
)
from s2eval.stats.permutation import sign_flip_test, swap_test
from s2eval.stats.power import detectable, detectable_share, questions_needed, questions_needed_share
from s2eval.stats.seeds import SeedGroup, group_difference, seed_group, seed_words
from s2eval.stats.strata import Strata, joined, strata_of, stratified_bootstrap
from s2eval.stats.student import scaled_interval

__all__ = [
    "MANY",
    "MINIMUM",
    "RESAMPLES",
    "Components",
    "Difference",
    "Pairs",
    "SeedGroup",
    "Strata",
    "Z",
    "average",
    "bca_interval",
    "bootstrap",
    "clustered_mean",
    "clustered_stderr",
    "cohen_kappa",
    "detectable",
    "detectable_share",
    "difference_bounds",
    "ends",
    "from_summary",
    "group_difference",
    "holm",
    "jackknife",
    "joined",
    "mcnemar_exact",
    "mcnemar_mid_p",
    "mean",
    "mean_bounds",
    "newcombe_interval",
    "paired_average",
    "paired_difference",
    "paired_statistic",
    "proportion",
    "questions_needed",
    "questions_needed_share",
    "scale",
    "scaled_interval",
    "seed_group",
    "seed_words",
    "share_bounds",
    "sign_flip_test",
    "strata_of",
    "stratified_bootstrap",
    "stratified_mean",
    "swap_test",
    "tango_interval",
    "variance_components",
    "win_rate",
]
