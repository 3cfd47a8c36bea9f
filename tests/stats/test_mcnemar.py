"""McNemar's tests: published examples, the binomial by hand, and what they promise under the null."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from s2eval.stats import mcnemar_exact, mcnemar_mid_p

counts = st.integers(0, 400)


def test_cavo_2012():
    # R, contingencytables 3.0.1, tests/testthat/test-ch8.R: complete response before and after consolidation, 6 and 16
    assert mcnemar_exact(6, 16) == pytest.approx(0.052479, abs=5e-7)
    assert mcnemar_mid_p(6, 16) == pytest.approx(0.034690, abs=5e-7)


def test_armitage_and_berry():
    # StatsDirect's help, "matched pairs": two media for tubercle bacilli, 12 and 2: two-sided P = 0.0129
    assert mcnemar_exact(12, 2) == pytest.approx(0.0129, abs=5e-5)


def test_by_hand():
    # five questions differ, all for the one: 2 · (1/2)⁵ = 1/16; less half of what was seen, both ways: 1/32
    assert mcnemar_exact(5, 0) == 1 / 16
    assert mcnemar_mid_p(5, 0) == 1 / 32
    # 3 against 3: 1; mid-p 1 - (20/64)/2
    assert mcnemar_exact(3, 3) == 1
    assert mcnemar_mid_p(3, 3) == pytest.approx(1 - 20 / 64 / 2)


def test_models_that_never_differ():
    assert mcnemar_exact(0, 0) == mcnemar_mid_p(0, 0) == 1


@given(counts, counts)
def test_the_exact_one_is_scipys_binomial_test(wins: int, losses: int):
    expected = binomtest(wins, wins + losses, 0.5).pvalue if wins + losses else 1.0
    assert mcnemar_exact(wins, losses) == pytest.approx(expected, rel=1e-9)


@given(counts, counts)
def test_neither_side_is_preferred_and_mid_p_is_the_smaller(wins: int, losses: int):
    for test in (mcnemar_exact, mcnemar_mid_p):
        assert test(wins, losses) == test(losses, wins)
    assert mcnemar_mid_p(wins, losses) <= mcnemar_exact(wins, losses)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_mid_p_rejects_nearly_as_often_as_it_says(share: float):
    # exact rejection rate of equal models over all outcomes, 100 questions of which a share differs
    n, rate = 100, {mcnemar_exact: 0.0, mcnemar_mid_p: 0.0}
    for differing in range(n + 1):
        wins = np.arange(differing + 1)
        weights = binom.pmf(differing, n, share) * binom.pmf(wins, differing, 0.5)
        for test in rate:
            rate[test] += float(weights @ (test(wins, differing - wins) <= 0.05))
    assert rate[mcnemar_exact] < 0.04
    assert 0.035 < rate[mcnemar_mid_p] <= 0.05


def test_many_at_once():
    wins, losses = np.array([[6], [12]]), np.array([16, 2, 0])
    p = mcnemar_mid_p(wins, losses)
    assert p.shape == (2, 3)
    assert p[1, 1] == mcnemar_mid_p(12, 2)


def test_negative_counts():
    with pytest.raises(ValueError, match="cannot be negative"):
        mcnemar_exact(-1, 2)
