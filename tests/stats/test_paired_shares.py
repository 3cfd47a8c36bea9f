"""Tango's and Newcombe's intervals: published examples, their defining equations, and exact coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from s2eval.stats import newcombe_interval, proportion, tango_interval
from s2eval.stats.bounded import Z

tables = st.tuples(*[st.integers(0, 60)] * 4).filter(lambda cells: sum(cells) > 0)


def test_cavo_2012():
    # R, contingencytables 3.0.1, tests/testthat/test-ch8.R: [[59, 6], [16, 80]], estimate -0.0621
    assert [round(float(x), 4) for x in tango_interval(6, 16, 161)] == [-0.1240, -0.0054]
    assert [round(float(x), 4) for x in newcombe_interval(59, 6, 16, 80)] == [-0.1186, -0.0046]


def test_bentur_2009():
    # Fagerland, Lydersen & Laake, Statistics in Medicine 33 (2014) 2850-2875, table VI: [[1, 1], [7, 12]], -0.286
    assert [round(float(x), 3) for x in tango_interval(1, 7, 21)] == [-0.517, -0.026]
    assert [round(float(x), 3) for x in newcombe_interval(1, 1, 7, 12)] == [-0.507, -0.026]


def test_no_difference_seen_is_no_certainty():
    # with b = c = 0 the score statistic at Δ is √(nΔ / (1 - Δ)): the bound is z² / (n + z²), as Wilson's at 0
    low, high = tango_interval(0, 0, 100)
    assert high == pytest.approx(Z**2 / (100 + Z**2))
    assert low == -high
    assert high == pytest.approx(proportion(0, 100).ci_high)


def test_all_won():
    low, high = tango_interval(10, 0, 10)
    assert high == 1.0
    assert 0.4 < low < 0.6


@given(tables)
def test_the_bounds_solve_the_score_equation(cells: tuple[int, int, int, int]):
    _, b, c, _ = cells
    n = sum(cells)
    for bound in tango_interval(b, c, n):
        delta = float(bound)
        if abs(delta) > 1 - 1e-9:
            continue
        # the likeliest share of losses under delta, by the quadratic of Tango (1998)
        linear = (2 * n - b + c) * delta - b - c
        root = math.sqrt(max(linear**2 + 8 * n * c * delta * (1 - delta), 0.0))
        share = (root - linear) / (4 * n)
        variance = n * (2 * share + delta * (1 - delta))
        assert abs(b - c - n * delta) == pytest.approx(Z * math.sqrt(max(variance, 0.0)), rel=1e-5, abs=1e-5)


@given(tables)
def test_exchanging_the_models_turns_the_interval_round(cells: tuple[int, int, int, int]):
    a, b, c, d = cells
    n = sum(cells)
    for interval, turned in (
        (tango_interval(b, c, n), tango_interval(c, b, n)),
        (newcombe_interval(a, b, c, d), newcombe_interval(a, c, b, d)),
    ):
        assert [float(x) for x in interval] == pytest.approx([-float(x) for x in reversed(turned)], abs=1e-9)
        assert -1 - 1e-9 <= interval[0] <= (b - c) / n + 1e-9
        assert (b - c) / n - 1e-9 <= interval[1] <= 1 + 1e-9


@given(tables)
def test_tango_holds_zero_where_the_chi_squared_form_of_mcnemar_does_not_reject(cells: tuple[int, int, int, int]):
    _, b, c, _ = cells
    low, high = tango_interval(b, c, sum(cells))
    statistic = (b - c) ** 2 / (b + c) if b + c else 0.0
    if abs(statistic - Z**2) > 1e-6:
        assert (low <= 0 <= high) == (statistic <= Z**2)


@pytest.mark.parametrize(("win", "loss"), [(0.02, 0.02), (0.1, 0.1), (0.3, 0.2), (0.05, 0.01)])
def test_exact_coverage_at_n_60(win: float, loss: float):
    n = 60
    b, c = np.indices((n + 1, n + 1))
    there = b + c <= n
    low, high = tango_interval(np.where(there, b, 0), np.where(there, c, 0), n)
    weights = np.where(there, binom.pmf(b, n, win) * binom.pmf(c, np.maximum(n - b, 0), loss / (1 - win)), 0.0)
    assert weights.sum() == pytest.approx(1)
    covered = float((weights * ((low <= win - loss) & (win - loss <= high))).sum())
    assert 0.93 <= covered <= 0.99


@pytest.mark.parametrize(("b", "c", "n"), [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_no_table(b: int, c: int, n: int):
    with pytest.raises(ValueError, match="expected 0 ≤ wins"):
        tango_interval(b, c, n)
