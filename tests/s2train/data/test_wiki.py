"""An article's lead becomes the answer to a question about its title."""

from __future__ import annotations

import hashlib

import pytest

from s2train.data.records import Dropped, Kept
from s2train.data.wiki import pairs as wiki


def outcome(title: str, text: str, field: str = "text") -> Kept | Dropped:
    return wiki.pair(wiki.WikiRecord.model_validate({"title": title, field: text, "other": 1}))


@pytest.mark.parametrize("field", ["text", "simple_text"])
def test_an_article_becomes_a_pair(field: str) -> None:
    made = outcome("Sulfur", "Sulfur is a chemical element.\nIts symbol is S.\n\nHistory\n\nIt is old.", field)
    assert isinstance(made, Kept)
    assert made.pair.row() == {
        "id": "wiki-" + hashlib.sha256(b"Sulfur").hexdigest()[:16],
        "question": "What is Sulfur?",
        "answer": "Sulfur is a chemical element.\nIts symbol is S.",
        "source": "simplewiki",
        "title": "Sulfur",
    }
    assert (made.question_rules, made.answer_rules) == ((), ())


def test_what_the_rules_clean() -> None:
    made = outcome("Mario &amp; Luigi", 'Script error: No such module "Pp".\nIt is  a game.')
    assert isinstance(made, Kept)
    assert (made.pair.question, made.pair.answer) == ("What is Mario & Luigi?", "It is a game.")
    assert made.question_rules == ("entities",)
    assert made.answer_rules == ("script errors", "spacing")


@pytest.mark.parametrize(
    ("title", "text", "reason"),
    [
        (" ", "Text.", wiki.NO_TITLE),
        ("War (disambiguation)", "War may be:", wiki.DISAMBIGUATION),
        ("Oslo", ' Script error: No such module "X".\n', wiki.NO_LEAD),
        ("Spam", "JELLY " * 1001, wiki.LONG_LEAD),
    ],
)
def test_what_is_left_out_and_why(title: str, text: str, reason: str) -> None:
    assert outcome(title, text) == Dropped(reason)
    assert reason in wiki.RECIPE.drops


def test_a_lead_of_a_thousand_words_is_one() -> None:
    assert isinstance(outcome("Long", "word " * 1000), Kept)
