"""What would have been found, and how many questions it takes: by hand, each the other's inverse, and simulated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from s2eval.stats import (
    detectable,
    detectable_share,
    mcnemar_mid_p,
    questions_needed,
    questions_needed_share,
)


def test_by_hand():
    # z of 0.975 and of 0.8: 1.95996 + 0.84162 = 2.80159
    assert detectable(1.0) == pytest.approx(2.801585, abs=1e-6)
    assert detectable(0.5, alpha=0.01, power=0.9) == pytest.approx((2.575829 + 1.281552) / 2, abs=1e-6)
    # t of 4 degrees of freedom: 2.776445 + 0.940965
    assert detectable(1.0, freedom=4) == pytest.approx(3.717410, abs=1e-6)
    # (2.801585 · 0.6 / 0.03)² = 3139.5
    assert questions_needed(0.03, 0.6) == 3140


def test_connors_formula_by_hand():
    # π = 0.375, δ = 0.125, power 0.9: (1.959964 √0.375 + 1.281552 √(0.375 - 0.015625))² / 0.015625
    # = (1.200228 + 0.768263)² / 0.015625 = 247.997
    assert questions_needed_share(0.125, 0.375, power=0.9) == 248


@given(st.floats(0.0, 0.9), st.integers(30, 20_000))
def test_a_detectable_share_needs_as_many_questions(discordant: float, n: int):
    found = detectable_share(discordant, n)
    differing = max(discordant, found)  # a difference makes the models differ on as many questions at least
    assert questions_needed_share(found * (1 - 1e-9), differing) >= n
    assert questions_needed_share(min(found * (1 + 1e-6), differing), differing) <= n + 1


@given(st.floats(0.01, 10), st.integers(2, 10_000))
def test_a_detectable_difference_needs_as_many_questions(deviation: float, n: int):
    assert questions_needed(detectable(deviation / math.sqrt(n)) * (1 + 1e-9), deviation) <= n


def test_models_that_never_differed():
    # all questions that differ would be for one: √(nδ) = 1.959964 + 0.841621 √(1 - δ); n = 100: δ = 0.07666
    found = detectable_share(0.0, 100)
    assert found == pytest.approx(0.07666, abs=1e-5)
    assert math.sqrt(100 * found) == pytest.approx(1.959964 + 0.841621 * math.sqrt(1 - found), abs=1e-5)
    assert detectable(0.0) == 0


def test_too_few_questions_show_nothing():
    assert detectable_share(0.5, 1) == detectable_share(0.0, 3) == 1.0


def test_the_power_is_what_is_said():
    # exact power of the mid-p test at the detectable difference, 817 questions of which 28% differ: 80 ± 2%
    n, discordant = 817, 0.28
    wins_share = (1 + detectable_share(discordant, n) / discordant) / 2
    found = 0.0
    for differing in range(150, 320):
        wins = np.arange(differing + 1)
        rejects = mcnemar_mid_p(wins, differing - wins) <= 0.05
        found += binom.pmf(differing, n, discordant) * float(binom.pmf(wins, differing, wins_share) @ rejects)
    assert found == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    "call",
    [
        lambda: detectable(-1.0),
        lambda: detectable(math.inf),
        lambda: detectable(1.0, alpha=0),
        lambda: detectable(1.0, power=1),
        lambda: detectable_share(1.1, 10),
        lambda: detectable_share(0.1, 0),
        lambda: questions_needed(0.0, 1.0),
        lambda: questions_needed(0.1, -1.0),
        lambda: questions_needed_share(0.3, 0.2),
        lambda: questions_needed_share(0.0, 0.2),
    ],
)
def test_what_cannot_be(call):
    with pytest.raises(ValueError):  # noqa: PT011
        call()
