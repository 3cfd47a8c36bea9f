"""ROUGE by hand, at its edges, and against rouge-score itself on real text."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from s2eval.metrics import rouge_all
from s2eval.metrics.rouge import Rouge, rouge

NAMES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
NOTHING = Rouge(0.0, 0.0, 0.0, 0.0)
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d7", "Tree", "tree's"]), min_size=2, max_size=12)
LINES = st.lists(WORDS.map(" ".join), min_size=1, max_size=4).map("\n".join)
# Few words, so that there are many subsequences of the same length, and whatever may stand between them.
TANGLE = st.lists(
    st.tuples(
        st.sampled_from("abcdK"), st.sampled_from([" ", " ", "\n", "\r\n", "\n \n", ", ", "é", "İ", "Σ", "\u2028"])
    ),
    max_size=40,
).map(lambda pieces: "".join(word + gap for word, gap in pieces))


@pytest.fixture(scope="module")
def library() -> RougeScorer:
    return RougeScorer(list(NAMES), use_stemmer=False)


def direct(library: Any, prediction: str, reference: str) -> Rouge:
    scores = library.score(target=reference, prediction=prediction)
    return Rouge(*(scores[name].fmeasure for name in NAMES))


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


def test_which_of_equally_long_subsequences_is_taken() -> None:
    """The reference "a b" shares "a" or "b" with the answer's line "b a"; rouge-score takes "a".

    With its other line, "a", the union is one word of the reference's two and of the answer's three. "b" would have
    made it two.
    """
    assert rouge("b a\na", "a b").rougeLsum == pytest.approx(2 * 1 / (2 + 3))


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


# Against rouge-score: the same floats


@given(prediction=TANGLE | LINES, reference=TANGLE | LINES)
def test_equals_rouge_score_on_tangles(library: RougeScorer, prediction: str, reference: str) -> None:
    assert rouge(prediction, reference) == direct(library, prediction, reference)


@given(prediction=st.text(max_size=80), reference=st.text(max_size=80))
def test_equals_rouge_score_on_any_text(library: RougeScorer, prediction: str, reference: str) -> None:
    assert rouge(prediction, reference) == direct(library, prediction, reference)


def articles(shared_data: Path) -> Iterable[tuple[str, str]]:
    """Leads of articles in Simple English and in English: some have several lines."""
    rows = (shared_data / "simplewiki" / "swipe_pairs.jsonl").read_text(encoding="utf-8").splitlines()[:60]
    return [(row["simple_text"], row["regular_text"]) for row in map(json.loads, rows)]


def answers(shared_data: Path) -> Iterable[tuple[str, str]]:
    """Two models' answers: lists, code, up to 100 lines."""
    folder = shared_data / "mtbench" / "model_answer"
    texts = [
        [json.loads(line)["choices"][0]["turns"][0] for line in (folder / name).read_text("utf-8").splitlines()]
        for name in ("llama2_chat_7b.jsonl", "gpt-3.5-turbo.jsonl")
    ]
    return list(zip(*texts, strict=True))[:50]


def reddit(shared_data: Path) -> Iterable[tuple[str, str]]:
    """Two people's answers to a question, one line each."""
    rows = (shared_data / "eli5" / "explainlikeimfive.jsonl").read_text(encoding="utf-8").splitlines()[:80]
    texts = [json.loads(row)["answers"]["text"] for row in rows]
    return [(own[1], own[0]) for own in texts if len(own) > 1]


@pytest.mark.parametrize(("pairs", "parted"), [(articles, 20), (answers, 30), (reddit, 0)])
def test_equals_rouge_score_on_real_text(library: RougeScorer, shared_data: Path, pairs: Any, parted: int) -> None:
    found = list(pairs(shared_data))
    ours = [rouge(prediction, reference) for prediction, reference in found]
    assert ours == [direct(library, prediction, reference) for prediction, reference in found]
    assert len(found) > 40
    # line breaks matter in some data
    assert sum(scores.rougeL != scores.rougeLsum for scores in ours) >= parted


def test_equals_rouge_score_on_the_demonstrations_answers(library: RougeScorer, repository: Path) -> None:
    path = repository / "tasks" / "demo" / "data" / "eli5" / "validation.jsonl"
    texts = [json.loads(line)["answer"] for line in path.read_text(encoding="utf-8").splitlines()]
    for prediction, reference in pairwise(texts):
        assert rouge(prediction, reference) == direct(library, prediction, reference)


# Many pairs

PAIRS = [(f"word {i} and more words", f"{i} words and\nmore" + " of them" * (i % 7)) for i in range(100)]
PAIRS += [("", "a"), ("a", "")]


@pytest.mark.parametrize("processes", [None, 1, 2])
def test_many_pairs_are_each_of_them_in_order(processes: int | None) -> None:
    assert rouge_all(PAIRS, processes) == [rouge(*pair) for pair in PAIRS]
    assert len({score.rouge1 for score in rouge_all(PAIRS, processes)}) > 3


def test_no_pairs() -> None:
    assert rouge_all([]) == rouge_all([], processes=2) == []


@pytest.mark.parametrize(("length", "processes"), [(999, 0), (1000, 1), (1999, 1), (2000, 2), (5000, 2)])
def test_a_process_for_every_share_of_characters(length: int, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = sys.modules["s2eval.metrics.rouge"]
    monkeypatch.setattr(module, "SHARE", 1000)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3}, raising=False)
    assert module._processes([("a" * 900, ""), ("", "b" * (length - 900))]) == processes
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": True})
    assert module._processes([("a" * length, "")]) == 1  # Python allows a daemon no processes


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from s2eval.metrics import rouge_all\nrouge_all([('a', 'b')] * 4, processes=2)\n", "utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "S2Error: ROUGE: a process of its own ended before its work. A script needs `if __name__" in done.stderr
