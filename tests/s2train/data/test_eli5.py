"""A record of the ELI5 schema becomes a question with its best-voted answer, its text cleaned by named rules."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from s2train.data.eli5 import pairs as eli5
from s2train.data.records import Dropped, Kept
from s2train.data.rules import clean


def record(
    *answers: tuple[int, str], title: str = "Why is the sky blue?", body: str = "", **more: Any
) -> eli5.Eli5Record:
    return eli5.Eli5Record.model_validate(
        {
            "q_id": "abc",
            "title": title,
            "selftext": body,
            "subreddit": "explainlikeimfive",
            "answers": {"text": [text for _, text in answers], "score": [score for score, _ in answers]},
            **more,
        }
    )


def kept(item: eli5.Eli5Record) -> Kept:
    outcome = eli5.pair(item)
    assert isinstance(outcome, Kept), outcome
    return outcome


def test_a_record_becomes_a_pair() -> None:
    item = record((3, "Dust."), (7, "Air scatters [blue]( URL_0 ) light."), body="And at night?", category="Physics")
    outcome = kept(item)
    assert outcome.pair.row() == {
        "id": "eli5-abc",
        "question": "Why is the sky blue?\n\nAnd at night?",
        "answer": "Air scatters blue light.",
        "source": "reddit/explainlikeimfive",
        "score": 7,
        "category": "Physics",
    }
    assert (outcome.question_rules, outcome.answer_rules) == ((), ("links",))


def test_of_equal_votes_the_first_answer_wins() -> None:
    assert kept(record((1, "One."), (5, "Two."), (5, "Three."))).pair.answer == "Two."


def test_a_best_answer_that_is_gone_gives_way_to_the_next_and_says_so() -> None:
    outcome = kept(record((9, "[deleted]"), (8, " URL_0 "), (2, "Air scatters light."), (1, "Dust.")))
    assert (outcome.pair.answer, outcome.pair.extra["score"]) == ("Air scatters light.", 2)
    assert outcome.answer_rules == (eli5.NEXT_BEST,)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (record(), eli5.NO_ANSWER),
        (record((5, "Yes."), title="[deleted by user]", body="[removed]"), eli5.NO_QUESTION),
        (record((5, "[removed]"), (4, "https://example.org/a")), eli5.EMPTY_ANSWERS),
    ],
)
def test_what_is_left_out_and_why(item: eli5.Eli5Record, reason: str) -> None:
    assert eli5.pair(item) == Dropped(reason)
    assert reason in eli5.RECIPE.drops


@pytest.mark.parametrize(
    ("title", "body", "question"),
    [
        ("Why?", "", "Why?"),
        ("Why?", "Because I wonder.", "Why?\n\nBecause I wonder."),
        ("how do cars work", "How do cars work?", "how do cars work"),  # the body only repeats the title
        ("How do cars work?", "How do cars work? And planes?", "How do cars work? And planes?"),
        ("How do car", "How do cars work?", "How do car\n\nHow do cars work?"),  # not the same words
        ("", "What is it?", "What is it?"),
    ],
)
def test_title_and_body_make_the_question(title: str, body: str, question: str) -> None:
    assert eli5.question_of(title, body) == question


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("See [this page]( URL_0 ).", "See this page."),
        ("See [this](https://en.wikipedia.org/wiki/Foo_(bar)) now", "See this now"),
        ("[[1]](http://a.org) and [rules](/r/science/wiki)", "[1] and rules"),
        ("f[0](x) stays", "f[0](x) stays"),
    ],
)
def test_links(before: str, after: str) -> None:
    assert eli5.links(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Watch URL_0 .", "Watch."),
        ("Watch _URL_0_, then _URL_12_ twice.", "Watch, then twice."),
        ("A ship ( URL_0 ) sank [ URL_1 , URL_2 ].", "A ship sank ."),
        ("(see https://a.org/b?c=d)", "(see)"),
        ("one\nwww.example.org/x\n\ntwo", "one\n \n\ntwo"),
        ("https://en.wikipedia.org/wiki/Foo_(bar).", "."),
        ("names beginning with www. are silly; CURL_0 and URL_x stay", None),
    ],
)
def test_urls(before: str, after: str | None) -> None:
    assert re.sub(" +", " ", eli5.urls(before)) == (before if after is None else after)


@given(st.lists(st.sampled_from(["https://a.org/x", "www.a.org", "URL_3", "_URL_0_", "(", ")", ".", " ", "\n", "so"])))
def test_no_url_survives(parts: list[str]) -> None:
    text = clean(" ".join(parts), eli5.CLEANING).text
    assert not re.search(r"https?:|www\.\w|URL_\d", text)
    assert text.count("so") == parts.count("so")  # and no word goes with it


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("The air scatters blue light. Edit: thanks!", "The air scatters blue light."),
        ("The air scatters blue light. **EDIT 2** - wow", "The air scatters blue light."),
        ("The air scatters blue light. [edit] typo", "The air scatters blue light."),
        ("The air scatters blue light. Edited to add a word", "The air scatters blue light."),
        ("The air scatters blue light. EDIT fixed it", "The air scatters blue light."),
        ("No. Edit: the air scatters blue light more.", "No.  the air scatters blue light more."),  # opens early
        ("It is (edit: nearly) always blue at noon.", "It is always blue at noon."),
        ("Long line of text. Edit: a\nThe next line.", "Long line of text.\nThe next line."),
        ("You can edit the metadata, then edit again.", None),
        ("Files are cut and edited to be smoother.", None),
        ("CREDIT: my teacher. I like the sub-edit: it works.", None),
    ],
)
def test_edit_notes(before: str, after: str | None) -> None:
    assert eli5.edit_notes(before) == (before if after is None else after)


def test_entities_invisible_characters_and_spacing() -> None:
    cleaned = clean("5 &lt; 6 & nbsp; & #x200B;\r\n\r\n\r\n\r\nAT&T;\u2028end \x07", eli5.CLEANING)
    assert cleaned.text == "5 < 6\n\nAT&T;\nend"
    assert cleaned.changed == ("entities", "characters", "spacing")


@pytest.mark.parametrize(
    "part",
    [
        " ",
        "\n",
        "*",
        "[",
        "(",
        "[[",
        "(((",
        "http://a,",
        "https://",
        "www.",
        "URL_0 ",
        "_",
        "edit",
        "*edit",
        "(edit ",
        "[a]",
        "[a](",
        "&",
    ],
)
def test_no_rule_hangs_on_a_long_run(part: str) -> None:
    long = part * (40_000 // len(part))  # as long as a Reddit post may be; quadratic rules would take minutes
    for text in (long, f"({long}", f"[x]({long}", f"{long}x"):
        assert len(clean(text, eli5.CLEANING).text) <= len(text)


def test_lists_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValidationError, match="2 texts, but 1 scores"):
        record(answers={"text": ["a", "b"], "score": [1]})


def test_the_time_of_a_post_is_kept_where_it_is_known() -> None:
    known = {"q_id": "a", "title": "Why?", "created_utc": 1577836800.0, "answers": {"text": ["So."], "score": [2]}}
    outcomes = [eli5.pair(eli5.Eli5Record.model_validate(one)) for one in (known, {**known, "created_utc": None})]
    extras = [outcome.pair.extra for outcome in outcomes if isinstance(outcome, Kept)]
    assert extras == [{"score": 2, "category": None, "created_utc": 1577836800}, {"score": 2, "category": None}]
