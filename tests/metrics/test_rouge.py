"""ROUGE by hand, at its edges, and against rouge-score itself on real text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from s2eval.metrics.rouge import Rouge, rouge

NOTHING = Rouge(0.0, 0.0, 0.0, 0.0)
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d7", "Tree", "tree's"]), min_size=2, max_size=12)
LINES = st.lists(WORDS.map(" ".join), min_size=1, max_size=4).map("\n".join)


def test_one_word_of_six_replaced() -> None:
    scores = rouge("the cat sat on the mat", "the cat lay on the mat")
    assert scores.rouge1 == pytest.approx(5 / 6)  # the (twice), cat, on, mat
    assert scores.rouge2 == pytest.approx(3 / 5)  # the cat, on the, the mat
    assert scores.rougeL == pytest.approx(5 / 6)  # the cat … on the mat
    assert scores.rougeLsum == scores.rougeL  # one line each


def test_f_measure_of_texts_of_unequal_length() -> None:
    # The pair in the docstring of rouge_score.rouge_scorer.RougeScorer; 8 words against 9.
    scores = rouge("The quick brown dog jumps on the log.", "The quick brown fox jumps over the lazy dog")
    assert scores.rouge1 == pytest.approx(2 * 6 / (8 + 9))  # the (twice), quick, brown, dog, jumps
    assert scores.rouge2 == pytest.approx(2 * 2 / (7 + 8))  # the quick, quick brown
    assert scores.rougeL == pytest.approx(2 * 5 / (8 + 9))  # the quick brown … jumps … the


def test_line_breaks_part_lsum_and_full_stops_do_not() -> None:
    swapped = rouge("c d\na b", "a b\nc d")
    assert swapped.rougeL == pytest.approx(2 / 4)  # either line, not both: their order differs
    assert swapped.rougeLsum == 1.0  # each line is found whole
    assert rouge("c d. a b.", "a b. c d.").rougeLsum == pytest.approx(2 / 4)


def test_no_stemming() -> None:
    assert rouge("cats", "cat") == NOTHING


def test_case_and_punctuation_do_not_count() -> None:
    assert rouge("The CAT, sat!", "the cat sat") == Rouge(1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("empty", ["", " ", "\n\t \n"])
def test_empty_is_zero(empty: str) -> None:
    assert rouge(empty, "the cat") == rouge("the cat", empty) == rouge(empty, empty) == NOTHING


@pytest.mark.parametrize("wordless", ["...", "Привет мир", "你好"])
def test_a_text_without_latin_words_is_zero_even_against_itself(wordless: str) -> None:
    assert rouge(wordless, wordless) == NOTHING


def test_one_word_has_no_pairs() -> None:
    assert rouge("cat", "cat") == Rouge(rouge1=1.0, rouge2=0.0, rougeL=1.0, rougeLsum=1.0)


@given(prediction=st.text(max_size=80) | LINES, reference=st.text(max_size=80) | LINES)
def test_range(prediction: str, reference: str) -> None:
    scores = rouge(prediction, reference)
    for value in (scores.rouge1, scores.rouge2, scores.rougeL, scores.rougeLsum):
        assert type(value) is float
        assert 0.0 <= value <= 1.0
    assert scores.rougeL <= scores.rouge1  # a common subsequence is a set of common words


@given(LINES)
def test_a_text_against_itself_is_one(text: str) -> None:
    assert rouge(text, text) == Rouge(1.0, 1.0, 1.0, 1.0)


def test_equals_rouge_score_on_real_text(shared_data: Path) -> None:
    library = RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"])
    rows = (shared_data / "simplewiki" / "swipe_pairs.jsonl").read_text(encoding="utf-8").splitlines()[:20]
    several_lines = 0
    for row in map(json.loads, rows):
        expected = library.score(target=row["regular_text"], prediction=row["simple_text"])
        scores = rouge(row["simple_text"], row["regular_text"])
        assert scores == Rouge(*(expected[name].fmeasure for name in expected))
        several_lines += scores.rougeL != scores.rougeLsum
    assert several_lines > 3  # the line breaks matter in this data
