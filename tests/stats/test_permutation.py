"""Sign flips and exchanges: all patterns by hand, scipy's test, McNemar's as a special case, and the level."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from s2eval.metrics import flesch
from s2eval.stats import mcnemar_exact, sign_flip_test, swap_test
from s2eval.stats.permutation import random_signs

few = st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=8)


def ease(sums: np.ndarray) -> np.ndarray:
    return flesch(sums[:, 0], sums[:, 1], sums[:, 2])[0]


# -- sign flips


def test_by_hand():
    # 3, 1, -1: sums of the 8 patterns 5, 3, 3, 1 and their negatives; |sum| ≥ 3 in 6 of 8
    assert sign_flip_test([3, 1, -1]) == 6 / 8


@given(few)
def test_few_items_are_enumerated(contributions: list[float]):
    seen = abs(sum(contributions))
    sums = [abs(sum(sign * c for sign, c in zip(signs, contributions, strict=True)))
            for signs in product((1, -1), repeat=len(contributions))]  # fmt: skip
    assert sign_flip_test(contributions) == pytest.approx(np.mean([one >= seen - 1e-9 for one in sums]))


def test_scipys_permutation_test():
    data = np.random.default_rng(3).normal(0.3, 1, 40)
    theirs = permutation_test(
        (data, np.zeros_like(data)),
        lambda x, y, axis: np.sum(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    )
    assert sign_flip_test(data, resamples=20_000) == pytest.approx(theirs.pvalue, abs=0.01)


def test_right_and_wrong_answers_give_mcnemars_exact_test():
    # only the 30 that differ count, and their sum is binomial: 20 against 10
    differences = np.concatenate([np.ones(20), -np.ones(10), np.zeros(70)])
    assert sign_flip_test(differences / 100, resamples=100_000) == pytest.approx(
        float(mcnemar_exact(20, 10)), abs=0.003
    )


def test_the_two_ways_of_drawing_agree():
    # of items with the same size it is drawn how many are positive; a grain of sand makes all sizes distinct
    data = np.where(np.random.default_rng(5).random(400) < 0.55, 1.0, -1.0)
    grains = data * (1 + 1e-7 * np.arange(400))
    assert sign_flip_test(data, resamples=50_000) == pytest.approx(sign_flip_test(grains, resamples=50_000), abs=0.01)


def test_nothing_differs():
    assert sign_flip_test(np.zeros(9)) == sign_flip_test([]) == 1


def test_the_smallest_p_tells_how_many_patterns_were_drawn():
    assert sign_flip_test(np.linspace(1, 2, 200), resamples=999) == 1 / 1000


def test_the_level():
    # 2,000 experiments without a difference at 5%: 0.05 ± 2.6 · √(0.05 · 0.95 / 2000) = 0.037 to 0.063
    rng = np.random.default_rng(11)
    rejected = [sign_flip_test(rng.standard_t(3, 30), resamples=499) <= 0.05 for _ in range(2000)]
    assert 0.037 < np.mean(rejected) < 0.063


def test_the_same_again():
    data = np.random.default_rng(2).normal(size=500)
    assert sign_flip_test(data) == sign_flip_test(data)


def test_signs_are_fair_and_independent():
    signs = np.concatenate(list(random_signs(20, 20_000)))
    assert set(np.unique(signs)) == {-1.0, 1.0}
    correlations = signs.T @ signs / len(signs)
    assert np.abs(correlations - np.eye(20)).max() < 5 / np.sqrt(len(signs))


@pytest.mark.parametrize("contributions", [[1.0, np.nan], [1.0, np.inf], [[1.0], [2.0]]])
def test_no_contributions(contributions: list):
    with pytest.raises(ValueError, match="finite and have one dimension"):
        sign_flip_test(contributions)


# -- exchanges


def test_the_exchange_of_a_mean_is_a_sign_flip():
    rng = np.random.default_rng(7)
    first, second = rng.normal(size=(60, 1)), rng.normal(0.3, 1, size=(60, 1))
    swapped = swap_test(lambda sums: sums[:, 0], first, second, resamples=50_000)
    assert swapped == pytest.approx(sign_flip_test((second - first)[:, 0], resamples=50_000), abs=0.01)


def test_an_exchange_by_hand():
    # words and sentences of one answer that differs: 10/1 against 10/2; the other is the same: exchanged or not, |d| is
    # the same, so every pattern is as extreme
    first, second = [[10, 1], [8, 2]], [[10, 2], [8, 2]]
    assert swap_test(lambda sums: sums[:, 0] / sums[:, 1], first, second) == 1


def test_harder_answers_are_found():
    rng = np.random.default_rng(9)
    words = np.round(rng.lognormal(4, 0.5, 80))
    first = np.stack([words, np.ceil(words / 12), words * 1.3], axis=1)
    second = np.stack([words, np.ceil(words / 20), words * 1.5], axis=1)
    assert swap_test(ease, first, second) == pytest.approx(1 / 10_001)
    assert swap_test(ease, first, first) == 1


def test_exchanges_without_a_value_count_as_extreme():
    # the sums of sentences are 0 and 2, or 1 and 1, by the toss: without sentences there is no value
    first, second = [[4.0, 0.0], [4.0, 1.0]], [[4.0, 1.0], [4.0, 0.0]]
    assert swap_test(lambda sums: sums[:, 0] / sums[:, 1], first, second) == 1


def test_shapes():
    with pytest.raises(ValueError, match="one shape"):
        swap_test(ease, [[1.0, 1.0, 1.0]], [[1.0, 1.0]])
