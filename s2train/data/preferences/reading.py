"""Inputs of preferences become `DIR/candidates/<aspect>.jsonl`, of which `build` makes the files to train on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from s2eval.errors import DataError
from s2train.data import layout
from s2train.data.engine import Engine
from s2train.data.files.inputs import Input, entry, first_row, open_input
from s2train.data.files.jsonl import Sink, read_again, replacing
from s2train.data.preferences.dialogues import DialogueRecord, dialogues
from s2train.data.preferences.leads import LeadRecord, leads
from s2train.data.preferences.records import ASPECTS, Aspect, Outcome, PreferenceLine
from s2train.data.preferences.settings import PreferenceSettings
from s2train.data.preferences.votes import VotedRecord, equal_votes, votes
from s2train.data.records import Pair

DUPLICATE = "pair seen before"

_BATCH = 100  # records at a time

Questions = Mapping[str, str]
"""Title → a question written about its article."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input: the aspect that it serves, its records, and what makes pairs of one."""

    aspect: Aspect
    record: type[BaseModel]
    pairs: Callable[[Any, PreferenceSettings, Questions], Outcome]


def _votes(record: VotedRecord, settings: PreferenceSettings, _: Questions) -> Outcome:
    return votes(record, settings.votes)


def _equal_votes(record: VotedRecord, settings: PreferenceSettings, _: Questions) -> Outcome:
    return equal_votes(record, settings.equal_votes)


def _leads(record: LeadRecord, settings: PreferenceSettings, questions: Questions) -> Outcome:
    return leads(record, settings.leads, questions)


def _dialogues(record: DialogueRecord, _: PreferenceSettings, __: Questions) -> Outcome:
    return dialogues(record)


KINDS: Mapping[str, tuple[Kind, ...]] = {
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
        candidates: pairs that were looked at; a record that has none counts as one.
        refused: candidates left out, by reason.
        pairs: kept, by source.
        sha256: of the file of candidates.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    aspect: Aspect
    inputs: list[dict[str, Any]]
    candidates: int
    refused: dict[str, int]
    pairs: dict[str, int]
    sha256: str

    def lines(self) -> list[str]:
        """The funnel as lines of text to print."""
        rows = [
            ("records", sum(one["records"] for one in self.inputs)),
            ("candidates", self.candidates),
            *((f"- {reason}", count) for reason, count in self.refused.items()),
            *((f"= {source}", count) for source, count in self.pairs.items()),
        ]
        return [self.aspect, *(f"  {label:<44}{count:>12,}" for label, count in rows)]


def read_preferences(
    inputs: Sequence[str], out: Path, settings: PreferenceSettings, engine: Engine, questions: Questions | None = None
) -> list[PreferenceReading]:
    """Read inputs, told by their fields, for every aspect that they serve; other aspects stay as they are.

    A batch of records in memory at a time, and 16 bytes a pair to see those that come twice.

    Args:
        questions: for the leads; those without one ask `What is {title}?`.

    Raises:
        DataError: an input is missing, broken or of no kind, or an aspect's inputs give no pair at all; that
            aspect's candidates are as they were then.
    """
    plan: dict[Aspect, list[tuple[Kind, Input[Any]]]] = {}
    for text in inputs:
        for kind in KINDS[kind_of(text)]:
            plan.setdefault(kind.aspect, []).append((kind, open_input(text, kind.record)))
    return [_read(aspect, sources, out, settings, engine, questions or {}) for aspect, sources in plan.items()]


def _read(
    aspect: Aspect,
    sources: Sequence[tuple[Kind, Input[Any]]],
    out: Path,
    settings: PreferenceSettings,
    engine: Engine,
    questions: Questions,
) -> PreferenceReading:
    with replacing(out / layout.CANDIDATES, (f"{aspect}.jsonl", f"{aspect}.json")) as (lines, told):
        refused, written, seen = Counter[str](), Counter[str](), set[bytes]()
        for kind, source in sources:
            work = partial(_outcomes, kind, settings)
            for outcome in chain.from_iterable(engine.map(work, _batches(source, questions))):
                refused.update(outcome.refused)
                for pair in outcome.pairs:
                    if _is_new(seen, pair.prompt, pair.chosen, pair.rejected):
                        written[pair.source] += 1
                        lines.write(pair.row())
                    else:
                        refused[DUPLICATE] += 1
        reading = PreferenceReading(
            aspect=aspect,
            inputs=[entry(source) for _, source in sources],
            candidates=refused.total() + written.total(),
            refused=dict(sorted(refused.items())),
            pairs=dict(written),
            sha256=lines.sha256,
        )
        _check_rows(reading, lines)
        told.write(reading.model_dump(), indent=2)
    return reading


def _batches(source: Input[Any], questions: Questions) -> Iterator[tuple[list[Any], Questions]]:
    """Records with the questions that belong to them."""
    records = iter(source)
    while batch := list(islice(records, _BATCH)):
        titles = [record.title for record in batch if isinstance(record, LeadRecord)]
        yield batch, {title: questions[title] for title in titles if title in questions}


def _outcomes(kind: Kind, settings: PreferenceSettings, batch: tuple[Sequence[Any], Questions]) -> list[Outcome]:
    records, questions = batch
    return [kind.pairs(record, settings, questions) for record in records]


def _is_new(seen: set[bytes], *texts: str) -> bool:
    digest = hashlib.blake2b("\0".join(texts).encode(), digest_size=16).digest()
    new = digest not in seen
    seen.add(digest)
    return new


def _check_rows(reading: PreferenceReading, lines: Sink) -> None:
    if not lines.rows:
        where = ", ".join(one["name"] for one in reading.inputs)
        records = sum(one["records"] for one in reading.inputs)
        raise DataError(f"{where}: no {reading.aspect} pair in {records} records (refused: {reading.refused})")


# --- what was read ---


@dataclass(frozen=True, slots=True)
class Shelf:
    """The candidates of one aspect, in the order in which they were read."""

    out: Path
    aspect: Aspect
    reading: PreferenceReading

    @property
    def stems(self) -> tuple[str, str]:
        """Of the files that `build` makes of the training and of the validation side."""
        return f"{layout.PREFERENCES}/{self.aspect}", f"{layout.PREFERENCES}/{self.aspect}.validation"

    def lines(self) -> Iterator[PreferenceLine]:
        """Raise DataError, at the end, if the file is not the one that was told of."""
        return read_again(layout.candidates(self.out, self.aspect), PreferenceLine, self.reading.sha256)

    def pairs(self) -> Iterator[Pair]:
        """Each with both answers as one, to look for what they share with evaluation sets."""
        for number, line in enumerate(self.lines()):
            yield Pair(f"{self.aspect}-{number}", line.prompt, f"{line.chosen}\n{line.rejected}", line.source)


def shelves(out: Path) -> list[Shelf]:
    """Every aspect that was read.

    Raises:
        DataError: what is told of one is missing or broken.
    """
    return [
        Shelf(out, aspect, _read_back(out, aspect)) for aspect in ASPECTS if layout.candidates(out, aspect).is_file()
    ]


def _read_back(out: Path, aspect: str) -> PreferenceReading:
    path = layout.candidates(out, aspect).with_suffix(".json")
    try:
        return PreferenceReading.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"cannot read {path}: {error}; read it again, with --input") from error
