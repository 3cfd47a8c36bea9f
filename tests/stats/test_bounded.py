"""Intervals of bounded scores: within the range, around the value, with a width, and holding the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval.records import Scale
from s2eval.stats import clustered_mean, jackknife, mean, mean_bounds, paired_difference, share_bounds, stratified_mean
from s2eval.stats.bounded import difference_weight, mean_weight

Z = 1.959963984540054
UNIT = Scale(0.0, 1.0, graded=True)
RATING = Scale(1.0, 10.0, graded=True)

unit_scores = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0])), min_size=4, max_size=30)
ratings = st.lists(st.integers(1, 10), min_size=8, max_size=40)


# -- properties


@settings(max_examples=60, deadline=None)
@given(unit_scores)
def test_a_mean_of_scores(values: list[float]) -> None:
    one = mean(values, within=UNIT)
    assert 0 <= one.ci_low <= one.value <= one.ci_high <= 1
    assert one.ci_low < one.ci_high
    mirrored = mean([1 - value for value in values], within=UNIT)
    assert mirrored.ci_high == pytest.approx(1 - one.ci_low, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(ratings)
def test_ratings_of_two_turns_of_a_question(values: list[int]) -> None:
    one = clustered_mean(values, [number // 2 for number in range(len(values))], within=RATING)
    assert 1 <= one.ci_low <= one.value <= one.ci_high <= 10
    assert one.ci_low < one.ci_high


@settings(max_examples=40, deadline=None)
@given(unit_scores, st.data())
def test_a_difference_of_two_models(first: list[float], data: st.DataObject) -> None:
    scores = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0]))
    second = data.draw(st.lists(scores, min_size=len(first), max_size=len(first)))
    one = paired_difference(first, second, within=UNIT, resamples=200).estimate
    assert -1 <= one.ci_low <= one.value <= one.ci_high <= 1
    assert one.ci_low < one.ci_high


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0.0, 1.0])), min_size=4, max_size=40))
def test_a_mean_over_strata(items: list[tuple[str, float]]) -> None:
    one = stratified_mean([value for _, value in items], [label for label, _ in items])
    if one.method == "too-few":  # one question of a subject and forty of another are worth hardly four
        assert one.ci_low is None
        return
    assert 0 <= one.ci_low <= one.value <= one.ci_high <= 1
    assert one.ci_low < one.ci_high


@given(st.integers(4, 2000), st.floats(0, 1))
def test_shares_mirror(n: int, share: float) -> None:
    (low, high), (other_low, other_high) = share_bounds(share, n), share_bounds(1 - share, n)
    assert (low, high) == (pytest.approx(1 - other_high, abs=1e-6), pytest.approx(1 - other_low, abs=1e-6))
    assert 0 <= low <= share <= high <= 1


def test_more_items_tell_more() -> None:
    widths = [float(np.subtract(*mean_bounds(0.3, 0.04 / n, n)[::-1])) for n in (4, 8, 20, 50, 60, 80, 100, 500)]
    assert widths == sorted(widths, reverse=True)


# -- the arithmetic


def test_by_hand() -> None:
    # 8 scores of mean ¼ and sample variance 0.02, and half an item at 1: mean (2 + ½) / 8.5 = 0.294118; sum of squares
    # 7 · 0.02 + 8 · (0.25 - 0.294118)² + ½ (1 - 0.294118)² = 0.404706, over 8.5 · 7.5: variance 0.0063483 of the mean;
    # 0.294118 · 0.705882 / 0.0063483 = 32.703 items: the bound of a share of 0.294118 of these
    share, n = 2.5 / 8.5, (2.5 / 8.5) * (6 / 8.5) / (0.404706 / 63.75)
    assert n == pytest.approx(32.703, abs=1e-3)
    _, high = mean_bounds(0.25, 0.02 / 8, 8)
    assert high == pytest.approx(share_bounds(share, n)[1], abs=2e-6)


def test_of_many_items_it_is_the_normal_interval() -> None:
    low, high = mean_bounds(0.4, 0.06 / 14042, 14042)
    reach = Z * math.sqrt(0.06 / 14042)
    assert (low, high) == (pytest.approx(0.4 - reach, abs=2e-5), pytest.approx(0.4 + reach, abs=2e-5))


def test_what_is_added_vanishes() -> None:
    assert list(mean_weight([4, 80])) == [0.5, 0.5]
    assert mean_weight(160) == pytest.approx(0.5 / 16)  # ½ (80/160)⁴
    assert difference_weight(100) == pytest.approx(0.2 / 64)


@pytest.mark.parametrize(("n", "most"), [(100, 1.07), (200, 1.01), (1000, 1.005)])
@pytest.mark.parametrize("draw", [lambda r, n: r.beta(4, 12, n), lambda r, n: r.beta(0.9, 1.3, n)])
def test_of_a_hundred_items_and_more_it_is_hardly_wider_than_students(draw, n: int, most: float) -> None:
    values = draw(np.random.default_rng(4), n)
    one, plain = mean(values, within=UNIT), mean(values)
    assert one.ci_high - one.ci_low < most * (plain.ci_high - plain.ci_low)


def test_counts_have_a_longer_way_up_than_down() -> None:
    words = [10.0, 20.0, 40.0, 210.0]
    one = mean(words, within=Scale(0.0, None, graded=True))
    assert (one.value, one.method, one.ci_low) == (70.0, "relative", 0.0)
    share = 3.182446 * one.stderr / 70
    assert one.ci_high == pytest.approx(70 * (1 + share + share**2), rel=1e-5)
    assert mean([0.0] * 4, within=Scale(0.0, None, graded=True)).method == "constant"  # nothing bounds the mean above


def test_a_score_with_one_bound_is_cut_there() -> None:
    one = mean([120.0, 121.0, 121.22, 60.0], within=Scale(None, 121.22, graded=True))
    assert (one.method, one.ci_high) == ("student", 121.22)
    assert one.ci_low < 60


def test_the_jackknife_of_a_mean() -> None:
    """Its standard error is s/√n; the interval √(1 + 2/n) as wide as Student's."""
    values = np.array([1.0, 2.0, 3.0, 6.0])
    one, plain = jackknife(lambda w: (w @ values) / w.sum(axis=1), 4), mean(values)
    assert (one.value, one.method) == (3.0, "jackknife")
    assert one.stderr == pytest.approx(plain.stderr)
    assert one.ci_high - 3 == pytest.approx(math.sqrt(1.5) * (plain.ci_high - 3))
    assert jackknife(lambda w: (w @ values[:3]) / w.sum(axis=1), 3).method == "too-few"


# -- the truth is held


@pytest.mark.parametrize("n", [4, 8, 20, 60])
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda r, s: r.beta(4, 12, s), 0.25),
        (lambda r, s: np.where(r.random(s) < 0.6, 0, r.beta(1.5, 12, s)), 0.4 * 1.5 / 13.5),  # ROUGE-2, most 0
        (lambda r, s: np.where(r.random(s) < 0.05, 1.0, 0.02), 0.069),  # one in twenty is far from the rest
        (lambda r, s: r.choice([0.0, 0.5, 1.0], p=[0.25, 0.3, 0.45], size=s), 0.6),  # wins, ties, losses
    ],
)
def test_coverage(n: int, draw, truth: float) -> None:
    data = draw(np.random.default_rng([1, n]), (2000, n))
    low, high = mean_bounds(data.mean(axis=1), data.var(axis=1, ddof=1) / n, n)
    assert np.mean((low <= truth) & (truth <= high)) > 0.92
