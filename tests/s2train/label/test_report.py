"""The numbers of the report, and what it says where there are none."""

from __future__ import annotations

import json

import pytest

from s2train.label.candidates import Candidate, group, select
from s2train.label.report import build, render


def answers() -> list[Candidate]:
    return [
        Candidate("p", 0, "short", True, 2, 1.0, (1.0, 5.0)),
        Candidate("p", 1, "longer one", False, 4, 3.0, (3.0, 4.0)),
        Candidate("q", 0, "another", True, 6, 8.0, (2.0, 2.0)),
        Candidate("q", 1, "the other", True, 4, 2.0, (4.0, 3.0)),
    ]


def test_numbers() -> None:
    groups = group(answers())
    found = build(answers(), groups, select(groups), ["a", "b"], ["A note."])
    assert (found.sample.prompts, found.sample.answers, found.sample.ended, found.sample.words) == (2, 4, 3, 4.0)
    first, second = found.rankings
    assert first.mean.value == 2.5
    assert first.spread == pytest.approx((5 / 3) ** 0.5)  # of 1, 3, 2, 4: Σ(x - 2.5)² = 5
    assert (first.longer.value, second.longer.value) == (0.5, 0.0)  # p: the longer one, not by b; q: the shorter one
    assert first.grade.value == pytest.approx(((3 - 1) + (2 - 8)) / 2)
    assert found.labels.margin == 2.0
    assert found.labels.grade.value == first.grade.value  # two answers each: labels are all pairs
    assert found.agreements[0].alike.value == 0.5
    text = render(found)
    assert "- A note." in text
    assert "| b " in text.partition("## Agreement with a")[2]
    assert json.loads(json.dumps(found.as_dict()))["labels"]["margin"] == 2.0


def test_nothing_to_compare() -> None:
    same = [Candidate("p", number, "same", True, 1, 0.0, (1.0, 2.0)) for number in range(3)]
    groups = group(same)
    found = build(same, groups, select(groups), ["a", "b"])
    assert found.sample.left_out == {"identical": 2, "alone": 1}
    assert (found.labels.pairs, found.labels.margin) == (0, None)
    agreement = found.agreements[0]
    assert [one.value for one in (agreement.alike, agreement.tau, agreement.kappa, agreement.best)] == [None] * 4
    assert "| pairs labelled" in render(found)
