"""The side of a question depends on nothing but the question, the share and the seed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2train.data.build.split import normalised, side

questions = st.text(max_size=40)
shares = st.floats(0, 1)
words = st.lists(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8), min_size=1, max_size=6)
gaps = st.text(" \t\n.,;:!?'\"()-_", min_size=1, max_size=3)


def test_the_side_is_the_hash_as_a_fraction_against_the_share() -> None:
    # printf '0\0why is the sky blue' | sha256sum → c4d3dee979f4f3d0…; 0xc4d3dee979f4f3d0 / 2^64 = 0.76885
    assert side("Why is the sky blue?", share=0.7689) == "validation"
    assert side("Why is the sky blue?", share=0.7688) == "train"
    # printf '1\0why is the sky blue' | sha256sum → 3edb206b2f324410…; 0.24553
    assert side("Why is the sky blue?", share=0.2456, seed=1) == "validation"
    assert side("Why is the sky blue?", share=0.2455, seed=1) == "train"


def test_normalised_keeps_the_words_only() -> None:
    assert normalised("  Why is the\nSKY   blue?! ") == "why is the sky blue"
    assert normalised("ﬁne Straße, H₂O_2") == "fine strasse h2o 2"
    assert normalised("?!") == ""


@given(words, st.data())
def test_spacing_case_and_punctuation_do_not_change_the_side(parts: list[str], data: st.DataObject) -> None:
    spelled = "".join(part.upper() + data.draw(gaps) for part in parts)
    assert normalised(spelled) == " ".join(parts)
    assert side(spelled, share=0.5) == side(" ".join(parts), share=0.5)


@given(questions, shares, shares, st.integers())
def test_a_larger_share_only_adds_to_validation(question: str, one: float, other: float, seed: int) -> None:
    small, large = sorted((one, other))
    if side(question, share=small, seed=seed) == "validation":
        assert side(question, share=large, seed=seed) == "validation"


@given(st.lists(questions), st.lists(questions))
def test_more_data_move_no_question_and_the_sides_share_none(first: list[str], more: list[str]) -> None:
    before = {question: side(question, share=0.3) for question in first}
    both = {question: side(question, share=0.3) for question in more + first}
    assert before.items() <= both.items()
    train, validation = (
        {normalised(question) for question, where in both.items() if where == name} for name in ("train", "validation")
    )
    assert not train & validation


@given(questions)
def test_the_bounds(question: str) -> None:
    assert side(question, share=0) == "train"
    assert side(question, share=1) == "validation"


def test_the_share_is_met_and_the_seed_matters() -> None:
    numbered = [f"What is number {number}?" for number in range(10_000)]
    held_out = {question for question in numbered if side(question, share=0.1) == "validation"}
    assert abs(len(held_out) - 1000) <= 120  # binomial: 1000 ± 4 × sqrt(10000 × 0.1 × 0.9)
    other = {question for question in numbered if side(question, share=0.1, seed=1) == "validation"}
    assert abs(len(held_out & other) - 100) <= 40  # independent draws: 100 ± 4 × sqrt(10000 × 0.01 × 0.99)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none(share: float) -> None:
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        side("Why?", share=share)
