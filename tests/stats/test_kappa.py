"""Cohen's kappa: published examples, the arithmetic, and what does not change it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from s2eval.records import Estimate
from s2eval.stats import proportion
from s2eval.stats.kappa import cohen_kappa, cross_table

tables = st.integers(2, 4).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 30), min_size=k, max_size=k), min_size=k, max_size=k)
)


# -- against others


def test_statas_kapci():
    # Analytical standard error and interval as Stata's kapci printed them for this table (Statalist, December 2009).
    ours = cohen_kappa([[1395, 118], [261, 158]])
    assert ours.value == pytest.approx(0.3411969207847029, rel=1e-14)
    assert ours.stderr == pytest.approx(0.0262913719660408, rel=1e-13)
    # kapci's interval is the normal one; ours that of the share of agreement: of 1,932 items nearly the same
    assert (ours.ci_low, ours.ci_high) == pytest.approx((0.2896667786271169, 0.3927270629422889), abs=0.01)
    assert (ours.n, ours.n_valid, ours.method) == (1932, 1932, "wilson")


def test_sas_skin_condition():
    # SAS/STAT, PROC FREQ, "Agreement Study": 0.3449, ASE 0.0724; normal 95% limits 0.2030 and 0.4868.
    ours = cohen_kappa([[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]])
    assert [round(x, 4) for x in (ours.value, ours.stderr)] == [0.3449, 0.0724]
    assert (ours.ci_low, ours.ci_high) == pytest.approx((0.2030, 0.4868), abs=0.015)


def test_cohen_1960_table_2():
    # 200 patients; p_o = (88 + 40 + 12) / 200 = 0.70, p_e = 0.6 · 0.5 + 0.3 · 0.3 + 0.1 · 0.2 = 0.41
    ours = cohen_kappa([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    assert ours.value == pytest.approx((0.70 - 0.41) / (1 - 0.41))
    assert round(ours.value, 3) == 0.492


# -- the arithmetic


def test_by_hand():
    # p_o = 0.8; both raters say each half of the time: p_e = 0.5, kappa = 0.3 / 0.5 = 0.6. All row and column sums are
    # 0.5; the variance's terms: 0.8 (1 - 1 · 0.4)² = 0.288, 0.4² · 0.2 · 1² = 0.032, (0.6 - 0.5 · 0.4)² = 0.16;
    # se = √(0.288 + 0.032 - 0.16) / (√20 · 0.5) = 0.4 / (√20 · 0.5)
    ours = cohen_kappa([[8, 2], [2, 8]])
    assert ours.value == pytest.approx(0.6)
    assert ours.stderr == pytest.approx(0.4 / (math.sqrt(20) * 0.5))


def test_chance_and_its_opposite():
    assert cohen_kappa([[9, 9], [9, 9]]).value == 0
    assert cohen_kappa([[0, 9], [9, 0]]).value == -1  # p_o = 0, p_e = 0.5


def test_perfect_agreement_is_not_certainty():
    perfect = cohen_kappa([[4, 0], [0, 3]])
    assert (perfect.value, perfect.ci_high, perfect.n) == (1.0, 1.0, 7)
    # chance agrees in (4/7)² + (3/7)² = 25/49; 7 of 7 is at least 0.6457 (Wilson)
    assert perfect.ci_low == pytest.approx((proportion(7, 7).ci_low - 25 / 49) / (24 / 49))
    assert cohen_kappa([[2, 0], [0, 1]]).method == "too-few"


@pytest.mark.parametrize(("table", "n"), [([[5, 0], [0, 0]], 5), ([[0, 0], [0, 0]], 0), (np.zeros((0, 0)), 0)])
def test_without_a_choice_there_is_no_kappa(table, n):
    assert cohen_kappa(table) == Estimate(None, None, None, None, n=n, n_valid=n, method="none")


@pytest.mark.parametrize("table", [[[1, 2, 3], [4, 5, 6]], [1, 2], [[1, -1], [0, 1]]])
def test_no_table(table):
    with pytest.raises(ValueError, match=r"square|negative"):
        cohen_kappa(table)


@given(tables, st.randoms())
def test_neither_the_order_of_categories_nor_of_raters_matters(table, random):
    counts = np.array(table)
    order = list(range(len(counts)))
    random.shuffle(order)
    ours = cohen_kappa(counts)
    assume(ours.value is not None)
    for other in (cohen_kappa(counts[np.ix_(order, order)]), cohen_kappa(counts.T)):
        assert other.value == pytest.approx(ours.value, abs=1e-12)
        assert other.stderr == pytest.approx(ours.stderr, abs=1e-7)  # the root of rounding, where it vanishes
    assert -1 <= ours.value <= 1
    if ours.n >= 4:
        assert -1 <= ours.ci_low <= ours.value + 1e-12
        assert ours.value - 1e-12 <= ours.ci_high <= 1
        assert ours.ci_low < ours.ci_high


def test_the_standard_error_is_that_of_repeated_samples():
    # 4,000 samples of 200 from one 3 × 3 distribution; their standard deviation is known to 1/√8,000 = 1.1%.
    p = np.array([[0.3, 0.1, 0.05], [0.05, 0.2, 0.05], [0.02, 0.03, 0.2]])
    drawn = np.random.default_rng(1).multinomial(200, p.ravel(), size=4000).reshape(-1, 3, 3)
    kappas = [cohen_kappa(table).value for table in drawn]
    assert np.std(kappas) == pytest.approx(cohen_kappa((p * 200).round().astype(int)).stderr, rel=0.05)


# -- the table


def test_cross_table():
    # labels in sorted order: 1, 2, tie
    table = cross_table(["1", "1", "2", "tie"], ["1", "2", "2", "1"])
    assert table.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    with pytest.raises(ValueError, match="2 labels of one rater, 1 of the other"):
        cross_table(["1", "2"], ["1"])
