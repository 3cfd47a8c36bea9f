"""Models that are one recipe trained with several seeds: how much seeds vary, and how recipes compare.

A paired test of two checkpoints says that these two differ, not their recipes: another seed of the same recipe differs
too. Here questions and seeds are both drawn, crossed with each other: every seed answers every question (Clark, Journal
of Verbal Learning and Verbal Behavior 12 (1973) 335-359).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s2eval.records import Estimate, Scale
from s2eval.stats.arrays import Floats, Labels, without_interval
from s2eval.stats.paired import Difference
from s2eval.stats.strata import strata_of
from s2eval.stats.student import UNBOUNDED, clipped, scaled_interval, student_p


@dataclass(frozen=True, slots=True)
class SeedGroup:
    """The seeds of one recipe on the same items.

    Attributes:
        estimate: of the mean over seeds; the interval is t with S - 1 degrees of freedom over the seeds' scores: what
            other seeds would score on these same items. None of a single seed, or where all seeds score the same.
        seeds: S.
        between: variance of the seeds' scores; None of a single seed.
        within: variance of a seed's score by the choice of items, the mean of the squared standard errors; None if no
            seed has one.
    """

    estimate: Estimate
    seeds: int
    between: float | None
    within: float | None


def seed_group(scores: Floats, strata: Labels | None = None, *, within: Scale = UNBOUNDED) -> SeedGroup:
    """The scores of one recipe's seeds.

    Args:
        scores: shape (n, S), each seed's value of each item. Rows with a NaN count in `n` only.
        strata: shape (n,), each item's stratum, where the score is the unweighted mean over them.
        within: what scores are possible; the interval ends there.
    """
    values, labels = _complete(scores, strata)
    (n, seeds), n_valid = scores.shape, len(values)
    if n_valid == 0:
        return SeedGroup(without_interval(n, 0), seeds, None, None)
    columns = [strata_of(values[:, seed], labels) for seed in range(seeds)]
    means = np.array([column.value for column in columns])
    errors = [column.stderr for column in columns if column.stderr is not None]
    by_items = float(np.mean(np.square(errors))) if errors else None
    value = float(means.mean())
    if seeds < 2:
        return SeedGroup(without_interval(n, n_valid, "too-few", value), 1, None, by_items)
    between = float(means.var(ddof=1))
    stderr = math.sqrt(between / seeds)
    estimate = scaled_interval(value, stderr, n_valid, freedom=seeds - 1.0, n=n, n_valid=n_valid)
    return SeedGroup(clipped(estimate, within), seeds, between, by_items)


def group_difference(
    first: Floats, second: Floats, strata: Labels | None = None, *, within: Scale = UNBOUNDED
) -> Difference:
    """By how much the second recipe is above the first, for new questions and new seeds of both.

    Variance: s₁²/S₁ + s₂²/S₂ + v_q - v_e, with s² the variance of a group's seeds' scores, v_q that of the mean over
    questions of the difference of the groups' means, and v_e the part that is of a question and a seed together, which
    both contain: the quasi-F of crossed random effects (Clark 1973), with Satterthwaite's degrees of freedom, rounded
    down, and Student's t; never less than the larger of the two. A group of one model has no s²: the result does not
    extend to other seeds of it.

    Args:
        first, second: shapes (n, S₁) and (n, S₂): the same items in the same order, those left out that a seed lacks.
        strata: shape (n,), as in `seed_group`.
        within: what scores are possible.
    """
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second):
        raise ValueError(f"expected the same items in both groups, not shapes {first.shape} and {second.shape}")
    if first.shape[1] < 2 and second.shape[1] < 2:
        raise ValueError("a group of seeds has two models at least; two single models are a paired difference")
    values, labels = _complete(np.hstack([first, second]), strata)
    n, n_valid = len(first), len(values)
    if n_valid == 0:
        return Difference(without_interval(n, 0), None, "none", None)
    baseline, model = values[:, : first.shape[1]], values[:, first.shape[1] :]
    over_questions = strata_of(model.mean(axis=1) - baseline.mean(axis=1), labels)
    by_questions = (over_questions.stderr or 0.0) ** 2
    groups = [group for group in (baseline, model) if group.shape[1] > 1]
    by_seeds = [_seed_variance(group, labels) for group in groups]
    both = sum(_joint_variance(group, labels) for group in groups)
    from_seeds = sum(part for part, _ in by_seeds)
    variance = max(from_seeds + by_questions - both, from_seeds, by_questions)
    terms = [*by_seeds, (by_questions, over_questions.freedom or 1.0)]
    spread = sum(part**2 / freedom for part, freedom in terms)
    freedom = max(1.0, math.floor(variance**2 / spread)) if spread > 0 else 1.0
    stderr = math.sqrt(variance)
    estimate = scaled_interval(over_questions.value, stderr, n_valid, freedom=freedom, n=n, n_valid=n_valid)
    estimate = clipped(estimate, within.differences)
    differ = float(np.count_nonzero(over_questions.values) / n_valid)
    if estimate.method == "too-few":
        return Difference(estimate, None, "none", differ, freedom)
    return Difference(estimate, student_p(over_questions.value, stderr, freedom), "student", differ, freedom)


def seed_words(names: Sequence[str], seeds: Sequence[int]) -> str:
    """What a comparison of these models, or groups of so many seeds, can show, as a sentence.

    >>> seed_words(["eli5"], [1])
    'One training seed of eli5: what is shown is about that checkpoint; another seed of the same recipe may differ.'
    """
    single = [name for name, number in zip(names, seeds, strict=True) if number < 2]
    if not single:
        listed = ", ".join(f"{number} of {name}" for name, number in zip(names, seeds, strict=True))
        return f"Several training seeds ({listed}): what is shown holds for other seeds of the same recipes too."
    what, other = ("that checkpoint", "recipe") if len(single) == 1 else ("these checkpoints", "recipes")
    return (
        f"One training seed of {', '.join(single)}: what is shown is about {what}; another seed of the same {other} "
        "may differ."
    )


def _seed_variance(group: Floats, labels: Labels | None) -> tuple[float, float]:
    """s²/S of a group's scores, and its degrees of freedom."""
    means = np.array([strata_of(column, labels).value for column in group.T])
    return float(means.var(ddof=1)) / means.size, means.size - 1.0


def _joint_variance(group: Floats, labels: Labels | None) -> float:
    """Of the mean over questions and seeds, the variance by what is of a question and a seed together."""
    seeds = group.shape[1]
    rest = group - group.mean(axis=1, keepdims=True)
    return sum((strata_of(column, labels).stderr or 0.0) ** 2 for column in rest.T) / (seeds * (seeds - 1))


def _complete(scores: Floats, strata: Labels | None) -> tuple[Floats, Labels | None]:
    """The rows without NaN, and their strata."""
    if scores.ndim != 2 or scores.shape[1] < 1:
        raise ValueError(f"expected items by seeds, not shape {scores.shape}")
    if np.isinf(scores).any():
        raise ValueError("a value is infinite: a metric must be finite, or None")
    complete = ~np.isnan(scores).any(axis=1)
    return scores[complete], None if strata is None else np.asarray(strata)[complete]
