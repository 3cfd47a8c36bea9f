"""Inputs of preferences become `DIR/candidates/<aspect>.jsonl`, of which `build` makes the files to train on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from s2eval.errors import DataError
from s2train.data import layout
from s2train.data.engine import Engine, batched
from s2train.data.files.inputs import first_row, open_input
from s2train.data.files.jsonl import Input, read_again, read_facts, replacing
from s2train.data.preferences.dialogues import DialogueRecord, dialogues
from s2train.data.preferences.leads import LeadRecord, leads
from s2train.data.preferences.records import ASPECTS, Aspect, Outcome, PreferenceLine
from s2train.data.preferences.settings import PreferenceSettings
from s2train.data.preferences.votes import VotedRecord, equal_votes, votes
from s2train.data.records import Pair

DUPLICATE = "pair seen before"

_BATCH = 100  # records at a time

Record = TypeVar("Record", bound=BaseModel)

Questions = Mapping[str, str]
"""Title → a question written about its article."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Record]):
    """A kind of input: the aspect that it serves, its records, and what makes pairs of one."""

    aspect: Aspect
    record: type[Record]
    pairs: Callable[[Record, PreferenceSettings, Questions], Outcome]

    def open(self, text: str) -> Input[Record]:
        return open_input(text, self.record)

    def outcomes(self, settings: PreferenceSettings, batch: tuple[Sequence[Record], Questions]) -> list[Outcome]:
        records, questions = batch
        return [self.pairs(record, settings, questions) for record in records]


def _votes(record: VotedRecord, settings: PreferenceSettings, _: Questions) -> Outcome:
    return votes(record, settings.votes)


def _equal_votes(record: VotedRecord, settings: PreferenceSettings, _: Questions) -> Outcome:
    return equal_votes(record, settings.equal_votes)


def _leads(record: LeadRecord, settings: PreferenceSettings, questions: Questions) -> Outcome:
    return leads(record, settings.leads, questions)


def _dialogues(record: DialogueRecord, _: PreferenceSettings, __: Questions) -> Outcome:
    return dialogues(record)


KINDS: Mapping[str, tuple[Kind[VotedRecord] | Kind[LeadRecord] | Kind[DialogueRecord], ...]] = {
    "eli5": (Kind("helpfulness", VotedRecord, _votes), Kind("simplicity", VotedRecord, _equal_votes)),
    "leads": (Kind("simplicity", LeadRecord, _leads),),
    "hh": (Kind("harmlessness", DialogueRecord, _dialogues),),
}
"""What inputs may be, and what is made of them, in this order."""

_FIELDS = {
    "eli5": {"title", "answers"},
    "leads": {"title", "simple_text", "regular_text"},
    "hh": {"chosen", "rejected"},
}


def kind_of(text: str) -> str:
    """The kind of an input, by the fields of its first record.

    Raises:
        DataError: it is of none, empty, or cannot be read.
    """
    row = first_row(text)
    for name, fields in _FIELDS.items():
        if fields <= row.keys():
            return name
    expected = "; ".join(f"{', '.join(sorted(fields))} ({name})" for name, fields in _FIELDS.items())
    raise DataError(f"{text}: no preferences can be made of records with {', '.join(row)}. Expected: {expected}")


class PreferenceReading(BaseModel):
    """What became of the candidates of one aspect; `candidates == sum(refused.values()) + sum(pairs.values())`.

    Attributes:
        inputs: name, sha256 and records of each.
        candidates: pairs that were compared; a record that has none counts as one.
        refused: candidates left out, by reason.
        pairs: kept, by source.
        sha256: of the file of candidates.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    aspect: Aspect
    inputs: list[dict[str, object]]
    candidates: int
    refused: dict[str, int]
    pairs: dict[str, int]
    sha256: str

    @property
    def records(self) -> int:
        return sum(count for entry in self.inputs if isinstance(count := entry["records"], int))

    def lines(self) -> list[str]:
        """The funnel as lines of text to print."""
        rows = [
            ("records", self.records),
            ("candidates", self.candidates),
            *((f"- {reason}", count) for reason, count in self.refused.items()),
            *((f"= {source}", count) for source, count in self.pairs.items()),
        ]
        return [self.aspect, *(f"  {label:<44}{count:>12,}" for label, count in rows)]


def read_preferences(
    inputs: Sequence[str], out: Path, settings: PreferenceSettings, engine: Engine, questions: Questions | None = None
) -> list[PreferenceReading]:
    """Read inputs, whose fields tell what they are, for every aspect that they serve; other aspects stay as they are.

    A batch of records is in memory at a time, and 16 bytes a pair to recognise duplicates. `questions` are for the
    leads; those without one ask `What is {title}?`.

    Raises:
        DataError: an input is missing, broken or of no kind, or an aspect's inputs give no pair at all; that
            aspect's candidates are as they were then.
    """
    plan: dict[Aspect, list[tuple[Kind[Any], Input[Any]]]] = {}
    for text in inputs:
        for kind in KINDS[kind_of(text)]:
            plan.setdefault(kind.aspect, []).append((kind, kind.open(text)))
    return [_read(aspect, sources, out, settings, engine, questions or {}) for aspect, sources in plan.items()]


def _read(
    aspect: Aspect,
    sources: Sequence[tuple[Kind[Any], Input[Any]]],
    out: Path,
    settings: PreferenceSettings,
    engine: Engine,
    questions: Questions,
) -> PreferenceReading:
    with replacing(out / layout.CANDIDATES, (f"{aspect}.jsonl", f"{aspect}.json")) as (lines, counts):
        refused, written, seen = Counter[str](), Counter[str](), set[bytes]()
        for kind, source in sources:
            batches = _with_questions(source, questions)
            for outcome in chain.from_iterable(engine.map(partial(kind.outcomes, settings), batches)):
                refused.update(outcome.refused)
                for pair in outcome.pairs:
                    texts = "\0".join((pair.prompt, pair.chosen, pair.rejected))
                    digest = hashlib.blake2b(texts.encode(), digest_size=16).digest()
                    if digest in seen:
                        refused[DUPLICATE] += 1
                        continue
                    seen.add(digest)
                    written[pair.source] += 1
                    lines.write(pair.row())
        reading = PreferenceReading(
            aspect=aspect,
            inputs=[entry for _, source in sources for entry in source.entries()],
            candidates=refused.total() + written.total(),
            refused=dict(sorted(refused.items())),
            pairs=dict(written),
            sha256=lines.sha256,
        )
        if not lines.rows:
            names = ", ".join(source.name for _, source in sources)
            raise DataError(f"{names}: no {aspect} pair in {reading.records} records (refused: {reading.refused})")
        counts.write(reading.model_dump(), indent=2)
    return reading


def _with_questions(source: Input[Record], questions: Questions) -> Iterator[tuple[list[Record], Questions]]:
    """Batches of records with the questions that belong to them."""
    for batch in batched(source, _BATCH):
        titles = [record.title for record in batch if isinstance(record, LeadRecord)]
        yield batch, {title: questions[title] for title in titles if title in questions}


# --- what was read ---


@dataclass(frozen=True, slots=True)
class PreferenceSet:
    """The candidates of one aspect, in the order in which they were read."""

    out: Path
    aspect: Aspect
    reading: PreferenceReading

    @property
    def stems(self) -> tuple[str, str]:
        """Of the files that `build` makes of the training and of the validation side."""
        return f"{layout.PREFERENCES}/{self.aspect}", f"{layout.PREFERENCES}/{self.aspect}.validation"

    def lines(self) -> Iterator[PreferenceLine]:
        """Raise DataError as `read_again` does."""
        return read_again(layout.candidates(self.out, self.aspect), PreferenceLine, self.reading.sha256)

    def pairs(self) -> Iterator[Pair]:
        """Each with both answers as one, to find what they share with evaluation sets."""
        for number, line in enumerate(self.lines()):
            yield Pair(f"{self.aspect}-{number}", line.prompt, f"{line.chosen}\n{line.rejected}", line.source)


def preference_sets(out: Path) -> list[PreferenceSet]:
    """Every aspect that was read; DataError if the counts of one are missing or broken."""
    return [
        PreferenceSet(out, aspect, read_facts(layout.candidates(out, aspect), PreferenceReading))
        for aspect in ASPECTS
        if layout.candidates(out, aspect).is_file()
    ]
