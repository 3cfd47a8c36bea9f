"""`DIR/manifest.json`: out of what a folder's sets were built, how, and what became of every record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from s2eval.errors import DataError
from s2train.data.build.candidates import Reading
from s2train.data.config import DataConfig
from s2train.data.filters import Step
from s2train.data.layout import MANIFEST
from s2train.data.preferences import PreferenceReading
from s2train.data.wiki.dump import LOST_TEMPLATES

_SHOWN = 10  # templates that are printed


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileMade(_Record):
    """A file: SHA-256 of its bytes, and its rows where it has lines."""

    sha256: str
    rows: int


class Drop(_Record):
    """A step, how many records it left out, for which reasons, and up to ten examples."""

    step: str
    dropped: int
    reasons: dict[str, int]
    examples: list[dict[str, str]]

    @classmethod
    def of(cls, step: Step) -> Drop:
        """A step after the reading."""
        examples = [asdict(example) for example in step.examples]
        return cls(step=step.name, dropped=step.dropped, reasons=dict(step.reasons), examples=examples)

    @classmethod
    def of_reading(cls, reading: Reading) -> Drop:
        """What could not become a pair."""
        reasons = {reason: count for reason, count in reading.dropped.items() if count}
        return cls(step="reading", dropped=sum(reasons.values()), reasons=reasons, examples=[])


class SetMade(_Record):
    """A set; `read == sum(drop.dropped for drop in funnel) + train + validation`.

    Attributes:
        inputs: name, sha256 and records of each.
        changed: pairs changed in reading, by cleaning rule: (questions, answers).
        contamination: what the training side shared with the evaluation sets; None for `full`, of cleaned parts.
    """

    name: str
    inputs: list[dict[str, object]]
    read: int
    funnel: list[Drop]
    changed: dict[str, tuple[int, int]]
    contamination: dict[str, Any] | None
    files: dict[str, FileMade]

    @property
    def train(self) -> int:
        return self.files["train.jsonl"].rows

    @property
    def validation(self) -> int:
        return self.files["validation.jsonl"].rows

    @property
    def lost_templates(self) -> dict[str, int]:
        """Templates of wikitext for which sentences were left out, with their number, the most frequent first."""
        counts = Counter[str]()
        for entry in self.inputs:
            lost = entry.get(LOST_TEMPLATES)
            counts.update(
                {name: count for name, count in lost.items() if isinstance(count, int)}
                if isinstance(lost, dict)
                else {}
            )
        return dict(counts.most_common())

    def lines(self) -> list[str]:
        """The funnel as lines of text to print."""
        lines = [self.name, _line("read", self.read)]
        for drop in self.funnel:
            if drop.dropped:
                lines.append(_line(f"- {drop.step}", drop.dropped))
                lines += [_line(f"    {reason}", count) for reason, count in drop.reasons.items() if count]
        lines += [
            _line("= kept", self.train + self.validation),
            _line("    train", self.train),
            _line("    validation", self.validation),
        ]
        if lost := self.lost_templates:
            lines.append(_line("sentences left out for a template", sum(lost.values())))
            lines += [_line(f"    {name}", count) for name, count in islice(lost.items(), _SHOWN)]
            if len(lost) > _SHOWN:
                lines.append(f"      and {len(lost) - _SHOWN:,} more, in {MANIFEST}")
        if any(map(any, self.changed.values())):
            lines.append(f"  {'changed by rule':<36}{'questions':>10}{'answers':>10}")
            lines += [
                f"  {rule:<36}{questions:>10,}{answers:>10,}" for rule, (questions, answers) in self.changed.items()
            ]
        return lines


class PreferencesMade(_Record):
    """Preferences of one aspect; `reading.pairs` in all == contaminated + rows of both files."""

    aspect: str
    reading: PreferenceReading
    contaminated: int
    contamination: dict[str, Any]
    files: dict[str, FileMade]

    @property
    def train(self) -> int:
        return self.files[f"{self.aspect}.jsonl"].rows

    @property
    def validation(self) -> int:
        return self.files[f"{self.aspect}.validation.jsonl"].rows

    def lines(self) -> list[str]:
        """The funnel as lines of text to print."""
        return [
            *self.reading.lines(),
            *([_line("- contamination", self.contaminated)] if self.contaminated else []),
            _line("    train", self.train),
            _line("    validation", self.validation),
        ]


class Manifest(_Record):
    """All of a folder.

    Attributes:
        evaluations_missing: evaluation sets that could not be compared with, and the files that would be read.
        versions: of what determines the bytes.
    """

    configuration: DataConfig
    sets: dict[str, SetMade]
    preferences: dict[str, PreferencesMade]
    evaluations_missing: dict[str, str]
    versions: Mapping[str, str]

    def lines(self, shown: Sequence[str]) -> list[str]:
        """Lines of text to print: the funnels of `shown`, and a line for each other set and aspect."""
        lines: list[str] = []
        for name, entry in {**self.sets, **self.preferences}.items():
            train, validation = entry.train, entry.validation
            if name in shown:
                lines += [*entry.lines(), ""]
            else:
                label = f"{name}: {train:,} train, {validation:,} validation, in all"
                lines.append(_line(label, train + validation)[2:])
        return lines


def _line(label: str, count: int) -> str:
    return f"  {label:<44}{count:>12,}"


def read(out: Path) -> Manifest | None:
    """The manifest of a folder; None where there is none; DataError where it is another version's."""
    path = out / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError) as error:
        raise DataError(
            f"cannot read {path}: {error}; another version's? Move the folder away, and build again"
        ) from error
