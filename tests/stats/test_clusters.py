"""Clustered means and variance components; the arithmetic by hand, and the known special cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from s2eval.stats import clustered_mean, mean, variance_components


def test_one_item_a_cluster_is_a_plain_mean() -> None:
    values = [1.0, 4.0, 6.0, 9.0, 5.5]
    clustered, plain = clustered_mean(values, range(5)), mean(values)
    assert clustered.value == plain.value == 5.1
    assert clustered.stderr == pytest.approx(plain.stderr)
    assert (clustered.ci_low, clustered.ci_high) == pytest.approx((plain.ci_low, plain.ci_high))


def test_the_standard_error_by_hand() -> None:
    # clusters a: 1, 3; b: 5, 7; mean 4, sums of deviations -4 and 4: √(2/1 · (16 + 16)) / 4 = 2
    assert clustered_mean([1, 3, 5, 7], ["a", "a", "b", "b"]).stderr == pytest.approx(2.0)


def test_repeating_every_item_does_not_make_it_surer() -> None:
    values = [1.0, 4.0, 6.0, 9.0, 5.5, 2.0]
    once = clustered_mean(values, range(6))
    thrice = clustered_mean([x for x in values for _ in range(3)], [c for c in range(6) for _ in range(3)])
    assert thrice.value == pytest.approx(once.value)
    assert thrice.stderr == pytest.approx(once.stderr)
    assert (thrice.n, thrice.n_valid) == (18, 18)


def test_items_without_a_value_count_in_n_only() -> None:
    estimate = clustered_mean([8.0, None, 6.0, None], [1, 1, 2, 3])
    assert (estimate.value, estimate.n, estimate.n_valid) == (7.0, 4, 2)
    nothing = clustered_mean([None, None], [1, 2])
    assert (nothing.value, nothing.n, nothing.n_valid, nothing.method) == (None, 2, 0, "none")


def test_the_order_of_items_does_not_matter() -> None:
    values, clusters = [1.0, 9.0, 4.0, 4.0, 7.0], [1, 2, 3, 1, 2]
    backwards = clustered_mean(values[::-1], clusters[::-1])
    assert clustered_mean(values, clusters) == backwards


def test_values_must_be_finite_and_shapes_equal() -> None:
    with pytest.raises(ValueError, match="not a finite value"):
        clustered_mean([1.0, math.nan], [1, 2])
    with pytest.raises(ValueError, match="clusters of 1 items"):
        clustered_mean([1.0, 2.0], [1])


def test_variance_components_by_hand() -> None:
    # groups 1, 3 and 5, 7: means 2 and 6, grand mean 4; MSW = (1+1+1+1)/2 = 2, MSB = 2·(4+4)/1 = 16, (16-2)/2 = 7
    parts = variance_components([1, 3, 5, 7], ["a", "a", "b", "b"])
    assert parts is not None
    assert (parts.between, parts.within, parts.groups, parts.items) == (7.0, 2.0, 2, 4)
    assert parts.share == pytest.approx(2 / 9)
    assert parts.stderr(repeats=2) == pytest.approx(2.0)  # √((7 + 2/2)/2), what clustered_mean gives for them


def test_variance_components_find_what_was_put_in() -> None:
    random = np.random.default_rng(1)
    true = random.normal(6, 2.0, 400)
    values = (true[:, None] + random.normal(0, 0.5, (400, 5))).ravel()
    parts = variance_components(list(values), [question for question in range(400) for _ in range(5)])
    assert parts is not None
    assert parts.between == pytest.approx(4.0, rel=0.2)
    assert parts.within == pytest.approx(0.25, rel=0.1)


def test_variance_components_need_repeats() -> None:
    assert variance_components([1.0, 2.0, 3.0], [1, 2, 3]) is None
    assert variance_components([1.0, 2.0], [1, 1]) is None
    assert variance_components([1.0, None, 3.0, None], [1, 1, 2, 2]) is None
