"""The evaluation sets of s2eval as texts, read from their files: what training pairs must not share words with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from s2eval import paths
from s2eval.errors import DataError
from s2eval.tasks import BENCHMARKS
from s2train.data.files.jsonl import Source
from s2train.data.records import Pair


@dataclass(frozen=True, slots=True)
class Item:
    """An item of an evaluation set: the question first, then what answers it rightly, each a text of its own."""

    id: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """What must not be learnt from; it has items."""

    name: str
    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        if not self.items:
            raise ValueError(f"evaluation set {self.name!r} has no items")


class _Turns(BaseModel):
    turns: list[str] = Field(min_length=1)

    def texts(self) -> tuple[str, ...]:
        return tuple(self.turns)


@dataclass(frozen=True, slots=True)
class Evaluations:
    """The evaluation sets that were read, and set → the files that would have been for those that are missing."""

    sets: tuple[EvaluationSet, ...]
    missing: Mapping[str, str]


def read_evaluations(folder: Path | None, *, without: Sequence[str] = ()) -> Evaluations:
    """Read every set of s2eval in a folder in the layout of S2_DATA_DIR, and the questions of the packaged judges.

    `without` are sets to skip, such as those that are being built now (their items come from `pair_set`); without a
    folder all its sets are missing.

    Raises:
        DataError: a file is broken, empty, or cannot be read.
    """
    sets: list[EvaluationSet] = []
    missing: dict[str, str] = {}
    for benchmark in BENCHMARKS.values():
        source = benchmark.source
        if source is None or source.folder in without:
            continue
        if files := sorted(folder.glob(benchmark.files)) if folder else []:
            sets.append(_read(source.folder, files, source.row))
        else:
            missing[source.folder] = benchmark.files
    sets += [question_set(file.parent.name, file) for file in sorted(paths.judges().glob("*/questions.jsonl"))]
    return Evaluations(tuple(sets), missing)


def question_set(name: str, path: Path) -> EvaluationSet:
    """Questions with their `turns`, as MT(S)-Bench and FastChat's MT-bench write them; every turn is a text."""
    return _read(name, [path], _Turns)


def pair_set(name: str, pairs: Iterable[Pair]) -> EvaluationSet:
    """A validation side as an evaluation set."""
    return EvaluationSet(name, tuple(Item(pair.id, (pair.question, pair.answer)) for pair in pairs))


def _read(name: str, files: Sequence[Path], row: type[Any]) -> EvaluationSet:
    items: list[Item] = []
    for file in files:
        location = "/".join(file.parts[-2:])
        items += [Item(f"{location}:{number}", line.texts()) for number, line in enumerate(Source(file, row), start=1)]
    if not items:
        raise DataError(f"{', '.join(map(str, files))}: empty; an evaluation set that is there must have items")
    return EvaluationSet(name, tuple(items))
