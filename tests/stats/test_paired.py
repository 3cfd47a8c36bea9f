"""Differences of two models: which method each kind of score gets, the arithmetic, and what does not change it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from s2eval.metrics import flesch
from s2eval.records import Scale
from s2eval.stats import (
    Pairs,
    clustered_mean,
    detectable,
    detectable_share,
    mcnemar_mid_p,
    paired_average,
    paired_difference,
    paired_statistic,
    scale,
    sign_flip_test,
    stratified_mean,
    tango_interval,
)

scores = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=30)


def ease(sums: np.ndarray) -> np.ndarray:
    return flesch(sums[:, 0], sums[:, 1], sums[:, 2])[0]


# -- right and wrong


def test_right_and_wrong_answers():
    # right: 2 of 6 and 5 of 6; only the second model on three, only the first on none
    found = paired_difference([1, 0, 0, 1, 0, 0], [1, 1, 1, 1, 1, 0])
    low, high = tango_interval(3, 0, 6)
    assert found.estimate.value == 0.5
    assert (found.estimate.ci_low, found.estimate.ci_high, found.estimate.method) == (low, high, "tango")
    # differences 0, 1, 1, 0, 1, 0: s² = 6 · 0.25 / 5 = 0.3; √(0.3 / 6)
    assert found.estimate.stderr == pytest.approx(0.05**0.5)
    assert (found.p, found.test) == (mcnemar_mid_p(3, 0), "mcnemar-mid-p")
    assert found.discordant == 0.5
    assert found.detectable() == detectable_share(0.5, 6)


def test_the_same_answers_are_no_certainty():
    found = paired_difference([1, 0] * 50, [1, 0] * 50)
    assert (found.estimate.value, found.p, found.discordant) == (0.0, 1.0, 0.0)
    assert found.estimate.ci_low < 0 < found.estimate.ci_high
    assert found.detectable() == detectable_share(0.0, 100)


def test_an_item_that_one_lacks_counts_in_n_only():
    found = paired_difference([1, None, 0, 1, math.nan], [1, 1, 1, None, None])
    assert (found.estimate.value, found.estimate.n, found.estimate.n_valid) == (0.5, 5, 2)


# -- scores in between


def test_the_interval_and_the_test_of_scores():
    first, second = [0.2, 0.4, 0.9, 0.5, 0.35], [0.3, 0.45, 0.8, 0.9, 0.7]
    found = paired_difference(first, second)
    theirs = ttest_rel(second, first).confidence_interval()
    assert found.estimate.value == pytest.approx(0.16)  # (0.1 + 0.05 - 0.1 + 0.4 + 0.35) / 5
    assert (found.estimate.ci_low, found.estimate.ci_high) == pytest.approx((theirs.low, theirs.high))
    assert found.estimate.method == "student"
    assert (found.p, found.test) == (sign_flip_test(np.subtract(second, first) / 5), "sign-flip")
    assert found.detectable(0.1) == detectable(found.estimate.stderr, 0.1, freedom=4)


def test_scores_that_happen_to_be_0_and_1_are_no_shares():
    found = paired_difference([0, 1, 0, 1], [1, 1, 0, 0], shares=False)
    assert (found.estimate.method, found.test) == ("student", "sign-flip")


@given(scores)
def test_the_models_exchanged(pairs: list[tuple[float, float]]):
    first, second = zip(*pairs, strict=True)
    one, other = paired_difference(first, second), paired_difference(second, first)
    assert one.estimate.value == -other.estimate.value
    mirrored = scale(other.estimate, -1)  # Tango's bounds are roots, found to some 1e-12
    assert (one.estimate.ci_low, one.estimate.ci_high) == pytest.approx((mirrored.ci_low, mirrored.ci_high), abs=1e-9)
    assert (one.p, one.test, one.discordant) == (other.p, other.test, other.discordant)


@given(scores, st.randoms())
def test_the_order_of_items_changes_no_number_of_the_interval(pairs: list[tuple[float, float]], random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    one, other = (paired_difference(*zip(*some, strict=True)).estimate for some in (pairs, shuffled))
    assert (one.method, one.n_valid) == (other.method, other.n_valid)
    assert (one.value, one.ci_low) == pytest.approx((other.value, other.ci_low), abs=1e-9)


def test_one_difference_again_and_again():
    found = paired_difference([0.1, 0.2, 0.3, 0.4], [0.4, 0.5, 0.6, 0.7])
    assert (found.estimate.method, found.estimate.stderr, found.estimate.ci_low) == ("constant", 0.0, None)
    assert found.p == 2 / 16  # all of one sign: 2 of 16 patterns
    bounded = paired_difference([0.1, 0.2, 0.3, 0.4], [0.4, 0.5, 0.6, 0.7], within=Scale(0.0, 1.0)).estimate
    assert -1 < bounded.ci_low < bounded.value < bounded.ci_high < 1
    assert found.detectable() is None


def test_so_few_that_differ_show_nothing():
    # the signs of five can be alike by chance in 2 of 32; six in 2 of 64, below 5% but not below 1%
    five, six = (paired_difference(np.zeros(50), np.arange(50) < n, shares=False) for n in (5, 6))
    assert (five.differing, five.detectable()) == (5, None)
    assert six.detectable() == pytest.approx(detectable(six.estimate.stderr, freedom=49))
    assert six.detectable(alpha=0.01) is None


def test_too_few_to_tell():
    one = paired_difference([0.1], [0.4])
    assert (one.estimate.method, one.p, one.test, one.detectable()) == ("too-few", None, "none", None)
    for first, second in (([0.1, 0.4], [0.1, 0.4]), ([0, 1], [0, 1]), ([1, 0, 0], [0, 1, 1])):
        few = paired_difference(first, second)
        assert (few.estimate.method, few.estimate.ci_low, few.p, few.test) == ("too-few", None, None, "none")
    nothing = paired_difference([None, 1], [1, None])
    assert (nothing.estimate.value, nothing.estimate.n, nothing.estimate.n_valid, nothing.p) == (None, 2, 0, None)


# -- strata and averages


def test_strata_weigh_alike():
    # differences 1, 0 and 1, 1, 1, 0: means 1/2 and 3/4, mean 5/8; over all items it would be 4/6
    first, second, labels = [0, 0, 0, 0, 0, 0], [1, 0, 1, 1, 1, 0], list("aabbbb")
    found = paired_difference(first, second, strata=labels)
    assert found.estimate.value == 5 / 8
    assert found.estimate.stderr == stratified_mean(second, labels).stderr
    # contributions 1/4, 0, 1/8, 1/8, 1/8: all of one sign: 2 of 16
    assert (found.p, found.test) == (2 / 16, "sign-flip")


def test_a_stratum_without_a_pair_leaves_no_difference():
    found = paired_difference([1, 0, None], [0, 1, 1], strata=["a", "a", "b"])
    assert (found.estimate.value, found.estimate.n, found.estimate.n_valid, found.p) == (None, 3, 2, None)


def test_an_average_of_four():
    # differences of the parts: 1/2, 0, (1 + 0)/2 over two strata, 0.2: mean 0.3
    parts = [
        Pairs([0, 0], [1, 0]),
        Pairs([1, 0], [1, 0]),
        Pairs([0, 0, 1], [1, 1, 1], ["a", "a", "b"]),
        Pairs([0.1, 0.2], [0.3, 0.4]),
    ]
    found = paired_average(parts)
    assert found.estimate.value == pytest.approx(0.3)
    assert (found.estimate.n, found.estimate.n_valid) == (9, 9)
    # a quarter of each: 1/8, 1/16 and 1/16, 1/40 and 1/40: five of one sign, 2 of 32
    assert found.p == 2 / 32


def test_an_average_of_which_a_part_is_missing():
    found = paired_average([Pairs([0, 1], [1, 1]), Pairs([None], [1])])
    assert (found.estimate.value, found.estimate.n, found.estimate.n_valid) == (None, 3, 2)


# -- clusters


def test_the_turns_of_a_question_are_one_cluster():
    first, second, questions = [1, 3, 5, 7, 2, 4], [2, 5, 5, 9, 2, 4], ["a", "a", "b", "b", "c", "d"]
    found = paired_difference(first, second, clusters=questions)
    differences = [1, 2, 0, 2, 0, 0]
    assert found.estimate.value == 5 / 6
    assert found.estimate.stderr == pytest.approx(clustered_mean(differences, questions).stderr)
    # sums 3, 2, 0, 0: of the 4 patterns of the two that differ two are as extreme as 5
    assert found.p == 2 / 4


def test_one_item_a_cluster_is_no_cluster():
    first, second = [0.2, 0.4, 0.9, 0.5], [0.3, 0.45, 0.8, 0.9]
    alone, plain = paired_difference(first, second, clusters=range(4)), paired_difference(first, second)
    assert alone.estimate.ci_low == pytest.approx(plain.estimate.ci_low)
    assert alone.p == plain.p


def test_repeated_turns_make_nothing_surer():
    rng = np.random.default_rng(1)
    difference = rng.normal(0.2, 1, 40)
    once = paired_difference(np.zeros(40), difference, clusters=range(40))
    thrice = paired_difference(np.zeros(120), np.repeat(difference, 3), clusters=np.repeat(np.arange(40), 3))
    assert thrice.estimate.ci_low == pytest.approx(once.estimate.ci_low)
    assert thrice.p == pytest.approx(once.p, abs=0.02)


def test_clusters_and_strata_at_once():
    with pytest.raises(ValueError, match="at once"):
        paired_difference([1, 0], [0, 1], strata=["a", "b"], clusters=["a", "b"])


# -- whole texts


def test_a_whole_text():
    # words, sentences, syllables: 30/3 words a sentence and 1.5 syllables a word against 30/6 and 1.5: reading ease
    # differs by 1.015 · (10 - 5)
    first, second = [[10, 1, 15], [20, 2, 30]] * 2, [[10, 2, 15], [20, 4, 30]] * 2
    found = paired_statistic(ease, first, second)
    assert found.estimate.value == pytest.approx(1.015 * 5)
    assert found.test == "swap"


def test_the_jackknife_of_a_mean_is_its_standard_error():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(30, 1)), rng.normal(size=(30, 1))
    ones = np.ones((30, 1))

    def ratio(sums: np.ndarray) -> np.ndarray:
        return sums[:, 0] / sums[:, 1]

    found = paired_statistic(ratio, np.hstack([first, ones]), np.hstack([second, ones]))
    plain = paired_difference(first[:, 0], second[:, 0])
    assert found.estimate.stderr == pytest.approx(plain.estimate.stderr)
    assert found.estimate.ci_low == pytest.approx(plain.estimate.ci_low)
    assert found.p == pytest.approx(plain.p, abs=0.02)


def test_a_whole_text_of_one_or_no_answer():
    one = paired_statistic(ease, [[10, 1, 15]], [[10, 2, 15]])
    assert (one.estimate.method, one.p) == ("too-few", None)
    assert paired_statistic(ease, np.zeros((0, 3)), np.zeros((0, 3))).estimate.value is None


# -- what cannot be


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_difference([1, 2], [1]), "one shape"),
        (lambda: paired_difference([1, math.inf], [1, 2]), "value inf of item 1"),
        (lambda: paired_difference([1, 2], [1, 2], strata=["a"]), "strata of 1"),
        (lambda: paired_difference([1, 2], [1, 2], clusters=["a"]), "clusters of 1"),
        (lambda: paired_statistic(ease, [[1, 1, 1]], [[1, 1]]), "one shape"),
    ],
)
def test_shapes(call, message: str):
    with pytest.raises(ValueError, match=message):
        call()
