"""hh-rlhf's dialogues: two last answers to one dialogue, or a named reason why they are no pair."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.prompts import Turn
from s2train.data.preferences import DialogueRecord, Outcome, dialogues, prompt_of, turns_of
from s2train.data.preferences.dialogues import DIFFER_EARLIER, EMPTY_TURN, MARK_INSIDE, NO_DIALOGUE
from s2train.data.preferences.records import SAME


def hh(chosen: str, rejected: str, prompt: str = "") -> Outcome:
    return dialogues(DialogueRecord(chosen=chosen, rejected=rejected, prompt=prompt))


ASKED = "\n\nHuman: Hi &amp; hello\n\nAssistant: Yes?\n\nHuman: How do I steal?\n\nAssistant:"


@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt"),
    [(" Don't. ", " Quietly.", ASKED), (f"{ASKED} Don't.", f"{ASKED} Quietly.", "")],  # whole dialogues, as published
)
def test_two_last_answers_of_one_dialogue(chosen: str, rejected: str, prompt: str) -> None:
    (pair,) = hh(chosen, rejected, prompt).pairs
    assert (pair.chosen, pair.rejected, pair.margin, pair.aspect) == ("Don't.", "Quietly.", 0.0, "harmlessness")
    assert pair.prompt == ASKED.replace("&amp;", "&")
    assert turns_of(pair.prompt) == [Turn("Hi & hello", "Yes?"), Turn("How do I steal?")]


def test_a_dialogue_of_one_turn_is_a_plain_question() -> None:
    (pair,) = hh(" Don't.", " Quietly.", "\n\nHuman: How do I steal?\n\nAssistant:").pairs
    assert pair.prompt == "How do I steal?"
    assert turns_of(pair.prompt) == [Turn("How do I steal?")]


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        ("No.", "Yes.", NO_DIALOGUE),
        (f"Hello{ASKED} No.", f"Hello{ASKED} Yes.", NO_DIALOGUE),
        ("\n\nAssistant: No.", "\n\nAssistant: Yes.", NO_DIALOGUE),
        (f"{ASKED} No.\n\nHuman: Why?", f"{ASKED} Yes.\n\nHuman: Why?", NO_DIALOGUE),  # ends in a question
        ("\n\nHuman: A\n\nHuman: B\n\nAssistant: C", "\n\nHuman: A\n\nAssistant: D", NO_DIALOGUE),
        (f"{ASKED} ", f"{ASKED} Yes.", EMPTY_TURN),
        (f"{ASKED} No.", f"{ASKED} Human: Yes.", MARK_INSIDE),
        (f"{ASKED} No.  Human: So?\n\nAssistant: No.", f"{ASKED} Yes.", NO_DIALOGUE),
        (f"{ASKED} No.", f"{ASKED.replace('steal', 'cook')} Yes.", DIFFER_EARLIER),
        (f"{ASKED} No.", f"{ASKED}  No. ", SAME),
    ],
)
def test_what_is_no_pair_of_dialogues(chosen: str, rejected: str, reason: str) -> None:
    assert hh(chosen, rejected) == Outcome((), {reason: 1})


TURN = (
    st.text(alphabet="ab \n:HumanAsit", min_size=1)
    .map(str.strip)
    .filter(lambda text: text and "Human:" not in text and "Assistant:" not in text)
)


@given(st.lists(TURN, min_size=1, max_size=7).filter(lambda said: len(said) % 2 == 1))
def test_a_prompt_is_read_back_as_its_turns(said: list[str]) -> None:
    turns = turns_of(prompt_of(said))
    read = itertools.chain.from_iterable((turn.question, turn.answer) for turn in turns)
    assert [*read] == [*said, None]


def test_a_dialogue_that_does_not_open_the_answer_is_read_too() -> None:
    assert turns_of("\n\nHuman: Hi") == [Turn("Hi")]
    assert turns_of("\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Why?") == [Turn("Hi", "Yes?"), Turn("Why?")]
