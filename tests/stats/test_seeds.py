"""Seeds of a recipe: the variances by hand, the special cases, the level by simulation, and the words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

from s2eval.records import Scale
from s2eval.stats import group_difference, paired_difference, seed_group, seed_words, strata_of


def test_a_group_by_hand():
    # seeds' scores 2, 3, 7: mean 4, variance (4 + 1 + 9) / 2 = 7; t of 2 degrees of freedom: 4.302653 · √(7/3)
    group = seed_group(np.array([[1.0, 2, 6], [3, 4, 8]] * 2))
    assert (group.estimate.value, group.seeds, group.between) == (4.0, 3, 7.0)
    assert group.estimate.ci_high == pytest.approx(4 + 4.302653 * math.sqrt(7 / 3))
    # of each seed four items, 1 from the mean: s² = 4/3, s²/n = 1/3
    assert group.within == pytest.approx(1 / 3)
    within = seed_group(np.array([[1.0, 2, 6], [3, 4, 8]] * 2), within=Scale(0.0, 10.0)).estimate
    assert (within.ci_low, within.ci_high) == (0.0, 10.0)  # t would reach from -2.6 to 10.6


def test_a_single_seed_has_no_interval():
    group = seed_group(np.array([[1.0], [3.0]]))
    assert (group.estimate.value, group.estimate.ci_low, group.estimate.method, group.between) == (
        2.0,
        None,
        "too-few",
        None,
    )
    assert group.within == 1.0


def test_items_that_a_seed_lacks():
    group = seed_group(np.array([[1.0, 2], [3, math.nan], [3, 4]]))
    assert (group.estimate.value, group.estimate.n, group.estimate.n_valid) == (2.5, 3, 2)
    assert seed_group(np.full((2, 2), math.nan)).estimate.value is None


def test_strata_weigh_alike():
    # a: 0 and 0; b: 1, 1, 1, 1: mean of means ½ for either seed
    group = seed_group(np.ones((6, 2)) * np.array([[0, 0, 1, 1, 1, 1]]).T, list("aabbbb"))
    assert group.estimate.value == 0.5
    assert group.estimate.method == "constant"


def test_a_difference_by_hand():
    # four questions, two seeds each: first [[0, 0], [0, 2]] twice, second [[2, 4], [4, 8]] twice
    first, second = np.array([[0.0, 0], [0, 2]] * 2), np.array([[2.0, 4], [4, 8]] * 2)
    found = group_difference(first, second)
    assert found.estimate.value == 4.0  # 4.5 - 0.5
    by_seeds = 0.5 / 2 + 4.5 / 2  # scores 0, 1 and 3, 6: variances 0.5 and 4.5
    by_questions = 4 / 3 / 4  # differences of means 3, 5, 3, 5: variance 4/3
    # of question and seed together: what is left of each group without the question's mean, 0, 0, -1, 1 and so on: of
    # either seed of the first 0, -1, 0, -1 (variance 1/3), of the second -1, -2, -1, -2 (1/3); over n = 4, by 2 · 1
    both = (1 / 3 / 4 + 1 / 3 / 4) / 2 * 2
    variance = max(by_seeds + by_questions - both, by_seeds, by_questions)
    assert found.estimate.stderr == pytest.approx(math.sqrt(variance))
    freedom = math.floor(variance**2 / (0.25**2 / 1 + 2.25**2 / 1 + by_questions**2 / 3))  # 1
    assert found.estimate.ci_high == pytest.approx(4 + student.ppf(0.975, freedom) * math.sqrt(variance))
    assert found.p == pytest.approx(2 * student.sf(4 / math.sqrt(variance), freedom))
    assert found.test == "student"


def test_seeds_that_do_not_vary_leave_the_paired_difference():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(50, 1)), rng.normal(0.5, 1, size=(50, 1))
    groups = group_difference(np.repeat(first, 3, axis=1), np.repeat(second, 3, axis=1))
    pair = paired_difference(first[:, 0], second[:, 0])
    assert groups.estimate.value == pytest.approx(pair.estimate.value)
    assert groups.estimate.stderr == pytest.approx(pair.estimate.stderr)


def test_two_checkpoints_differ_where_their_recipes_do_not():
    # the seeds of either recipe score 0.4 to 0.6: the first two differ for sure, the recipes do not
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.05, (400, 1))
    first, second = noise + np.array([[0.4, 0.5, 0.6]]), noise + np.array([[0.6, 0.5, 0.4]])
    assert paired_difference(first[:, 0], second[:, 0]).p < 0.001
    recipes = group_difference(first, second)
    assert recipes.p > 0.5
    assert recipes.estimate.ci_low < 0 < recipes.estimate.ci_high


def test_a_group_against_a_single_model():
    rng = np.random.default_rng(3)
    base, tuned = rng.normal(size=(80, 1)), rng.normal(1, 1, size=(80, 3))
    found = group_difference(base, tuned)
    means = tuned.mean(axis=0)
    assert found.estimate.value == pytest.approx(means.mean() - base.mean())
    assert found.estimate.stderr >= math.sqrt(means.var(ddof=1) / 3)
    assert found.estimate.stderr >= strata_of(tuned.mean(axis=1) - base[:, 0], None).stderr


def test_the_level():
    # recipes of equal worth whose seeds vary: at most 5% + 2.6 · √(0.05 · 0.95 / 1500) = 6.5%
    rng, rejected = np.random.default_rng(4), []
    for _ in range(1500):
        question = rng.normal(size=(60, 1))
        sides = [question + 0.2 * rng.normal(size=(1, 3)) + rng.normal(size=(60, 3)) for _ in range(2)]
        rejected.append(group_difference(*sides).p <= 0.05)
    assert np.mean(rejected) < 0.065


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros((3, 1)), np.zeros((3, 1)), "paired difference"),
        (np.zeros((3, 2)), np.zeros((4, 2)), "same items"),
        (np.full((3, 2), np.inf), np.zeros((3, 2)), "infinite"),
    ],
)
def test_no_groups(first: np.ndarray, second: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        group_difference(first, second)


def test_the_words():
    assert seed_words(["eli5", "wiki"], [1, 1]) == (
        "One training seed of eli5, wiki: what is shown is about these checkpoints; another seed of the same recipes "
        "may differ."
    )
    assert "Several training seeds (3 of eli5)" in seed_words(["eli5"], [3])
    assert seed_words(["a", "b"], [3, 1]).startswith("One training seed of b: what is shown is about that checkpoint")
