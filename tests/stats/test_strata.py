"""Means over strata: standard error and degrees of freedom by hand, and the bootstrap against them."""

from __future__ import annotations

import numpy as np
import pytest

from s2eval.stats import bootstrap, joined, mean, strata_of, stratified_bootstrap, stratified_mean


def test_by_hand():
    # strata 1, 3 and 5, 5, 8: means 2 and 6, mean 4; s² = 2 and 3, v = ¼ · 2/2 and ¼ · 3/3 = 1/4 each
    strata = strata_of(np.array([1.0, 3, 5, 5, 8]), list("aabbb"))
    assert strata.value == 4.0
    assert strata.stderr == pytest.approx(0.5**0.5)
    # (1/4 + 1/4)² / ((1/4)² / 1 + (1/4)² / 2) = 0.25 / 0.09375
    assert strata.freedom == pytest.approx(8 / 3)
    assert strata.contributions == pytest.approx([0.25, 0.75, 5 / 6, 5 / 6, 8 / 6])
    assert strata.contributions.sum() == pytest.approx(strata.value)


def test_one_stratum_is_a_plain_mean():
    values = np.array([1.0, 4, 6, 9, 5.5])
    strata, plain = strata_of(values, None), mean(values)
    assert strata.value == plain.value
    assert strata.stderr == pytest.approx(plain.stderr)
    assert strata.freedom == 4


def test_a_stratum_of_one_borrows_the_spread_of_all():
    # 1, 3 and 8: variances 2 and that of all three, 13; v = ¼ · 2/2 and ¼ · 13/1
    strata = strata_of(np.array([1.0, 3, 8]), ["a", "a", "b"])
    assert strata.stderr == pytest.approx((0.25 + 13 / 4) ** 0.5)


def test_the_standard_error_is_that_of_stratified_mean():
    rng = np.random.default_rng(1)
    values, labels = rng.normal(size=200), rng.integers(0, 12, 200)
    assert strata_of(values, labels).stderr == stratified_mean(values, labels).stderr


def test_an_average_of_parts():
    # parts with means 2 and (6 + 3) / 2 = 4.5: 3.25; each stratum of the second weighs a quarter
    whole = joined([strata_of(np.array([1.0, 3]), None), strata_of(np.array([5.0, 7, 3, 3]), list("aabb"))])
    assert whole.value == 3.25
    assert whole.weights.tolist() == [0.5, 0.25, 0.25]
    assert whole.stderr == pytest.approx((0.25 * 2 / 2 + 0.0625 * 2 / 2) ** 0.5)


def test_nothing_varies():
    assert strata_of(np.array([2.0, 2, 5, 5]), list("aabb")).freedom is None
    assert strata_of(np.array([2.0]), None).stderr is None


# -- the bootstrap


def test_its_standard_error_is_the_formulas():
    # 10,000 resamples know a standard error to 1/√20,000 = 0.7%
    rng = np.random.default_rng(2)
    for values in (rng.choice([-1.0, 0, 1], 600), rng.normal(size=600)):
        strata = strata_of(values, rng.integers(0, 20, 600))
        drawn = stratified_bootstrap(strata)
        assert drawn.value == strata.value
        assert drawn.stderr == pytest.approx(strata.stderr, rel=0.03)
        assert (drawn.ci_low, drawn.ci_high) == pytest.approx(
            (strata.value - 1.96 * strata.stderr, strata.value + 1.96 * strata.stderr), abs=0.1 * strata.stderr
        )


def test_small_strata_do_not_seem_surer_than_they_are():
    # two items each: without stretching the standard error would be 1/√2 of it
    values, labels = np.random.default_rng(3).normal(size=114), np.repeat(np.arange(57), 2)
    strata = strata_of(values, labels)
    assert stratified_bootstrap(strata).stderr == pytest.approx(strata.stderr, rel=0.03)


def test_strata_of_one():
    strata = strata_of(np.array([1.0, 3, 8, 4]), ["a", "a", "b", "c"])
    assert stratified_bootstrap(strata).stderr == pytest.approx(strata.stderr, rel=0.03)


def test_one_stratum_is_the_plain_bootstrap():
    values = np.random.default_rng(4).exponential(size=300)
    ours = stratified_bootstrap(strata_of(values, None))
    plain = bootstrap(lambda w: np.einsum("bn,n->b", w, values) / w.sum(axis=1), 300)
    assert (ours.ci_low, ours.ci_high) == pytest.approx((plain.ci_low, plain.ci_high), abs=0.01)
    assert ours.method == "bootstrap-bca"


def test_the_two_ways_of_drawing_agree():
    # values that come often are drawn by their number; a grain of sand makes them distinct
    rng = np.random.default_rng(5)
    values, labels = rng.choice([-1.0, 0, 1], 500, p=[0.2, 0.5, 0.3]), rng.integers(0, 4, 500)
    grains = values + 1e-9 * np.arange(500)
    often, each = (stratified_bootstrap(strata_of(x, labels)) for x in (values, grains))
    assert often.stderr == pytest.approx(each.stderr, rel=0.03)
    assert (often.ci_low, often.ci_high) == pytest.approx((each.ci_low, each.ci_high), abs=0.2 * often.stderr)


def test_too_little_to_tell():
    assert stratified_bootstrap(strata_of(np.array([2.0]), None)).method == "none"
    constant = stratified_bootstrap(strata_of(np.array([2.0, 2, 5, 5]), list("aabb")))
    assert (constant.method, constant.stderr, constant.ci_low) == ("constant", 0.0, None)


def test_the_same_again():
    strata = strata_of(np.random.default_rng(6).normal(size=90), np.repeat(np.arange(9), 10))
    assert stratified_bootstrap(strata) == stratified_bootstrap(strata)
    assert stratified_bootstrap(strata, seed=1) != stratified_bootstrap(strata)
