from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from s2eval.records import Estimate, Scale
from s2eval.stats import average, from_summary, mean, proportion, scale, stratified_mean

Z = 1.959963984540054  # 97.5% point of the normal distribution, any table
NAN = float("nan")

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
values = st.lists(st.floats(2, 100), min_size=2, max_size=15)


def exact(value, stderr, n):
    low, high = value - Z * stderr, value + Z * stderr
    return Estimate(value, stderr, low, high, n, n, "recovered")


def same(ours, theirs):
    """Both are one record, numbers to rounding."""
    assert (ours.n, ours.n_valid, ours.method) == (theirs.n, theirs.n_valid, theirs.method)
    for field in ("value", "stderr", "ci_low", "ci_high"):
        assert getattr(ours, field) == pytest.approx(getattr(theirs, field), rel=1e-9, abs=1e-9)


# -- proportion


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
)
def test_wilson_in_newcombe_1998_table_1_method_3(successes, n, low, high):
    estimate = proportion(successes, n)
    assert estimate.ci_low == pytest.approx(low, abs=5e-5)
    assert estimate.ci_high == pytest.approx(high, abs=5e-5)


@given(counts)
def test_wilson_equals_scipy_or_is_within(count):
    successes, n = count
    assume(n >= 4)
    theirs = scipy.stats.binomtest(successes, n).proportion_ci(method="wilson")
    ours = proportion(successes, n)
    if n >= 100 and 3 < successes < n - 3:
        assert (ours.ci_low, ours.ci_high) == (pytest.approx(theirs.low, abs=1e-12), pytest.approx(theirs.high))
    assert ours.ci_low <= theirs.low + 1e-12
    assert ours.ci_high >= theirs.high - 1e-12


@pytest.mark.parametrize(("successes", "n", "tail"), [(1, 29, 0.025), (2, 500, 0.025), (1, 4, 0.022), (3, 8, 0.022)])
def test_the_mid_p_interval_where_wilson_covers_too_seldom(successes, n, tail):
    """P(X > k) + P(X = k)/2 at the lower bound, by scipy's binomial."""
    low = proportion(successes, n).ci_low
    above, same = scipy.stats.binom.sf(successes, n, low), scipy.stats.binom.pmf(successes, n, low)
    assert above + same / 2 == pytest.approx(tail, rel=1e-6)


def test_of_fewer_than_four_items_no_interval_is_computed():
    for n in (1, 2, 3):
        assert proportion(n, n) == Estimate(1.0, 0.0 if n > 1 else None, None, None, n, n, "too-few")
    assert proportion(100, 100).ci_low == pytest.approx(1 / (1 + Z**2 / 100))  # Wilson's
    assert proportion(10, 10).ci_low == pytest.approx(1 / (1 + Z**2 / 10))  # lower than 0.05^(1/10), the mid-p one
    assert proportion(4, 4).ci_low == pytest.approx(0.044 ** (1 / 4), abs=1e-6)  # P(X = 4)/2 = 0.022


@given(counts)
def test_wilson_holds_the_value_inside_0_and_1_and_mirrors(count):
    successes, n = count
    assume(n >= 4)
    estimate, mirrored = proportion(successes, n), proportion(n - successes, n)
    assert 0 <= estimate.ci_low <= estimate.value <= estimate.ci_high <= 1
    assert estimate.ci_low < estimate.ci_high
    assert estimate.ci_low == pytest.approx(1 - mirrored.ci_high, abs=1e-12)
    assert estimate.stderr == (pytest.approx(mirrored.stderr) if n > 1 else None)


@pytest.mark.parametrize("n", [4, 5, 6, 8, 12, 20, 40, 60, 100, 817])
def test_the_interval_of_a_share_covers(n):
    # Exact: for each p the binomial probabilities of the counts whose interval holds p.
    grid = np.linspace(0.01, 0.99, 197)
    estimates = [proportion(k, n) for k in range(n + 1)]
    low, high = (np.array([getattr(e, side) for e in estimates])[:, None] for side in ("ci_low", "ci_high"))
    coverage = (scipy.stats.binom.pmf(np.arange(n + 1)[:, None], n, grid) * ((low <= grid) & (grid <= high))).sum(
        axis=0
    )
    assert coverage.mean() > 0.945
    assert coverage.min() > 0.92


def test_proportion():
    estimate = proportion(3, 4)
    assert estimate.value == 0.75
    assert estimate.stderr == 0.25  # √(0.75 · 0.25 / 3)
    assert (estimate.n, estimate.n_valid, estimate.method) == (4, 4, "wilson")
    assert proportion(0, 0) == Estimate(None, None, None, None, 0, 0, "none")


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, -1)])
def test_proportion_out_of_range(successes, n):
    with pytest.raises(ValueError, match="must be between 0 and n"):
        proportion(successes, n)


# -- mean


def test_mean():
    estimate = mean([1.0, 2.0, 3.0, 6.0])
    assert estimate.value == 3  # 12 / 4
    assert estimate.stderr == pytest.approx(math.sqrt(14 / 3 / 4))  # Σ(x-3)² = 4 + 1 + 0 + 9 = 14
    assert (estimate.n, estimate.n_valid, estimate.method) == (4, 4, "student")
    # t(0.975; 3) = 3.1824
    assert estimate.ci_low == pytest.approx(3 - 3.1824 * 1.0801, abs=1e-3)
    assert estimate.ci_high == pytest.approx(3 + 3.1824 * 1.0801, abs=1e-3)


@pytest.mark.parametrize(
    "items",
    [
        [0, 1, 1, 0, 1],
        [1.0, 1.0],
        [0.25, 0.5, 0.125],
        np.random.default_rng(0).random(300).tolist(),
        np.random.default_rng(1).integers(0, 2, 300).tolist(),
    ],
)
def test_value_and_standard_error_are_lm_evals(items):
    from lm_eval.api import metrics

    estimate = mean(items)
    assert estimate.value == pytest.approx(metrics.mean(items), rel=1e-14)
    assert estimate.stderr == pytest.approx(metrics.mean_stderr(items), rel=1e-12)


def test_zeros_and_ones_are_a_proportion():
    assert mean([1, 0, 1, 1]) == mean(np.array([True, False, True, True])) == proportion(3, 4)
    assert mean([0.0] * 20).ci_high == pytest.approx(0.1611, abs=5e-5)  # Newcombe 1998: not [0, 0]
    assert mean([0, 1, 0.5, 0.25]).method == "student"


def test_items_without_a_value_are_counted():
    valid = mean([2.0, 3.0, 5.0])
    estimate = mean([2.0, None, 3.0, NAN, 5.0])
    assert (estimate.n, estimate.n_valid) == (5, 3)
    assert (estimate.value, estimate.stderr) == (valid.value, valid.stderr)
    assert (estimate.ci_low, estimate.ci_high) == (valid.ci_low, valid.ci_high)
    assert (mean([1, None, 0]).n, mean([1, None, 0]).n_valid) == (3, 2)
    assert (mean([2.0, 3.0, None], n=10).n, mean([2.0, 3.0, None], n=10).n_valid) == (10, 2)


def test_nothing_one_and_always_the_same():
    assert mean([]) == Estimate(None, None, None, None, 0, 0, "none")
    assert mean([None, NAN], n=3) == Estimate(None, None, None, None, 3, 0, "none")
    assert mean([0.5, None]) == Estimate(0.5, None, None, None, 2, 1, "too-few")
    assert mean([0.5, 0.5, None]) == Estimate(0.5, 0, None, None, 3, 2, "too-few")
    assert mean([0.5] * 5) == Estimate(0.5, 0, None, None, 5, 5, "constant")  # no spread, and no bounds are known


def test_mean_refuses():
    with pytest.raises(ValueError, match="value inf of item 1"):
        mean([1.0, math.inf])
    with pytest.raises(ValueError, match="3 values of 2 items"):
        mean([1.0, 2.0, 3.0], n=2)
    with pytest.raises(ValueError, match="one dimension, not 2"):
        mean(np.ones((2, 2)))


@settings(max_examples=25, deadline=None)
@given(values, st.randoms())
def test_the_order_of_items_does_not_matter(items, random):
    shuffled = random.sample(items, len(items))
    assert mean(shuffled) == mean(items)


@settings(max_examples=25, deadline=None)
@given(values, st.floats(1, 100))
def test_the_unit_does_not_matter(items, factor):
    assume(len(items) >= 4 and np.std(items) > 1e-6)
    same(mean([factor * item for item in items]), scale(mean(items), factor))


@settings(max_examples=25, deadline=None)
@given(values, st.integers(0, 5))
def test_missing_items_change_the_count_only(items, missing):
    whole, part = mean(items), mean([None] * missing + items)
    assert (part.n, part.n_valid) == (len(items) + missing, len(items))
    assert (part.value, part.stderr, part.ci_low, part.ci_high) == (
        whole.value,
        whole.stderr,
        whole.ci_low,
        whole.ci_high,
    )
    assert part.ci_low is None or part.ci_low <= part.value <= part.ci_high


# -- over strata


def test_stratified_mean():
    # law: 1, 0, 1, 1 (mean 0.75, s² = 0.25); art: 0, 1 (mean 0.5, s² = 0.5)
    estimate = stratified_mean([1, 0, 0, 1, 1, 1], ["law", "art", "law", "law", "art", "law"])
    # (0.75 + 0.5) / 2; √(0.25/4 + 0.5/2) / 2; over items it would be 4/6
    assert (estimate.value, estimate.n, estimate.n_valid, estimate.method) == (0.625, 6, 6, "bounded")
    assert estimate.stderr == pytest.approx(math.sqrt(0.0625 + 0.25) / 2)
    assert 0 < estimate.ci_low < 0.625 < estimate.ci_high < 1  # ± 1.96 standard errors would reach from 0.08 to 1.17


def test_strata_without_spread_have_an_interval():
    """Four questions of four subjects, all wrong: not [0, 0], and no wider than of four questions of one subject."""
    four = stratified_mean([0, 0, 0, 0], list("abcd"))
    assert (four.value, four.ci_low) == (0, 0)
    assert 0.4 < four.ci_high < 0.75
    assert stratified_mean([1, 1, 0, 0, 0, 0], list("aabbcc")).ci_high > 0.6  # no spread within any subject
    assert stratified_mean([0, 0, 0], list("abc")).method == "too-few"


def test_of_many_items_the_interval_of_strata_is_the_normal_one():
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(57), 100)
    found = stratified_mean((rng.random(labels.size) < 0.4 + 0.3 * np.sin(labels)).astype(float), labels)
    assert found.ci_low == pytest.approx(found.value - Z * found.stderr, abs=0.05 * Z * found.stderr)
    assert found.ci_high == pytest.approx(found.value + Z * found.stderr, abs=0.05 * Z * found.stderr)


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-100, 100), min_size=2, max_size=6), min_size=1, max_size=5))
def test_stratified_mean_is_the_average_of_means(parts):
    items = [(label, value) for label, part in enumerate(parts) for value in part]
    labels, flat = [label for label, _ in items], [value for _, value in items]
    ours, theirs = stratified_mean(flat, labels), average([exact_mean(part) for part in parts])
    assert ours.value == pytest.approx(theirs.value, abs=1e-9)
    assert ours.stderr == pytest.approx(theirs.stderr, abs=1e-9)


def exact_mean(items):
    return exact(np.mean(items), np.std(items, ddof=1) / math.sqrt(len(items)), len(items))


def test_a_stratum_of_one_item_is_given_the_variance_of_all():
    # law: variance 1/2 of 2 items; art: variance of (1, 0, 1) = 1/3, of one item; two strata
    stderr = math.sqrt(1 / 2 / 2 + 1 / 3) / 2
    for items, strata in (([1, 0, 1], ["law", "law", "art"]), ([1, 0, 1, None], ["law", "law", "art", "art"])):
        found = stratified_mean(items, strata)
        assert (found.value, found.n, found.n_valid, found.method) == (0.75, len(items), 3, "too-few")
        assert found.stderr == pytest.approx(stderr)


def test_strata_of_one_item_each_give_the_standard_error_of_a_plain_mean():
    items = [1, 0, 1, 1, 0]
    assert stratified_mean(items, list("abcde")).stderr == pytest.approx(exact_mean(items).stderr)


def test_a_single_item_in_a_single_stratum_has_no_known_variance():
    assert stratified_mean([1], ["law"]) == Estimate(1.0, None, None, None, 1, 1, "too-few")


def test_a_stratum_without_a_value_leaves_the_mean_unknown():
    assert stratified_mean([1, 0, NAN], ["law", "law", "art"]) == Estimate(None, None, None, None, 3, 2, "none")
    assert stratified_mean([], []) == Estimate(None, None, None, None, 0, 0, "none")


def test_stratified_mean_refuses_shapes_that_differ():
    with pytest.raises(ValueError, match="3 values, but strata of 2 items"):
        stratified_mean([1, 0, 1], ["law", "law"])


def test_stratified_standard_error_and_interval_under_simulation():
    # 4,000 draws of three subjects of unequal size and difficulty: the error is what the values do, the
    # interval covers. A pooled standard error (all 110 items alike) would be 0.041, not 0.052.
    rng = np.random.default_rng(11)
    sizes, p = (15, 35, 60), (0.5, 0.3, 0.8)
    labels = np.repeat(["a", "b", "c"], sizes)
    truth = sum(p) / 3
    draws = [
        stratified_mean(np.concatenate([rng.random(n) < q for n, q in zip(sizes, p, strict=True)]), labels)
        for _ in range(4000)
    ]
    spread = np.std([draw.value for draw in draws])
    expected = math.sqrt(0.25 / 15 + 0.21 / 35 + 0.16 / 60) / 3
    assert spread == pytest.approx(expected, rel=0.04)
    assert np.mean([draw.stderr**2 for draw in draws]) == pytest.approx(expected**2, rel=0.02)
    assert 0.94 < np.mean([draw.ci_low <= truth <= draw.ci_high for draw in draws]) < 0.97


# -- average and scale


def test_average():
    parts = [exact(0.5, 0.03, 100), exact(0.7, 0.04, 50)]
    same(average(parts), exact(0.6, 0.025, 150))  # √(0.03² + 0.04²) / 2
    assert average(iter(parts)) == average(parts)


def test_average_of_what_is_missing():
    whole, single, none = exact(0.5, 0.1, 4), mean([0.25]), mean([None, None])
    assert average([whole, single]) == Estimate(0.375, None, None, None, 5, 5, "none")
    few = mean([0.25, 0.5])
    assert average([whole, few]) == Estimate(0.4375, math.hypot(0.1, few.stderr) / 2, None, None, 6, 6, "too-few")
    assert average([whole, none]) == Estimate(None, None, None, None, 6, 4, "none")
    assert average([]) == Estimate(None, None, None, None, 0, 0, "none")


@given(counts, counts)
def test_average_is_the_same_in_any_order_and_holds_its_value(one, other):
    assume(one[1] >= 4 and other[1] >= 4)
    parts = [proportion(*one), proportion(*other)]
    assert average(parts) == average(parts[::-1])
    assert 0 <= average(parts).ci_low <= average(parts).value <= average(parts).ci_high <= 1
    assert average(parts).ci_low < average(parts).ci_high


def test_scale():
    assert scale(Estimate(0.25, 0.03125, 0.125, 0.5, 8, 7, "wilson"), 100) == Estimate(
        25, 3.125, 12.5, 50, 8, 7, "wilson"
    )
    assert scale(Estimate(0.25, 0.5, -1.0, 2.0, 8, 8), -2) == Estimate(-0.5, 1.0, -4.0, 2.0, 8, 8)
    assert scale(mean([0.25]), 100) == Estimate(25, None, None, None, 1, 1, "too-few")
    with pytest.raises(ValueError, match="cannot scale by nan"):
        scale(proportion(1, 2), NAN)


def test_scores_that_are_all_zero_are_no_proportion() -> None:
    assert mean([0.0] * 4).method == "wilson"
    assert mean([0.0] * 4, shares=False) == Estimate(0.0, 0.0, None, None, n=4, n_valid=4, method="constant")
    found = mean([0.0] * 4, within=Scale(0.0, 1.0, graded=True))
    assert (found.value, found.ci_low, found.method) == (0.0, 0.0, "bounded")
    assert 0.4 < found.ci_high < 0.75


def test_ones_and_twos_on_a_scale_from_one_to_two_are_no_and_yes() -> None:
    found, share = mean([1, 2, 2, 2, 1], within=Scale(1.0, 2.0)), proportion(3, 5)
    assert (found.value, found.method) == (1.6, "wilson")
    assert (found.ci_low, found.ci_high) == (1 + share.ci_low, 1 + share.ci_high)


def test_a_value_outside_of_its_scale_has_no_known_bounds() -> None:
    assert mean([0.2, 0.4, -1.5, 0.3], within=Scale(0.0, 1.0)).method == "student"


def test_percentages_where_shares_were_expected() -> None:
    one = mean([20.0, 40.0, 95.0, 30.0], within=Scale(0.0, 1.0, graded=True))  # lm-eval's f1 of SQuAD
    assert (one.value, one.method) == (46.25, "bounded")
    assert 0 <= one.ci_low < 46.25 < one.ci_high <= 100


def test_partial_credit_is_bounded_without_a_known_scale() -> None:
    one = mean([1.0, 0.5, 1.0, 1.0])
    assert one.method == "bounded"
    assert 0 <= one.ci_low < one.ci_high <= 1


def test_only_a_standard_error_is_known() -> None:
    """As lm-eval prints it: within the range, with a width at a standard error of 0, normal without a range."""
    unit = Scale(0.0, 1.0)
    assert from_summary(0.5, 0.025, 400, unit).ci_low == pytest.approx(0.5 - Z * 0.025, abs=3e-4)
    assert from_summary(0.0, 0.0, 4, unit).ci_high == pytest.approx(mean([0.0] * 4, shares=False, within=unit).ci_high)
    assert from_summary(0.5, 0.5, 2, unit).method == "too-few"
    assert from_summary(0.9, 0.1, 0, unit).ci_high <= 1  # the number of items is not known
    plain = from_summary(12.0, 3.0, 50)
    assert (plain.ci_low, plain.ci_high, plain.method) == (
        pytest.approx(12 - Z * 3),
        pytest.approx(12 + Z * 3),
        "normal",
    )
    assert from_summary(0.5, None, 50, unit) == Estimate(0.5, None, None, None, 50, 50, "none")
