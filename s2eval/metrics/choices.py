"""Metrics of the log-likelihoods of choices: accuracy, its normalised form, and TruthfulQA's mc2."""

from __future__ import annotations

import math
from collections.abc import Sequence

from s2eval.metrics.metric import Metric, MetricFamily
from s2eval.metrics.scales import GRADED, YES_NO
from s2eval.records import Scale

POINTS = "leaderboard_pct"
"""The metric of each data set that the leaderboard counted, in percent."""


def accuracy(loglikelihoods: Sequence[float], choices: Sequence[str], gold: int) -> tuple[float, float]:
    """(acc, acc_norm) of a document, each 0.0 or 1.0: whether the most likely choice is the correct one.

    For acc_norm each log-likelihood is divided by the number of characters of its choice (without the space before it).
    """
    normed = [value / len(choice) for value, choice in zip(loglikelihoods, choices, strict=True)]
    places = range(len(choices))  # of equals the first counts, as with numpy's argmax
    acc, acc_norm = (max(places, key=values.__getitem__) == gold for values in (loglikelihoods, normed))
    return float(acc), float(acc_norm)


def mc2(loglikelihoods: Sequence[float], labels: Sequence[int]) -> float:
    """TruthfulQA mc2, in 0..1: the share of probability that lies on the true choices (Lin et al. 2022).

    >>> round(mc2([math.log(0.2), math.log(0.1), math.log(0.1)], [1, 0, 0]), 6)  # 0.2 / 0.4
    0.5
    """
    top = max(loglikelihoods)
    masses = [math.exp(value - top) for value in loglikelihoods]  # the ratio is unchanged, nothing underflows to 0/0
    return sum(mass for mass, label in zip(masses, labels, strict=True) if label) / sum(masses)


CHOICES = MetricFamily(
    "choices",
    (
        Metric("acc_norm", scale=YES_NO),
        Metric("acc", scale=YES_NO),
        Metric("mc2", scale=GRADED),
        Metric(POINTS, digits=2, scale=Scale(0.0, 100.0)),
    ),
    of="choices",
)
