"""Lengths in words, the bounds included."""

from __future__ import annotations

import pytest

from s2train.data.filters.length import Length, reason
from s2train.data.records import Pair

LIMITS = Length(min_answer_words=3, max_answer_words=5, min_question_words=2, max_question_words=4)


@pytest.mark.parametrize(
    ("answer", "question", "said"),
    [
        (2, 3, "answer under 3 words"),
        (3, 3, None),
        (5, 3, None),
        (6, 3, "answer over 5 words"),
        (4, 1, "question under 2 words"),
        (4, 2, None),
        (4, 4, None),
        (4, 5, "question over 4 words"),
        (0, 0, "answer under 3 words"),  # the answer is looked at first
    ],
)
def test_both_bounds_are_kept(answer: int, question: int, said: str | None) -> None:
    assert reason(Pair("1", "why " * question, "so " * answer, "test"), LIMITS) == said


def test_words_are_those_of_the_readability_formulas() -> None:
    # "well-known" is one word, "—" and "…" are none
    assert reason(Pair("1", "a b", "a well-known — … fact", "test"), LIMITS) is None
    assert reason(Pair("1", "a b", "a — fact …", "test"), LIMITS) == "answer under 3 words"
