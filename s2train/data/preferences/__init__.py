"""Preference sets, one aspect a file: which of two answers is more helpful, simpler, or does less harm.

Every source has a pure function from one record to its pairs, `votes`, `equal_votes`, `leads` and `dialogues`; each
candidate becomes a pair or is counted under a named reason. `read_preferences` streams inputs through them.
"""

from s2train.data.preferences.dialogues import DialogueRecord, dialogue, dialogues, prompt_of, turns_of
from s2train.data.preferences.leads import LeadRecord, leads
from s2train.data.preferences.reading import (
    KINDS,
    PreferenceReading,
    PreferenceSet,
    kind_of,
    preference_sets,
    read_preferences,
)
from s2train.data.preferences.records import ASPECTS, Aspect, Outcome, Preference, PreferenceLine
from s2train.data.preferences.settings import EqualVoteSettings, LeadSettings, PreferenceSettings, VoteSettings
from s2train.data.preferences.votes import VotedAnswers, VotedRecord, equal_votes, votes
from s2train.data.rules import sentences

__all__ = [
    "ASPECTS",
    "KINDS",
    "Aspect",
    "DialogueRecord",
    "EqualVoteSettings",
    "LeadRecord",
    "LeadSettings",
    "Outcome",
    "Preference",
    "PreferenceLine",
    "PreferenceReading",
    "PreferenceSet",
    "PreferenceSettings",
    "VoteSettings",
    "VotedAnswers",
    "VotedRecord",
    "dialogue",
    "dialogues",
    "equal_votes",
    "kind_of",
    "leads",
    "preference_sets",
    "prompt_of",
    "read_preferences",
    "sentences",
    "turns_of",
    "votes",
]
