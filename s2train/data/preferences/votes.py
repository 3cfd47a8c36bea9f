"""Answers with votes: the more helpful of two, and the simpler of two that readers found equally good."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from pydantic import BaseModel, model_validator

from s2eval.metrics import flesch_applies, readability
from s2train.data.eli5 import pairs as eli5
from s2train.data.preferences.records import BEYOND, NOT_LATIN, SAME, SHORT, Aspect, Outcome, Preference
from s2train.data.preferences.settings import EqualVoteSettings, VoteSettings
from s2train.data.rules import clean

FEW = "fewer than two answers after cleaning"
CLOSE = "votes too close"
EARLIER = "the better-voted one came earlier"
UNKNOWN_TIME = "which came first is not known"
UNEQUAL = "votes not equal, or too few"
LENGTHS = "one much longer than the other"
GRADES = "grades too close"


class VotedAnswers(eli5.Answers):
    """Parallel lists; `a_id` and `created_utc` (seconds) say in which order the answers were posted."""

    a_id: list[str] | None = None
    created_utc: list[float] | None = None

    @model_validator(mode="after")
    def _all_parallel(self) -> VotedAnswers:
        for name, values in (("a_id", self.a_id), ("created_utc", self.created_utc)):
            if values is not None and len(values) != len(self.text):
                raise ValueError(f"{len(self.text)} texts, but {len(values)} of {name}")
        return self


class VotedRecord(BaseModel):
    """A post with its answers in the ELI5 schema; other fields are ignored."""

    title: str
    selftext: str = ""
    subreddit: str = "explainlikeimfive"
    answers: VotedAnswers


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    votes: int
    posted: float | None  # seconds, or a number that grows with them


def _answers(record: VotedRecord, limit: int) -> list[_Answer]:
    """Cleaned, without those that cleaning empties; of more than `limit` the best-voted, in their order."""
    posted = _posted(record.answers)
    answers = [
        _Answer(cleaned, votes, when)
        for text, votes, when in zip(record.answers.text, record.answers.score, posted, strict=True)
        if (cleaned := clean(text, eli5.CLEANING).text)
    ]
    best = heapq.nsmallest(limit, enumerate(answers), key=lambda numbered: -numbered[1].votes)
    return [answer for _, answer in sorted(best, key=lambda numbered: numbered[0])]


def _posted(answers: VotedAnswers) -> Sequence[float | None]:
    """When each was posted; without times by its id: Reddit counts comments up, in base 36."""
    if answers.created_utc is not None:
        return answers.created_utc
    try:
        return [int(name.removeprefix("t1_"), 36) for name in answers.a_id or ()] or [None] * len(answers.text)
    except ValueError:
        return [None] * len(answers.text)


def votes(record: VotedRecord, settings: VoteSettings) -> Outcome:
    """Helpfulness: of two answers to a question the one that readers voted clearly higher.

    Margin: the natural logarithm of the ratio of the votes, those below 1 taken as 1 (40 against 10: 1.39).
    """

    def compare(left: _Answer, right: _Answer) -> tuple[_Answer, _Answer, float] | str:
        better, worse = (left, right) if left.votes > right.votes else (right, left)
        if min(len(left.text.split()), len(right.text.split())) < settings.min_words:
            return SHORT
        ratio = max(better.votes, 1) / max(worse.votes, 1)
        if ratio < settings.min_ratio or better.votes - worse.votes < settings.min_difference:
            return CLOSE
        if settings.time == "later":
            if better.posted is None or worse.posted is None:
                if settings.unknown_time == "drop":
                    return UNKNOWN_TIME
            elif better.posted < worse.posted - (settings.max_head_start if timed else 0):
                return EARLIER
        return better, worse, math.log(ratio)

    timed = record.answers.created_utc is not None
    answers = _answers(record, settings.answers_per_question)
    return _compared(record, answers, "helpfulness", compare, settings.pairs_per_question)


def equal_votes(record: VotedRecord, settings: EqualVoteSettings) -> Outcome:
    """Simplicity: of two answers to a question, voted the same and of like length, the one of the lower grade.

    Margin: the difference of their Flesch-Kincaid grades, in school years.
    """
    grades: dict[str, float] = {}

    def grade(answer: _Answer) -> float:
        return grades.setdefault(answer.text, readability(answer.text).fkg)

    def compare(left: _Answer, right: _Answer) -> tuple[_Answer, _Answer, float] | str:
        fewer, more = sorted((left.votes, right.votes))
        if fewer < settings.min_votes or max(more, 1) / max(fewer, 1) > settings.max_ratio:
            return UNEQUAL
        shorter, longer = sorted((len(left.text.split()), len(right.text.split())))
        if shorter < settings.min_words:
            return SHORT
        if longer > settings.max_length_ratio * shorter:
            return LENGTHS
        if not (flesch_applies(left.text) and flesch_applies(right.text)):
            return NOT_LATIN
        simpler, harder = sorted((left, right), key=grade)
        margin = grade(harder) - grade(simpler)
        return (simpler, harder, margin) if margin >= settings.min_grades else GRADES

    answers = _answers(record, settings.answers_per_question)
    return _compared(record, answers, "simplicity", compare, settings.pairs_per_question)


def _compared(
    record: VotedRecord,
    answers: Sequence[_Answer],
    aspect: Aspect,
    compare: Callable[[_Answer, _Answer], tuple[_Answer, _Answer, float] | str],
    limit: int,
) -> Outcome:
    """Every two answers; of the pairs the `limit` of the widest margin, ties in the order of the answers."""
    title, body = clean(record.title, eli5.CLEANING).text, clean(record.selftext, eli5.CLEANING).text
    if not (question := eli5.question_of(title, body)):
        return Outcome(refused={eli5.NO_QUESTION: 1})
    if len(answers) < 2:
        return Outcome(refused={FEW: 1})
    refused, pairs = Counter[str](), list[Preference]()
    for left, right in combinations(answers, 2):
        result = SAME if left.text == right.text else compare(left, right)
        if isinstance(result, str):
            refused[result] += 1
            continue
        chosen, rejected, margin = result
        pairs.append(Preference(question, chosen.text, rejected.text, aspect, margin, f"reddit/{record.subreddit}"))
    widest = heapq.nsmallest(limit, pairs, key=lambda pair: -pair.margin)
    if len(pairs) > len(widest):
        refused[BEYOND] = len(pairs) - len(widest)
    return Outcome(tuple(widest), refused)
