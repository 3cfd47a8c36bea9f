"""Win rates with ties."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval.records import Estimate
from s2eval.stats import difference_bounds, mean, tango_interval, win_rate


def test_by_hand():
    rate = win_rate(wins=3, ties=1, n=5)
    assert rate.value == 0.7  # (3 + 0.5) / 5
    # points 1, 1, 1, ½, 0: mean 0.7, squares 3 · 0.09 + 0.04 + 0.49 = 0.8; √(0.8 / 4 / 5) = 0.2
    assert rate.stderr == pytest.approx(0.2)
    low, high = difference_bounds(3, 1, 5)
    assert (rate.ci_low, rate.ci_high) == ((1 + low) / 2, (1 + high) / 2)
    six = win_rate(wins=4, ties=1, n=6)
    low, high = tango_interval(4, 1, 6)
    assert (six.ci_low, six.ci_high) == ((1 + low) / 2, (1 + high) / 2)
    assert (rate.n, rate.n_valid, rate.method) == (5, 5, "tango")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_it_is_the_mean_of_points_and_has_two_sides(wins: int, ties: int, losses: int):
    n = wins + ties + losses
    ours, theirs = win_rate(wins, ties, n), win_rate(losses, ties, n)
    if n == 0:
        assert ours == Estimate(None, None, None, None, n=0, n_valid=0, method="none")
        return
    points = mean([1.0] * wins + [0.5] * ties + [0.0] * losses, shares=False)
    assert ours.value == pytest.approx(points.value)
    if points.stderr is not None and n > 1:
        assert ours.stderr == pytest.approx(points.stderr, abs=1e-12)
    assert ours.value + theirs.value == pytest.approx(1)
    if n < 4:
        assert (ours.ci_low, ours.ci_high, ours.method) == (None, None, "too-few")
        return
    assert (ours.ci_low, ours.ci_high) == pytest.approx((1 - theirs.ci_high, 1 - theirs.ci_low))
    assert -1e-9 <= ours.ci_low <= ours.value <= ours.ci_high <= 1 + 1e-9


def test_ties_alone_say_no_preference_but_not_for_sure():
    rate = win_rate(0, 20, 20)
    assert rate.value == 0.5
    assert rate.ci_low < 0.5 < rate.ci_high


@pytest.mark.parametrize(("wins", "ties", "n"), [(-1, 0, 2), (2, 1, 2), (0, -1, 3)])
def test_cannot_be(wins: int, ties: int, n: int):
    with pytest.raises(ValueError, match="cannot be"):
        win_rate(wins, ties, n)
