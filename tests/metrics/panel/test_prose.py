"""Which sentences and words are read in an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.metrics.panel.prose import sentences


def joined(text: str) -> list[str]:
    return [" ".join(words) for words in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The sun is hot. It gives us light!", ["The sun is hot", "It gives us light"]),
        ("Dr. Smith met J. K. Lee in St. Ives. They had tea.", ["Dr Smith met J K Lee in St Ives", "They had tea"]),
        ("It costs 3.50 a day, e.g. in May. That is a lot.", ["It costs a day e g in May", "That is a lot"]),
        ("We got a dog for Plan B. I am so glad of it.", ["We got a dog for Plan B I am so glad of it"]),
        ("He is as tall as I. She is even taller.", ["He is as tall as I", "She is even taller"]),
        ('"Run to the hills!" she cried. Then we ran.', ["Run to the hills she cried", "Then we ran"]),
        ("It ended so well.Then he left us.", ["It ended so well", "Then he left us"]),
        ("The well-known man didn't go.", ["The well known man didn't go"]),
        ("one line that\nruns on here\n\nand a second block", ["one line that runs on here", "and a second block"]),
        ("no end at all", ["no end at all"]),
        ("The photo\xadsyn\xadthesis of\u200b a plant\x07 is\ufeff here.", ["The photosynthesis of a plant is here"]),
        ("The cafe\u0301 is open.", ["The café is open"]),
        ("word", ["word"]),
        ("Yes. That is why we sleep.", ["Yes That is why we sleep"]),
        ("We sleep at night. Good night.", ["We sleep at night Good night"]),
        ("This is 中文 text right here.", ["This is 中文 text right here"]),
    ],
)  # fmt: skip
def test_sentences(text: str, expected: list[str]) -> None:
    assert joined(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# How it works\n\nWater turns to steam.", ["Water turns to steam"]),
        ("It **really** is _very_ `simple` here.", ["It really is very simple here"]),
        ("- bring some water\n- take a hat\n* wear good shoes", ["bring some water", "take a hat", "wear good shoes"]),
        ("1. Heat the oven.\n2) Mix the eggs.\n(c) Bake it all.", ["Heat the oven", "Mix the eggs", "Bake it all"]),
        ("> He said it was true.", ["He said it was true"]),
        ("See [the long page](https://a.org/x) for more.", ["See the long page for more"]),
        ("Go to https://a.org/b.html?c=d now. Write to me@a.org soon.", ["Go to now Write to soon"]),
        ("Look at this ![a big cat](cat.png) picture.", ["Look at this", "picture"]),
        ("Run this now:\n```python\nprint(1). Next\n```\nIt prints a number.", ["Run this now", "It prints a number"]),
        ("The open fence is here:\n~~~\ncode without an end.", ["The open fence is here"]),
        ("| a | b |\n|---|---|\n| one cell | two cells |\n\nThat was a table.", ["That was a table"]),
        ("The sum $x_1 + x_2$ costs $5 or $6 to make.", ["The sum", "costs or to make"]),
        ("We write \\(a^2\\) and $$b^2$$ and \\[c\\] here so.", ["We write", "and and here so"]),
        ("This is <b>very</b> bold<br/>text for you.", ["This is", "very bold", "text for you"]),
        ("The first part\n\n---\n\nThe second part", ["The first part", "The second part"]),
        ("```\nonly.code(here)\n```", []),
        ("!!! ... 42 🙂", []),
        ("", []),
    ],
)  # fmt: skip
def test_markup(text: str, expected: list[str]) -> None:
    read = joined(text)
    assert " ".join(read).split() == " ".join(expected).split()


def test_stray_points_end_no_sentence() -> None:
    # a point before a small letter would halve the length of sentences and nothing else
    plain = "The heart pumps the blood through all the parts of the body every day."
    gamed = "The heart pumps. the blood through. all the parts. of the body every day."
    assert sentences(gamed) == sentences(plain)


@given(st.text(max_size=300))
def test_any_text_has_sentences_of_words(text: str) -> None:
    read = sentences(text)
    assert all(sentence and all(word.strip() for word in sentence) for sentence in read)
    assert sum(map(len, read)) <= len(text)


def test_white_space_does_not_end_a_sentence() -> None:
    assert joined("The heart pumps." + " " * 40 + "the blood through.") == ["The heart pumps the blood through"]


def test_a_long_line_takes_linear_time() -> None:
    # 100,000 words and no sentence end; a quadratic rule would take minutes
    assert [len(sentence) for sentence in sentences("word " * 100_000)] == [100_000]
    assert sentences("<" * 50_000 + "`" * 50_000 + "$" * 50_000) == []
