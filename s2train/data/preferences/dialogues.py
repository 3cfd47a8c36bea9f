"""hh-rlhf's dialogues: of two last answers the one that people found to do less harm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

from pydantic import BaseModel

from s2eval.prompts import Turn
from s2train.data.preferences.records import SAME, Outcome, Preference
from s2train.data.rules import CHARACTERS, ENTITIES, SPACING, clean

NO_DIALOGUE = "not a dialogue of alternating turns"
EMPTY_TURN = "an empty turn"
MARK_INSIDE = "the mark of a turn inside one"
DIFFER_EARLIER = "the dialogues differ before the last answer"

_MARK = re.compile(r"\n\n(Human|Assistant):")
_STRAY_MARK = re.compile(r"(?:^|\s)(?:Human|Assistant):")
_SPEAKERS = ("Human", "Assistant")
_DIALOGUE_CLEANING = (ENTITIES, CHARACTERS, SPACING)


class DialogueRecord(BaseModel):
    """A line of hh-rlhf (Bai et al. 2022, arXiv 2204.05862): two dialogues, or `prompt` and two last answers."""

    chosen: str
    rejected: str
    prompt: str = ""


def dialogue(text: str) -> list[str] | str:
    """The turns of `\\n\\nHuman: …\\n\\nAssistant: …`, cleaned, the last one an answer; or why it is none."""
    before, *parts = _MARK.split(text)
    speakers, turns = parts[::2], [clean(turn, _DIALOGUE_CLEANING).text for turn in parts[1::2]]
    if before.strip() or not parts or len(parts) % 4 or speakers != [*_SPEAKERS] * (len(speakers) // 2):
        return NO_DIALOGUE
    if not all(turns):
        return EMPTY_TURN
    return MARK_INSIDE if any(map(_STRAY_MARK.search, turns)) else turns


def dialogues(record: DialogueRecord) -> Outcome:
    """Harmlessness: of two last answers in one dialogue the one that people found to do less harm.

    Margin: 0; hh-rlhf does not say by how much.
    """
    chosen, rejected = dialogue(record.prompt + record.chosen), dialogue(record.prompt + record.rejected)
    if isinstance(chosen, str):
        return Outcome(refused={chosen: 1})
    if isinstance(rejected, str):
        return Outcome(refused={rejected: 1})
    if chosen[:-1] != rejected[:-1]:
        return Outcome(refused={DIFFER_EARLIER: 1})
    if chosen[-1] == rejected[-1]:
        return Outcome(refused={SAME: 1})
    pair = Preference(prompt_of(chosen[:-1]), chosen[-1], rejected[-1], "harmlessness", 0.0, "hh-rlhf")
    return Outcome((pair,))


def prompt_of(turns: Sequence[str]) -> str:
    """Turns (question, answer, …, question) as a prompt: one question as it is, more of them in hh-rlhf's form."""
    if len(turns) == 1:
        return turns[0]
    return "".join(f"\n\n{_SPEAKERS[n % 2]}: {turn}" for n, turn in enumerate(turns)) + "\n\nAssistant:"


def turns_of(prompt: str) -> list[Turn]:
    """A prompt of these files as turns for a template (`s2eval.prompts`); the last one's answer is None.

    No single question begins like a dialogue: questions do not begin with a line break.
    """
    if not prompt.startswith("\n\nHuman:"):
        return [Turn(prompt)]
    texts = [part.strip() for part in _MARK.split(prompt)[2::2]]
    return [Turn(question, answer or None) for question, answer in zip_longest(texts[::2], texts[1::2])]
