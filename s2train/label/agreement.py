"""How far two rankings agree on the same answers, and what a ranking likes. Pure.

Prompts, not pairs, are what was drawn: pairs of one prompt share answers. So every interval is clustered by prompt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from s2eval.records import Estimate, Scale
from s2eval.stats import clustered_mean, mean, proportion, scaled_interval
from s2train.label.candidates import Candidate, Groups, Labelled, Pair

Floats = NDArray[np.float64]
SHARE, CORRELATION, UNBOUNDED = Scale(0.0, 1.0), Scale(-1.0, 1.0, graded=True), Scale(graded=True)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of a ranking with the one that made the labels.

    Attributes:
        alike: share of pairs that both order alike, of those that both order.
        labels: the same of the pairs that were labelled.
        tau: mean over prompts of Kendall's tau-b of the two orders of a prompt's answers.
        kappa: Cohen's, of which answer of a pair is the better one: the first, the second, or neither.
        best: share of prompts of which both like the same answer best, of those where neither has a tie for it.
    """

    alike: Estimate
    labels: Estimate
    tau: Estimate
    kappa: Estimate
    best: Estimate


def agree(groups: Groups, labels: Sequence[Labelled], left: int, right: int) -> Agreement:
    """The ranking `right` with `left`, which made the labels; both are places in the candidates' `scores`."""
    columns = [[[answer.scores[ranking] for answer in group] for ranking in (left, right)] for group in groups.of]
    same_best = list[bool]()
    for first, second in columns:
        if first.count(max(first)) == second.count(max(second)) == 1:
            same_best.append(first.index(max(first)) == second.index(max(second)))
    return Agreement(
        alike=_alike(list(groups.pairs()), left, right),
        labels=_alike([(label.chosen, label.rejected) for label in labels], left, right),
        tau=mean([tau_b(first, second) for first, second in columns], within=CORRELATION),
        kappa=_kappa(groups, left, right),
        best=replace(proportion(sum(same_best), len(same_best)), n=len(columns)),
    )


def share(values: Sequence[bool | None], prompts: Sequence[str]) -> Estimate:
    """The share of yes among yes and no; None counts in `n` only.

    Wilson's interval where no prompt repeats, else that of a bounded mean, clustered by prompt. Where all are the same
    no spread is seen between prompts, and the interval is Wilson's of as many items as there are prompts.
    """
    valid = [(value, prompt) for value, prompt in zip(values, prompts, strict=True) if value is not None]
    yes, clusters = sum(value for value, _ in valid), len({prompt for _, prompt in valid})
    if clusters == len(valid):
        return replace(proportion(yes, clusters), n=len(values))
    if yes in (0, len(valid)):
        return replace(proportion(clusters if yes else 0, clusters), n=len(values), n_valid=len(valid))
    return clustered_mean([None if value is None else float(value) for value in values], prompts, within=SHARE)


def longer_wins(pairs: Sequence[Pair], ranking: int) -> Estimate:
    """The share of pairs in which the answer of more words has the higher score, of those that differ in both."""
    wins = [_same_sign(_sign(a.words - b.words), _order(a, b, ranking)) for a, b in pairs]
    return share(wins, [first.prompt for first, _ in pairs])


def grade_of_better(pairs: Sequence[Pair], ranking: int) -> Estimate:
    """Mean difference of Flesch-Kincaid grades, the better answer's less the worse one's.

    Ties have none, nor have pairs with an answer that has no grade.
    """
    differences = [
        _order(a, b, ranking) * (a.grade - b.grade)
        if a.grade is not None and b.grade is not None and _order(a, b, ranking)
        else None
        for a, b in pairs
    ]
    return clustered_mean(differences, [first.prompt for first, _ in pairs], within=UNBOUNDED)


def tau_b(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kendall's tau-b (Biometrika 33 (1945) 239-251), by scipy; None where either ties everything."""
    from scipy.stats import kendalltau

    tau = float(kendalltau(first, second)[0])  # pyright: ignore[reportArgumentType]
    return None if math.isnan(tau) else tau


def kappa(tables: Floats) -> Floats:
    """Cohen's (p_o - p_e) / (1 - p_e) of tables of counts, (…, k, k) → (…); NaN where chance agrees always.

    Source: Cohen, Educational and Psychological Measurement 20 (1960) 37-46.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = tables / tables.sum((-2, -1), keepdims=True)
        observed = np.trace(shares, axis1=-2, axis2=-1)
        expected = (shares.sum(-1) * shares.sum(-2)).sum(-1)
        return np.where(expected < 1, (observed - expected) / (1 - expected), np.nan)


def _kappa(groups: Groups, left: int, right: int) -> Estimate:
    """With the jackknife's standard error over prompts (Efron & Tibshirani 1993, equation 11.5)."""
    tables = np.zeros((len(groups.of), 3, 3))
    for place, group in enumerate(groups.of):
        for pair in combinations(group, 2):
            tables[place, _order(*pair, left) + 1, _order(*pair, right) + 1] += 1
    n, size = int(tables.sum()), len(tables)
    value = float(kappa(tables.sum(0))) if n else float("nan")
    if not np.isfinite(value):
        return Estimate(None, None, None, None, n=n, n_valid=0, method="none")
    without = kappa(tables.sum(0) - tables) if size > 1 else np.array([np.nan])
    known = bool(np.isfinite(without).all())
    stderr = float(np.sqrt((size - 1) / size * ((without - without.mean()) ** 2).sum())) if known else None
    return scaled_interval(value, stderr, size, CORRELATION, n=n, n_valid=n, largest=1.0)


def _alike(pairs: Sequence[Pair], left: int, right: int) -> Estimate:
    same = [_same_sign(_order(a, b, left), _order(a, b, right)) for a, b in pairs]
    return share(same, [first.prompt for first, _ in pairs])


def _order(first: Candidate, second: Candidate, ranking: int) -> int:
    """1 where a ranking likes the first better, -1 the second, 0 a tie."""
    return _sign(first.scores[ranking] - second.scores[ranking])


def _same_sign(first: int, second: int) -> bool | None:
    return first == second if first and second else None


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
