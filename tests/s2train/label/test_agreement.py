"""Agreement of two rankings, by hand and against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from s2eval.stats import cohen_kappa, proportion
from s2train.label.agreement import agree, grade_of_better, kappa, longer_wins, share, tau_b
from s2train.label.candidates import Candidate, Groups, group, select


def groups(*prompts: list[tuple[float, float]]) -> Groups:
    """Each prompt's answers as their two scores."""
    return group(
        Candidate(f"p{place}", number, f"answer {number}", True, 5, 0.0, scores)
        for place, answers in enumerate(prompts)
        for number, scores in enumerate(answers)
    )


# p0: both say 0 < 1 < 2. p1: the first says 0 < 1 < 2; the second 2 < 0 < 1.
TWO = groups([(1, 10), (2, 20), (3, 30)], [(1, 2), (2, 3), (3, 1)])


def test_the_share_of_pairs_in_the_same_order() -> None:
    found = agree(TWO, select(TWO).pairs, 0, 1)
    assert found.alike.value == pytest.approx(4 / 6)  # 3 of 3, and of p1 only 0 < 1
    # clustered: 4/6 off by 3 - 2 = 1 and 1 - 2 = -1; √(2/1 (1 + 1)) / 6
    assert found.alike.stderr == pytest.approx(2 / 6)
    assert found.labels.value == 1 / 2  # labels are 2 > 0 of both
    assert found.best.value == 1 / 2
    assert found.tau.value == pytest.approx((1 + (1 - 2) / 3) / 2)


def test_kappa_is_cohens() -> None:
    found = agree(TWO, (), 0, 1)
    # The first always prefers the later answer; the second does in 4 of 6.
    assert found.kappa.value == cohen_kappa([[0, 0], [2, 4]]).value == 0.0
    mixed = groups([(1, 1), (2, 2), (0, 0)], [(2, 1), (1, 2), (3, 3)], [(1, 1), (1, 2), (4, 0)])
    # (0,1), (0,2), (1,2) of each prompt, - = the later is better, = neither
    first = ["-", "+", "+", "+", "-", "-", "=", "-", "-"]
    second = ["-", "+", "+", "-", "-", "-", "-", "+", "+"]
    table = [[sum(pair == (a, b) for pair in zip(first, second, strict=True)) for b in "-=+"] for a in "-=+"]
    one = agree(mixed, (), 0, 1).kappa
    assert one.value == pytest.approx(cohen_kappa(table).value)
    assert one.stderr is not None


def test_kappas_error_is_the_jackknifes_over_prompts() -> None:
    tables = np.array([[[2.0, 1], [0, 3]], [[1, 0], [2, 2]], [[4, 1], [1, 1]]])
    left = [cohen_kappa((tables.sum(0) - one).astype(int)).value for one in tables]
    assert kappa(tables.sum(0) - tables).tolist() == pytest.approx(left)
    # the same by way of `agree`: each prompt a pair or two of answers
    some = groups([(1, 1), (2, 2)], [(1, 2), (2, 1)], [(2, 2), (1, 1)], [(1, 1), (2, 2)])
    found = agree(some, (), 0, 1).kappa
    # pairs: later/later, later/earlier, earlier/earlier, later/later
    rows = [(1, 1), (1, 0), (0, 0), (1, 1)]
    without = []
    for out in range(4):
        table = np.zeros((2, 2), int)
        for row in rows[:out] + rows[out + 1 :]:
            table[row] += 1
        without.append(cohen_kappa(table).value)
    centre = sum(without) / 4
    assert found.stderr == pytest.approx(math.sqrt(3 / 4 * sum((one - centre) ** 2 for one in without)))


def test_perfect_agreement_is_not_certainty() -> None:
    same = groups([(1, 1), (2, 2), (3, 3)], [(1, 1), (2, 2), (3, 3)])
    found = agree(same, (), 0, 1)
    assert found.alike.value == 1.0
    wanted = proportion(2, 2)  # two prompts, not six pairs
    assert (found.alike.ci_low, found.alike.ci_high) == (wanted.ci_low, wanted.ci_high)
    assert (found.alike.n, found.alike.n_valid) == (6, 6)


def test_ties_are_no_agreement_and_no_disagreement() -> None:
    found = agree(groups([(1, 1), (1, 2), (2, 3)]), (), 0, 1)
    assert (found.alike.n, found.alike.n_valid, found.alike.value) == (3, 2, 1.0)
    assert found.best.n_valid == 1
    tied = agree(groups([(1, 1), (1, 2)]), (), 0, 1)
    assert (tied.best.n, tied.best.n_valid, tied.best.value) == (1, 0, None)
    assert (tied.tau.n, tied.tau.n_valid, tied.tau.value) == (1, 0, None)


def test_tau_b() -> None:
    assert tau_b([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)  # 2 pairs alike, 1 not, of 3
    assert tau_b([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / 6**0.5)  # 2 alike; the first orders 2, the second 3
    assert tau_b([1, 1, 1], [1, 2, 3]) is None


def test_shares_without_repeated_prompts_are_wilsons() -> None:
    assert share([True, False, None, True], ["a", "b", "c", "d"]).ci_low == proportion(2, 3).ci_low
    assert share([True, False, None, True], ["a", "b", "c", "d"]).n == 4


def test_what_a_ranking_likes() -> None:
    short = Candidate("p", 0, "s", True, 3, 2.0, (1.0, 0.0))
    long = Candidate("p", 1, "l", True, 9, 7.0, (0.0, 0.0))
    assert longer_wins([(short, long)], 0).value == 0.0
    assert longer_wins([(short, long)], 1).n_valid == 0  # a tie likes neither
    assert grade_of_better([(short, long)], 0).value == -5.0  # 2 - 7
    assert grade_of_better([(long, short)], 0).value == -5.0
    assert grade_of_better([(short, long)], 1).n_valid == 0
