"""Preference sets, one file per aspect: which of two answers is more helpful, simpler, or does less harm.

Every source has a pure function from one record to its pairs, `votes`, `equal_votes`, `leads` and `dialogues`; each
candidate becomes a pair or is counted under a named reason. `build_preferences` streams files through them.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, combinations
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from s2eval.errors import DataError, UnknownNameError
from s2eval.metrics import readability
from s2eval.prompts import Turn
from s2train.data import eli5, wiki
from s2train.data.build import source_entry
from s2train.data.jsonl import Source, replacing
from s2train.data.records import Kept
from s2train.data.rules import CHARACTERS, ENTITIES, SPACING, clean
from s2train.data.split import normalised

Aspect = Literal["helpfulness", "simplicity", "harmlessness"]


@dataclass(frozen=True, slots=True)
class Preference:
    """One line of `preferences/<aspect>.jsonl`.

    Attributes:
        prompt: the question; a dialogue of several turns in hh-rlhf's form, which `turns_of` reads.
        chosen, rejected: answers, cleaned, neither empty.
        margin: by how much, from 0: see the aspect's function. 0 = nobody knows by how much, so that a loss
            -log σ(r_chosen - r_rejected - margin) is the plain one.
        source: where the pair comes from (`reddit/explainlikeimfive`, `swipe`, `hh-rlhf`).
    """

    prompt: str
    chosen: str
    rejected: str
    aspect: Aspect
    margin: float
    source: str

    def row(self) -> dict[str, Any]:
        """The line's fields in their order; the margin to 4 decimals."""
        return asdict(self) | {"margin": round(self.margin, 4)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one record gave: its pairs, and how many candidates were refused for which reason."""

    pairs: tuple[Preference, ...] = ()
    refused: Mapping[str, int] = field(default_factory=dict[str, int])


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VoteSettings(_Section):
    """Which votes make one answer the better one.

    Attributes:
        min_ratio: of the votes, those below 1 taken as 1.
        min_difference: of the votes.
        min_words: of both answers.
        time: `later` = the better-voted answer must not be the earlier one, as in SHP (Ethayarajh et al. 2022, arXiv
            2110.08420): who comes first gathers more votes, so votes against that order are the sign of a better
            answer. `any` = not looked at.
        max_head_start: seconds that the better-voted one may nevertheless be the earlier; needs `created_utc`.
        unknown_time: what becomes of answers of which nobody knows which came first.
        pairs_per_question: at most, those of the widest margin; else a few long discussions make up the set.
        answers_per_question: the best-voted so many are compared.
    """

    min_ratio: float = Field(default=2.0, ge=1)
    min_difference: int = Field(default=5, ge=1)
    min_words: int = Field(default=10, ge=1)
    time: Literal["later", "any"] = "later"
    max_head_start: float = Field(default=0.0, ge=0)
    unknown_time: Literal["keep", "drop"] = "keep"
    pairs_per_question: int = Field(default=5, ge=1)
    answers_per_question: int = Field(default=100, ge=2)


class EqualVoteSettings(_Section):
    """Which of two answers that readers found equally good is the simpler one.

    Attributes:
        min_votes: of both: 1 is what a comment starts with, and says nothing.
        max_ratio: of the votes that count as equal; 1 = the very same.
        min_grades: difference of Flesch-Kincaid grades (school years).
        min_words: of both answers; a grade of a few words means nothing.
        max_length_ratio: of the words, so that `simpler` is not learned as `shorter`.
        pairs_per_question, answers_per_question: as in `VoteSettings`.
    """

    min_votes: int = 2
    max_ratio: float = Field(default=1.0, ge=1)
    min_grades: float = Field(default=2.0, gt=0)
    min_words: int = Field(default=20, ge=1)
    max_length_ratio: float = Field(default=2.0, ge=1)
    pairs_per_question: int = Field(default=5, ge=1)
    answers_per_question: int = Field(default=100, ge=2)


class LeadSettings(_Section):
    """When a Simple lead is taken to be simpler than the regular one.

    Attributes:
        min_grades: difference of Flesch-Kincaid grades (school years). 0 = no pair where editors and formula disagree;
            more leaves out near copies; very negative = the editors' word suffices, and margins may be negative.
        min_words: of both, as they stand in the pair.
        equal_sentences: cut both to as many sentences as the shorter has: regular leads are some four times as long,
            which a model would learn in place of simplicity.
    """

    min_grades: float = 0.0
    min_words: int = Field(default=8, ge=1)
    equal_sentences: bool = True


class PreferenceSettings(_Section):
    """The thresholds of all aspects."""

    votes: VoteSettings = VoteSettings()
    equal_votes: EqualVoteSettings = EqualVoteSettings()
    leads: LeadSettings = LeadSettings()


SAME = "same text"
SHORT = "an answer too short"
BEYOND = "beyond the pairs of one question"

# --- helpfulness, and simplicity among equals: answers with votes ---

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
    found = [
        _Answer(cleaned, votes, when)
        for text, votes, when in zip(record.answers.text, record.answers.score, posted, strict=True)
        if (cleaned := clean(text, eli5.CLEANING).text)
    ]
    best = sorted(range(len(found)), key=lambda place: -found[place].votes)[:limit]
    return [found[place] for place in sorted(best)]


def _posted(answers: VotedAnswers) -> Sequence[float | None]:
    """When each was posted; without times by its id: Reddit counts comments up, in base 36."""
    if answers.created_utc is not None:
        return answers.created_utc
    try:
        return [int(name.removeprefix("t1_"), 36) for name in answers.a_id or ()] or [None] * len(answers.text)
    except ValueError:
        return [None] * len(answers.text)


def _question(record: VotedRecord) -> str:
    return eli5.question_of(clean(record.title, eli5.CLEANING).text, clean(record.selftext, eli5.CLEANING).text)


def _ratio(some: int, others: int) -> float:
    low, high = sorted((max(some, 1), max(others, 1)))
    return high / low


def votes(record: VotedRecord, settings: VoteSettings) -> Outcome:
    """Helpfulness: of two answers to a question the one that readers voted clearly higher.

    Margin: the natural logarithm of the ratio of the votes, those below 1 taken as 1 (40 against 10: 1.39).
    """

    def compare(one: _Answer, other: _Answer) -> tuple[_Answer, _Answer, float] | str:
        better, worse = (one, other) if one.votes > other.votes else (other, one)
        if min(len(one.text.split()), len(other.text.split())) < settings.min_words:
            return SHORT
        ratio = _ratio(better.votes, worse.votes)
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

    def compare(one: _Answer, other: _Answer) -> tuple[_Answer, _Answer, float] | str:
        if min(one.votes, other.votes) < settings.min_votes or _ratio(one.votes, other.votes) > settings.max_ratio:
            return UNEQUAL
        shorter, longer = sorted((len(one.text.split()), len(other.text.split())))
        if shorter < settings.min_words:
            return SHORT
        if longer > settings.max_length_ratio * shorter:
            return LENGTHS
        simpler, harder = sorted((one, other), key=grade)
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
    if not (question := _question(record)):
        return Outcome(refused={eli5.NO_QUESTION: 1})
    if len(answers) < 2:
        return Outcome(refused={FEW: 1})
    refused, pairs = Counter[str](), list[Preference]()
    for one, other in combinations(answers, 2):
        result = SAME if one.text == other.text else compare(one, other)
        if isinstance(result, str):
            refused[result] += 1
            continue
        chosen, rejected, margin = result
        pairs.append(Preference(question, chosen.text, rejected.text, aspect, margin, f"reddit/{record.subreddit}"))
    kept = heapq.nsmallest(limit, pairs, key=lambda pair: -pair.margin)
    if len(pairs) > len(kept):
        refused[BEYOND] = len(pairs) - len(kept)
    return Outcome(tuple(kept), refused)


# --- simplicity: Simple against regular Wikipedia ---

NO_REGULAR = "regular lead empty after cleaning"
NOT_SIMPLER = "the Simple lead is not the simpler one"

_ENDS = re.compile(
    r"""(?:(?<=[.!?])|(?<=[.!?]["'”’)\]]))(?<!\b[A-Z]\.)(?<!\b(?:St|Dr|Mr|Jr|Sr|No|vs|ca)\.)(?<!\bMrs\.)"""
    r"""\s+(?=["'“‘(\[]?[A-Z0-9])"""
)


class LeadRecord(BaseModel):
    """A subject with both leads, as in SWiPE's pairs (Laban et al. 2023); other fields are ignored."""

    title: str
    simple_text: str
    regular_text: str


def sentences(text: str) -> list[str]:
    """A text's sentences on one line each: after `.`, `!` or `?`, before a capital or a digit; not after initials."""
    return _ENDS.split(" ".join(text.split()))


def leads(record: LeadRecord, settings: LeadSettings, questions: Mapping[str, str] | None = None) -> Outcome:
    """Simplicity: the Simple lead of a subject against the regular one, both on one line.

    Margin: the difference of their Flesch-Kincaid grades as they stand in the pair, in school years.

    Args:
        questions: title → a question written about it (`questions`); else `What is {title}?`.
    """
    outcome = wiki.pair(wiki.WikiRecord.model_validate({"title": record.title, "text": record.simple_text}))
    if not isinstance(outcome, Kept):
        return Outcome(refused={outcome.reason: 1})
    simple = sentences(outcome.pair.answer)
    regular = sentences(wiki.lead_of(clean(record.regular_text, wiki.CLEANING).text))
    number = min(len(simple), len(regular)) if settings.equal_sentences else None
    chosen, rejected = " ".join(simple[:number]), " ".join(regular[:number])
    reason = None
    margin = readability(rejected).fkg - readability(chosen).fkg
    if not rejected:
        reason = NO_REGULAR
    elif normalised(chosen) == normalised(rejected):
        reason = SAME
    elif min(len(chosen.split()), len(rejected.split())) < settings.min_words:
        reason = SHORT
    elif margin < settings.min_grades:
        reason = NOT_SIMPLER
    if reason is not None:
        return Outcome(refused={reason: 1})
    question = (questions or {}).get(outcome.pair.extra["title"], outcome.pair.question)
    return Outcome((Preference(question, chosen, rejected, "simplicity", margin, "swipe"),))


# --- harmlessness: hh-rlhf's dialogues ---

NO_DIALOGUE = "not a dialogue of alternating turns"
EMPTY_TURN = "an empty turn"
MARK_INSIDE = "the mark of a turn inside one"
DIFFER_EARLIER = "the dialogues differ before the last answer"

_MARK = re.compile(r"\n\n(Human|Assistant):")
_STRAY_MARK = re.compile(r"(?:^|\s)(?:Human|Assistant):")
_SPEAKERS = ("Human", "Assistant")
_DIALOGUE_CLEANING = (ENTITIES, CHARACTERS, SPACING)


class DialogueRecord(BaseModel):
    """A line of hh-rlhf (Bai et al. 2022, arXiv 2204.05862): two whole dialogues, or `prompt` and two last answers."""

    chosen: str
    rejected: str
    prompt: str = ""


def dialogue(text: str) -> list[str] | str:
    """The turns of `\\n\\nHuman: …\\n\\nAssistant: …`, cleaned, the last one an answer; or why it is none."""
    before, *parts = _MARK.split(text)
    speakers, said = parts[::2], [clean(turn, _DIALOGUE_CLEANING).text for turn in parts[1::2]]
    if before.strip() or not parts or len(parts) % 4 or speakers != [*_SPEAKERS] * (len(speakers) // 2):
        return NO_DIALOGUE
    if not all(said):
        return EMPTY_TURN
    return MARK_INSIDE if any(map(_STRAY_MARK.search, said)) else said


def dialogues(record: DialogueRecord) -> Outcome:
    """Harmlessness: of two last answers in one dialogue the one that people found to do less harm.

    Margin: 0; hh-rlhf does not say by how much.
    """
    chosen, rejected = dialogue(record.prompt + record.chosen), dialogue(record.prompt + record.rejected)
    if isinstance(chosen, str) or isinstance(rejected, str):
        return Outcome(refused={chosen if isinstance(chosen, str) else str(rejected): 1})
    if chosen[:-1] != rejected[:-1]:
        return Outcome(refused={DIFFER_EARLIER: 1})
    if chosen[-1] == rejected[-1]:
        return Outcome(refused={SAME: 1})
    pair = Preference(prompt_of(chosen[:-1]), chosen[-1], rejected[-1], "harmlessness", 0.0, "hh-rlhf")
    return Outcome((pair,))


def prompt_of(said: Sequence[str]) -> str:
    """Turns (question, answer, …, question) as a prompt: one question as it is, more of them in hh-rlhf's form."""
    if len(said) == 1:
        return said[0]
    return "".join(f"\n\n{_SPEAKERS[n % 2]}: {turn}" for n, turn in enumerate(said)) + "\n\nAssistant:"


def turns_of(prompt: str) -> list[Turn]:
    """A prompt of these files as turns for a template (`s2eval.prompts`); the last one's answer is None.

    No single question begins like a dialogue: questions do not begin with a line break.
    """
    if not prompt.startswith("\n\nHuman:"):
        return [Turn(prompt)]
    said = [part.strip() for part in _MARK.split(prompt)[2::2]]
    return [Turn(question, answer or None) for question, answer in zip(said[::2], said[1::2], strict=True)]


# --- files ---

FOLDER = "preferences"
DUPLICATE = "pair seen before"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input: the aspect that it serves, its records, and what makes pairs of one."""

    aspect: Aspect
    record: type[BaseModel]
    pairs: Callable[[Any, PreferenceSettings, Mapping[str, str]], Outcome]


KINDS: Mapping[str, tuple[Kind, ...]] = {
    "eli5": (
        Kind("helpfulness", VotedRecord, lambda record, settings, _: votes(record, settings.votes)),
        Kind("simplicity", VotedRecord, lambda record, settings, _: equal_votes(record, settings.equal_votes)),
    ),
    "leads": (Kind("simplicity", LeadRecord, lambda record, settings, asked: leads(record, settings.leads, asked)),),
    "hh": (Kind("harmlessness", DialogueRecord, lambda record, _settings, _asked: dialogues(record)),),
}
"""What inputs may be, and what is made of them, in this order."""


@dataclass(frozen=True, slots=True)
class PreferenceFunnel:
    """What became of the candidates of one aspect; `candidates == sum(refused.values()) + pairs`.

    Attributes:
        records: read.
        candidates: pairs that were looked at; a record that has none counts as one.
        refused: candidates left out, by reason.
        pairs: written, by source.
    """

    aspect: Aspect
    records: int
    candidates: int
    refused: Mapping[str, int]
    pairs: Mapping[str, int]

    def lines(self) -> list[str]:
        """The funnel as lines of text to print."""
        rows = [
            ("records", self.records),
            ("candidates", self.candidates),
            *((f"- {reason}", count) for reason, count in self.refused.items()),
            *((f"= {source}", count) for source, count in self.pairs.items()),
        ]
        return [self.aspect, *(f"  {label:<44}{count:>11,}" for label, count in rows)]


def build_preferences(
    inputs: Mapping[str, Sequence[Path]],
    out: Path,
    settings: PreferenceSettings | None = None,
    questions: Mapping[str, str] | None = None,
) -> list[PreferenceFunnel]:
    """Write `out/preferences/<aspect>.jsonl` and `<aspect>.build.json` for each aspect that has inputs.

    One record in memory at a time, and 16 bytes a pair to see those that come twice.

    Args:
        inputs: kind (`KINDS`) → JSONL files.
        questions: title → a question written about it, for the leads.

    Raises:
        UnknownNameError: no such kind.
        DataError: an input is missing or broken, an aspect's inputs give no pair at all, or `out` cannot be written;
            that aspect's files are as they were then.
    """
    settings = settings or PreferenceSettings()
    plan: dict[Aspect, list[tuple[Kind, Source[Any]]]] = {}
    for name, paths in inputs.items():
        if name not in KINDS:
            raise UnknownNameError("kind of preference input", name, KINDS)
        for kind in KINDS[name]:
            plan.setdefault(kind.aspect, []).extend((kind, Source(path, kind.record)) for path in paths)
    return [_build(aspect, sources, out, settings, questions or {}) for aspect, sources in plan.items() if sources]


def _build(
    aspect: Aspect,
    sources: Sequence[tuple[Kind, Source[Any]]],
    out: Path,
    settings: PreferenceSettings,
    questions: Mapping[str, str],
) -> PreferenceFunnel:
    refused, written, seen = Counter[str](), Counter[str](), set[bytes]()
    with replacing(out / FOLDER, (f"{aspect}.jsonl", f"{aspect}.build.json")) as (lines, provenance):

        def outcomes() -> Iterator[Outcome]:
            return chain.from_iterable(
                (kind.pairs(record, settings, questions) for record in source) for kind, source in sources
            )

        for outcome in outcomes():
            refused.update(outcome.refused)
            for pair in outcome.pairs:
                digest = hashlib.blake2b(
                    "\0".join((pair.prompt, pair.chosen, pair.rejected)).encode(), digest_size=16
                ).digest()
                if digest in seen:
                    refused[DUPLICATE] += 1
                    continue
                seen.add(digest)
                written[pair.source] += 1
                lines.write(pair.row())
        records = sum(source.rows for _, source in sources)
        candidates = refused.total() + written.total()
        funnel = PreferenceFunnel(aspect, records, candidates, dict(sorted(refused.items())), dict(written))
        if not lines.rows:
            where = ", ".join(str(source.path) for _, source in sources)
            raise DataError(f"{where}: no {aspect} pair in {records} records (refused: {funnel.refused})")
        provenance.write(
            {
                "aspect": aspect,
                "inputs": [source_entry(source.path.name, source) for _, source in sources],
                "settings": settings.model_dump(),
                "counts": {"records": records, "candidates": candidates, "refused": funnel.refused, "pairs": written},
                "outputs": {f"{aspect}.jsonl": {"sha256": lines.sha256, "rows": lines.rows}},
            },
            indent=2,
        )
    return funnel
