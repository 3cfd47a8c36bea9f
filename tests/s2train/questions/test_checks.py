"""A written question must stand alone with its text as the answer; each reason to refuse one has its cases."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2train.data.questions.checks import (
    CHECKS,
    REASONS,
    Draft,
    Thresholds,
    copied_words,
    grade,
    leaked_share,
    question_in,
    refusal,
)
from s2train.data.records import Kept
from s2train.data.wiki import pairs as wiki

AYR = (
    "Ayr is a small town in Scotland. It lies where the river of that name flows into the sea. Robert Burns was born"
    " near it."
)


def refused(question: str, answer: str = AYR, title: str = "Ayr", **thresholds: float) -> str | None:
    return refusal(Draft(question, answer, title), Thresholds.model_validate(thresholds))


@pytest.mark.parametrize(
    "question",
    [
        "What is Ayr?",
        "Where is the town of Ayr?",
        "Can you tell me about Ayr?",
        "Why do people know Ayr?",
        "Who was Robert Burns and his family?",  # `his` has somebody to stand for
        "How high above sea level is Ayr?",
        "Who is the author who was born near Ayr?",
        "What is the text of the song about a town?",
    ],
)
def test_questions_that_pass(question: str) -> None:
    assert refused(question) is None


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("", "empty"),
        ("?!", "empty"),
        ("What is Ayr\ud83d?", "broken characters"),
        ("What is \ufffd Ayr?", "broken characters"),
        ("Ayr is a town.", "no question mark at its end"),
        ("What is Ayr? It is a town.", "no question mark at its end"),
        ("What is Ayr? Where is it?", "more than one question"),
        ("What is Ayr?\nWhere is Ayr?", "more than one question"),
        ("What is Ayr and where is it?", "more than one question"),
        ("What is Ayr, and how many people were born near the place?", "more than one question"),
        ("Ayr?", "too short or too long"),
        ("What is " + "the very old and " * 10 + "small town of Ayr?", "too short or too long"),  # 2 + 40 + 4 words
        ("¿Qué es la ciudad de Ayr?", "not in English"),
        ("Was ist die Stadt Ayr?", "not in English"),
        ("Что такое город Эр?", "not in English"),
        ("什么是 Ayr 城 吗?", "not in English"),
        ("What does the text say about Ayr?", "points at the text"),
        ("Which town is this passage about?", "points at the text"),
        ("What is the given article about?", "points at the text"),
        ("Which poet mentioned above comes from Ayr?", "points at the text"),
        ("According to the author, what is Ayr?", "points at the text"),
        ("Where is this town?", "points at the text"),
        ("What is it known for?", "points at the text"),
        ("When was he born near the town?", "points at the text"),
        ("Why is life hard in a desert?", "asks about something else"),
        ("Is Ayr a small town in Scotland near which the river flows into the sea?", "gives the answer away"),
        ("Which place lies where the river of that name flows into water?", "gives the answer away"),  # 9 in a row
        (
            "What institutional characteristics differentiate metropolitan municipalities administratively?",
            "hard to read",
        ),
    ],
)
def test_each_reason(question: str, reason: str) -> None:
    assert refused(question) == reason
    assert reason in REASONS


def test_every_check_has_a_case_above() -> None:
    cases = test_each_reason.pytestmark[0].args[1]
    assert {reason for _, reason in cases} == {check.reason for check in CHECKS}


@pytest.mark.parametrize(
    ("title", "question"),
    [
        ("Who Wants to Be a Millionaire?", "When did Who Wants to Be a Millionaire? begin on television?"),  # one mark
        ("Article (grammar)", "What is the article in grammar?"),
        ("This Is Us", "Who made the show This Is Us?"),
        ("Internationalization and localization", "What does internationalization and localization mean?"),  # hard word
        ("Treaty on the Prohibition of Nuclear Weapons", "What is the Treaty on the Prohibition of Nuclear Weapons?"),
        ("What's Up and Who Is Who", "Who sang What's Up and Who Is Who for the first time?"),
    ],
)
def test_the_subjects_name_is_nobodys_fault(title: str, question: str) -> None:
    answer = f"{title} is something. People talk of {title} when they mean many different things, as all know."
    assert refused(question, answer, title) is None
    assert refused(question, answer, "") is not None  # without the title it would be


def test_the_grade_counts_this_for_the_name() -> None:
    # `What is this?`: 3 words in a sentence, 3 syllables: 0.39·3 + 11.8·3/3 - 15.59 = -2.62
    assert grade(Draft("What is photosynthesis?", "A process.", "Photosynthesis")) == pytest.approx(-2.62)


def test_leaked_share_states_the_arithmetic() -> None:
    # content: small, town, scotland, lies, river, name, flows, sea, robert, burns, born, near; 3 of 12 are asked
    assert leaked_share(Draft("Is Ayr a town near the sea?", AYR, "Ayr")) == 3 / 12
    assert leaked_share(Draft("What is Ayr?", "Ayr is it.", "Ayr")) == 0.0  # nothing that could leak
    assert refused("Is Ayr a town near the sea?", max_leaked_share=0.25) is None
    assert refused("Is Ayr a town near the sea?", max_leaked_share=0.24) == "gives the answer away"


WORDS = st.lists(st.sampled_from(["rain", "falls", "on", "hills"]), min_size=1, max_size=8)


@given(WORDS, WORDS)
def test_copied_words_is_the_longest_common_run(question: list[str], answer: list[str]) -> None:
    runs = {tuple(answer[i:j]) for i in range(len(answer)) for j in range(i + 1, len(answer) + 1)}
    longest = max(
        (j - i for i in range(len(question)) for j in range(i + 1, len(question) + 1) if tuple(question[i:j]) in runs),
        default=0,
    )
    assert copied_words(Draft(" ".join(question), " ".join(answer))) == longest


def test_the_name_breaks_a_row() -> None:
    assert copied_words(Draft("In which land is Ayr a small town?", "Here is Ayr a small town.", "")) == 5
    assert copied_words(Draft("In which land is Ayr a small town?", "Here is Ayr a small town.", "Ayr")) == 3


@pytest.mark.parametrize(
    ("reply", "question"),
    [
        ("  What is rain? \n", "What is rain?"),
        ('"What is rain?"', "What is rain?"),
        ("**Question:** What is rain?", "What is rain?"),
        ("**What is rain?**", "What is rain?"),
        ("Q: “What is rain?”", "What is rain?"),
        ("1. What   is rain?", "What is rain?"),
        ("- **Question 1:** **What is rain?**", "What is rain?"),
        ("### Question: What is rain?", "What is rain?"),
        ('What is "rain"?', 'What is "rain"?'),
        ("Q fever is what?", "Q fever is what?"),
        ("Question marks are what?", "Question marks are what?"),
        ("What is rain?\n\nAnswer: water.", "What is rain?\n\nAnswer: water."),  # not ours to cut: it is refused
    ],
)
def test_what_models_put_around_a_question_goes(reply: str, question: str) -> None:
    assert question_in(reply) == question


@given(st.text(alphabet='Qquestion12.:*"“”#-> \n?', max_size=40))
def test_reading_a_reply_twice_changes_nothing(reply: str) -> None:
    assert question_in(question_in(reply)) == question_in(reply)


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20))
def test_any_text_passes_or_is_refused_by_a_named_reason(question: str, answer: str, title: str) -> None:
    assert refused(question_in(question), answer, title) in {None, *REASONS}


def test_questions_about_real_leads(shared_data: Path) -> None:
    """Of 692 real subjects the plain question passes; the lead's first sentence, asked back, hardly ever does."""
    found = Counter[str | None]()
    copied = Counter[str | None]()
    for line in (shared_data / "simplewiki" / "swipe_pairs.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        outcome = wiki.pair(wiki.WikiRecord.model_validate({"title": row["title"], "text": row["simple_text"]}))
        if isinstance(outcome, Kept):
            title, answer = outcome.pair.extra["title"], outcome.pair.answer
            found[refused(f"Can you tell me what {title} is?", answer, title)] += 1
            sentence = answer.split(". ")[0].rstrip(".")
            if len(sentence.split()) > 12:
                copied[refused(f"Is it true that {sentence}?", answer, title)] += 1
    assert found == {None: 692}
    assert copied[None] <= 0.05 * copied.total(), copied
