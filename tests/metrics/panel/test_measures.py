"""Counts of a text, the word lists, and the published formulas on them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.metrics.panel import formulas
from s2eval.metrics.panel.lexicon import Lexicon, is_familiar
from s2eval.metrics.panel.measures import Measures, measure


def measured(text: str) -> Measures:
    measures = measure(text)
    assert isinstance(measures, Measures), measures
    return measures


def test_counts_of_a_text() -> None:
    text = measured("The photosynthesis of a plant needs light. It is the light of the sun, which is a star.")
    assert text.lengths.tolist() == [7, 11]
    assert (text.words, text.sentences) == (18, 2)
    # pho-to-syn-the-sis has 5 syllables, all other words 1
    assert (text.syllables, text.long) == (17 + 5, 1)
    assert text.letters == len("Thephotosynthesisofaplantneedslight" + "Itisthelightofthesunwhichisastar")
    assert text.share("unfamiliar") == pytest.approx(1 / 18)
    assert text.share("above_b1") == pytest.approx(1 / 18)
    assert text.in_long_sentences == 0


def test_the_lexicon_forgets() -> None:
    words = [f"word{'abcdefghij'[number % 10]}{'klmnopqrst'[number // 10]}" for number in range(100)]
    small, large = Lexicon(most=10), Lexicon()
    for start in range(0, 100, 20):
        part = [*words[start : start + 20], "the", "cat"]
        assert small.rows(part).tolist() == large.rows(part).tolist()
    assert len(small._numbers) <= 10 + 22
    assert len(large._numbers) == 102


def test_apostrophes_are_no_letters() -> None:
    assert measured("They don't see it.").letters == len("Theydontseeit")


def test_names_count_as_words_and_not_as_vocabulary() -> None:
    plain = measured("The town is on the river and it is old.")
    named = measured("The town of Szczebrzeszyn is on the river and it is old.")
    assert (plain.vocabulary, named.vocabulary) == (10, 11)  # "of" comes with it
    assert named.words == 12
    assert named.share("unfamiliar") == plain.share("unfamiliar") == 0
    # a sentence in capitals is no row of names
    assert measured("THE PHOTOSYNTHESIS OF A PLANT IS IN THE LEAF.").share("unfamiliar") == pytest.approx(1 / 9)
    assert measured("It is what I said and I'm glad of it.").vocabulary == 10


def test_share_of_words_in_long_sentences() -> None:
    long = " ".join(["the"] * 20 + ["end"])  # 21 words
    assert measured(f"{long}. It is the end of the day now.").in_long_sentences == pytest.approx(21 / 29)
    assert measured(f"{long[4:]}. It is the end of the day now.").in_long_sentences == 0  # 20 are not long


@pytest.mark.parametrize(
    "word",
    ["cat", "cats", "cat's", "carries", "carried", "running", "hoped", "bigger", "biggest", "nicer", "quickly"],
)  # fmt: skip
def test_regular_forms_are_familiar(word: str) -> None:
    assert is_familiar(word)


@pytest.mark.parametrize("word", ["photosynthesis", "easily", "implementation", "necessitate"])
def test_others_are_not(word: str) -> None:  # "easily" by the rule of 1948: it adds more than -ly
    assert not is_familiar(word)


@pytest.mark.parametrize("text", ["", "  \n", "!!! 42", "```\ncode = of(the)\n```", "🙂🙂", "\x00\x07"])
def test_no_words(text: str) -> None:
    assert measure(text) == "no words"


@pytest.mark.parametrize(
    "text",
    [
        "Das ist ein sehr schöner Tag für uns alle hier.",
        "Le chat est assis sur la table et il regarde dehors.",
        "El perro corre por la calle y no quiere volver.",
        "Это очень хороший день.",
        "eggs milk butter flour sugar bread cheese apples pears",
        "photosynthesis",
    ],
)
def test_no_english_prose(text: str) -> None:
    assert measure(text) == "not English prose"


@given(st.text(max_size=200))
def test_any_text_is_measured_or_has_a_reason(text: str) -> None:
    measures = measure(text)
    if isinstance(measures, Measures):
        assert measures.vocabulary > 0
        assert all(
            0 <= measures.share(column) <= 1 for column in ("long", "unfamiliar", "above_b1", "rare", "abstract")
        )
        assert math.isfinite(measures.share("level"))


def test_formulas() -> None:
    # Dale & Chall (1948): 5 unfamiliar of 100 words in 10 sentences, at the limit, and 6, above it
    assert formulas.dale_chall(100, 10, 5) == pytest.approx(0.1579 * 5 + 0.0496 * 10)
    assert formulas.dale_chall(100, 10, 6) == pytest.approx(0.1579 * 6 + 0.0496 * 10 + 3.6365)
    # Spache (1974): 4 of 100 words unknown, 8 words a sentence
    assert formulas.spache(100, 12.5, 4) == pytest.approx(0.121 * 8 + 0.082 * 4 + 0.659)
    # McLaughlin (1969): 90 polysyllables in 30 sentences; his table gives grade 13 for 90 (SMOG = 3 + sqrt(90) = 12.5)
    assert formulas.smog(30, 90) == pytest.approx(3.1291 + 1.043 * math.sqrt(90)) == pytest.approx(13.0, abs=0.05)
    # Senter & Smith (1967): 4 letters a word, 10 words a sentence
    assert formulas.ari(100, 10, 400) == pytest.approx(4.71 * 4 + 0.5 * 10 - 21.43)
