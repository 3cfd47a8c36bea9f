from __future__ import annotations

import math
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval.records import Estimate
from s2eval.stats import bca_interval, bootstrap
from s2eval.stats.bootstrap import acceleration, jackknife_weights, resample_weights

# Efron & Tibshirani (1993), table 14.1: the spatial test, variable A of 26 children. For its plug-in
# variance, 171.5, section 14.3 gives the acceleration 0.061, and table 14.2 (page 183) the 90% BCa interval
# (115.8, 259.6), from 2,000 resamples.
SPATIAL = np.array(
    [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41.0]
)


def weighted_mean(x):
    return lambda w: (w @ x) / w.sum(axis=1)


def weighted_variance(x):
    return lambda w: weighted_mean(x**2)(w) - weighted_mean(x)(w) ** 2


def left_out(statistic, *columns):
    n = len(columns[0])
    return np.array([statistic(*(np.delete(column, i) for column in columns)) for i in range(n)])


def no_nan(estimate: Estimate) -> bool:
    numbers = (estimate.value, estimate.stderr, estimate.ci_low, estimate.ci_high)
    return all(number is None or math.isfinite(number) for number in numbers)


# -- against others


def test_the_spatial_data_of_efron_and_tibshirani():
    estimate = bootstrap(weighted_variance(SPATIAL), 26, confidence=0.9, resamples=50_000)
    assert estimate.value == pytest.approx(171.5, abs=0.05)
    assert acceleration(left_out(np.var, SPATIAL)) == pytest.approx(0.061, abs=5e-4)
    assert estimate.method == "bootstrap-bca"
    # A bound from 2,000 resamples has a Monte Carlo error of some 0.05 standard errors (42) = 2.
    assert estimate.ci_low == pytest.approx(115.8, abs=3)
    assert estimate.ci_high == pytest.approx(259.6, abs=6)


@pytest.mark.parametrize(
    ("statistic", "columns"),
    [
        (np.mean, (SPATIAL,)),
        (np.var, (SPATIAL,)),
        (np.mean, (np.random.default_rng(1).exponential(size=60),)),
        (np.mean, (np.random.default_rng(2).integers(1, 11, size=60).astype(float),)),  # many ties
        (lambda x, y: x.sum() / y.sum(), tuple(np.random.default_rng(3).gamma(2, size=(2, 40)))),
    ],
    ids=["mean", "variance", "skewed", "ties", "ratio"],
)
def test_equals_scipy_on_the_same_resamples(statistic, columns):
    theirs = scipy.stats.bootstrap(
        columns, statistic, paired=True, vectorized=False, n_resamples=2000, method="BCa", rng=5
    )
    ours = bca_interval(statistic(*columns), theirs.bootstrap_distribution, left_out(statistic, *columns))
    assert ours.method == "bootstrap-bca"
    assert ours.low == pytest.approx(theirs.confidence_interval.low, rel=1e-12)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, rel=1e-12)


def test_equals_scipy_from_the_data_on():
    x, y = np.random.default_rng(4).gamma(2, size=(2, 80))
    ours = bootstrap(lambda w: (w @ x) / (w @ y), 80)
    theirs = scipy.stats.bootstrap(
        (x, y),
        lambda x, y, axis: x.sum(axis) / y.sum(axis),
        paired=True,
        n_resamples=10_000,
        method="BCa",
        rng=6,
    )
    assert ours.value == pytest.approx(x.sum() / y.sum(), rel=1e-14)
    assert ours.stderr == pytest.approx(theirs.standard_error, rel=0.05)
    # Two bounds from 10,000 resamples each differ by 0.04 standard errors; four times that.
    assert ours.ci_low == pytest.approx(theirs.confidence_interval.low, abs=0.16 * ours.stderr)
    assert ours.ci_high == pytest.approx(theirs.confidence_interval.high, abs=0.16 * ours.stderr)


def test_the_standard_error_of_a_mean():
    x = np.random.default_rng(7).normal(size=200)
    # The bootstrap's own variance is the plug-in variance over n; 10,000 resamples know it to 0.7%.
    assert bootstrap(weighted_mean(x), 200).stderr == pytest.approx(x.std() / math.sqrt(200), rel=0.03)


def test_covers_the_mean_of_a_skewed_distribution_on_both_sides():
    # 1,500 samples of 30 from an exponential distribution. Over 3,000 others the truth lay above the
    # interval in 4.5% and below in 3.0%; a percentile interval has 6.5 and 1.5, without acceleration it is
    # 5.7 and 2.0, with the wrong sign of it 7.3 and 1.3.
    rng = np.random.default_rng(8)
    above = below = 0
    for seed in range(1500):
        x = rng.exponential(size=30)
        estimate = bootstrap(weighted_mean(x), 30, resamples=1000, seed=seed)
        above += estimate.ci_high < 1
        below += estimate.ci_low > 1
    assert (above + below) / 1500 < 0.095
    assert abs(above - below) / 1500 < 0.035


# -- the arithmetic


def test_acceleration():
    # Left out one by one, the means of 0, 0, 3 are 1.5, 1.5, 0; deviations from their mean 1: -0.5, -0.5, 1.
    # Σd³ = 0.75, Σd² = 1.5: 0.75 / (6 · 1.5^1.5)
    assert acceleration(np.array([1.5, 1.5, 0.0])) == pytest.approx(0.75 / (6 * 1.5**1.5))
    assert acceleration(np.array([1.5, 1.5, 0.0]) * 1e-120) == pytest.approx(0.75 / (6 * 1.5**1.5))
    assert acceleration(np.array([1.0, 2.0, 3.0])) == pytest.approx(0)
    assert acceleration(np.full(5, 0.1)) is None


def test_resample_weights_are_multinomial_counts():
    weights = np.concatenate(list(resample_weights(n=50, resamples=40_000, seed=1)))
    assert weights.shape == (40_000, 50)
    assert (weights.sum(axis=1) == 50).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(50), abs=0.025)  # 5 · 1/√40,000
    assert weights.var(axis=0) == pytest.approx(np.full(50, 1 - 1 / 50), abs=0.06)
    assert np.corrcoef(weights[:, 0], weights[:, 1])[0, 1] == pytest.approx(-1 / 49, abs=0.025)


def test_jackknife_weights_leave_out_one(monkeypatch):
    monkeypatch.setattr(sys.modules["s2eval.stats.bootstrap"], "CELLS", 8)  # blocks of two rows
    assert [block.tolist() for block in jackknife_weights(3)] == [[[0, 1, 1], [1, 0, 1]], [[1, 1, 0]]]


def test_the_same_seed_gives_the_same_and_blocks_do_not_matter(monkeypatch):
    x = np.random.default_rng(9).exponential(size=77)

    def statistic(w):
        return np.einsum("bn,n->b", w, x) / w.sum(axis=1)

    once = bootstrap(statistic, 77, resamples=500)
    assert bootstrap(statistic, 77, resamples=500) == once
    assert bootstrap(statistic, 77, resamples=500, seed=1) != once
    monkeypatch.setattr(sys.modules["s2eval.stats.bootstrap"], "CELLS", 77 * 3)
    assert bootstrap(statistic, 77, resamples=500) == once


def test_memory_does_not_grow_with_the_square_of_n():
    x = np.random.default_rng(10).exponential(size=14_042)  # MMLU; its jackknife alone would be 1.6 GB at once
    tracemalloc.start()
    bootstrap(weighted_mean(x), 14_042, resamples=300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_importing_costs_numpy_only():
    code = "import sys, s2eval.stats; print([m for m in ('scipy', 'pandas', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# -- where there is little or nothing to tell


def test_all_values_equal():
    estimate = bootstrap(weighted_mean(np.full(7, 0.1)), 7)
    assert (estimate.stderr, estimate.method) == (0, "constant")
    assert estimate.value == pytest.approx(0.1)
    assert (estimate.ci_low, estimate.ci_high) == (None, None)  # no spread was seen, which is not precision


def test_no_event_and_one():
    none, one = np.zeros(60), np.eye(60)[0]
    assert bootstrap(weighted_mean(none), 60) == Estimate(0, 0, None, None, 60, 60, "constant")  # scipy: NaN
    estimate = bootstrap(weighted_mean(one), 60)
    assert estimate.method == "bootstrap-bca"
    assert 0 <= estimate.ci_low <= 1 / 60 < estimate.ci_high < 0.2


def test_no_item_and_one():
    assert bootstrap(weighted_mean(np.array([])), 0) == Estimate(None, None, None, None, 0, 0, "none")
    assert bootstrap(weighted_mean(np.array([3.0])), 1) == Estimate(3, None, None, None, 1, 1, "too-few")


def test_a_ratio_without_a_value():
    nothing = np.zeros(5)  # five empty answers: no words, no sentences
    assert bootstrap(lambda w: (w @ nothing) / (w @ nothing), 5) == Estimate(None, None, None, None, 5, 0, "none")


def test_a_ratio_that_many_resamples_leave_without_a_value():
    sentences = np.array([2.0, 0, 0, 0, 0])  # 33% of resamples miss the one answer that is not empty
    words = 10 * sentences
    estimate = bootstrap(lambda w: (w @ words) / (w @ sentences), 5)
    assert estimate == Estimate(10, None, None, None, 5, 5, "bootstrap-undefined")


def test_a_ratio_that_few_resamples_leave_without_a_value():
    sentences = np.array([1.0] * 6 + [0.0] * 5)  # (5/11)^11: one resample in 5,900 has no sentence
    words = np.arange(10.0, 21.0)

    def without_sentence(seed):
        return sum(np.count_nonzero(w @ sentences == 0) for w in resample_weights(11, 2000, seed))

    seed = next(seed for seed in range(100) if 0 < without_sentence(seed) <= 2)  # up to 1 in 1,000 is let pass
    estimate = bootstrap(lambda w: (w @ (words * sentences)) / (w @ sentences), 11, resamples=2000, seed=seed)
    assert estimate.method == "bootstrap-bca"
    assert 10 < estimate.ci_low < estimate.value < estimate.ci_high < 15


@pytest.mark.parametrize(
    ("value", "drawn", "jackknife"),
    [
        (0.0, np.arange(1.0, 101.0), np.arange(5.0)),  # all above the value: z0 = -∞
        (101.0, np.arange(1.0, 101.0), np.arange(5.0)),  # all below: z0 = ∞
        (50.0, np.arange(1.0, 101.0), np.ones(5)),  # acceleration 0/0
        # a = 1/6 and z0 = 4.3: 1 - a (z0 + 1.96) < 0
        (99_999.5, np.arange(1.0, 100_001.0), np.append(np.zeros(9999), -1)),
    ],
    ids=["all-above", "all-below", "no-acceleration", "no-denominator"],
)
def test_falls_back_to_the_percentile_interval_and_says_so(value, drawn, jackknife):
    interval = bca_interval(value, drawn, jackknife)
    assert interval.method == "bootstrap-percentile"
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(drawn, (0.025, 0.975))))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 0.1]), min_size=1, max_size=12),
    st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=12, max_size=12),
)
def test_never_nan(values, denominators):
    x, y = np.array(values), np.array(denominators[: len(values)])
    for statistic in (weighted_mean(x), weighted_variance(x), lambda w: (w @ x) / (w @ y)):
        estimate = bootstrap(statistic, len(x), resamples=200)
        assert no_nan(estimate)
        assert (estimate.ci_low is None) == (estimate.stderr is None or estimate.method == "constant")
        assert estimate.ci_low is None or estimate.ci_low <= estimate.ci_high


# -- wrong use


def test_a_statistic_that_divides_by_n_is_refused():
    with pytest.raises(ValueError, match="divide by the sum of the weights"):
        bootstrap(lambda w: w.sum(axis=1) / 5, 5)


def test_a_statistic_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"must have shape \(2,\), not \(5,\)"):
        bootstrap(lambda w: w.mean(axis=0), 5)


@pytest.mark.parametrize("wrong", [{"n": -1}, {"resamples": 1}, {"confidence": 1.0}, {"confidence": 0.0}])
def test_arguments_out_of_range(wrong):
    with pytest.raises(ValueError, match="out of range"):
        bootstrap(weighted_mean(np.ones(5)), **{"n": 5, **wrong})
