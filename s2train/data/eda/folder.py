"""The sets of a folder, what was left out of them, and its preferences, measured; each text is read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from s2eval.errors import DataError
from s2eval.files.integrity import fingerprint
from s2train.data import layout
from s2train.data.build import candidates, manifest
from s2train.data.eda.measures import Key, Tagged, measure_pairs
from s2train.data.eda.tallies import Tally, merged
from s2train.data.engine import Engine
from s2train.data.files.jsonl import Source
from s2train.data.layout import FULL, SETS, SIDES
from s2train.data.preferences import ASPECTS, PreferenceLine
from s2train.data.questions import written
from s2train.data.records import Pair, PairLine

LEFT_OUT = "left out"

_BATCH = 256  # pairs


@dataclass(frozen=True, slots=True)
class Measured:
    """A set, or the preferences of an aspect.

    Attributes:
        left_out: candidates on neither side; None where the candidates are not in the folder.
        kept: both sides together.
    """

    name: str
    train: Tally
    validation: Tally
    left_out: Tally | None = None
    kept: Tally = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", merged((self.train, self.validation)))


@dataclass(frozen=True, slots=True)
class Explored:
    """What a folder holds; `notes` are sentences on what it lacks."""

    sets: dict[str, Measured]
    preferences: dict[str, Measured]
    manifest: manifest.Manifest | None
    notes: tuple[str, ...]


def measure_folder(out: Path, engine: Engine) -> Explored:
    """Read every set of a folder once, a few batches in memory at a time.

    Raises:
        DataError: no set is built, a file is broken, or the candidates in the folder are not those of a set.
    """
    described = manifest.read(out)
    sets = [name for name in (*SETS, FULL) if any(path.is_file() for path in _files(out, name))]
    aspects = [aspect for aspect in ASPECTS if any(path.is_file() for path in _preference_files(out, aspect))]
    if not sets and not aspects:
        raise DataError(
            f"{out}: no set to show; build one: s2train data eli5 (or wiki, preferences) --input FILE --out {out}"
        )
    tallies: dict[Key, Tally] = {}
    everything = _everything(out, sets, aspects)
    batches = iter(lambda: list(islice(everything, _BATCH)), [])
    for counted in engine.map(measure_pairs, batches):
        for key, tally in counted.items():
            tallies.setdefault(key, Tally()).merge(tally)

    def measured(name: str) -> Measured:
        train, validation = (tallies.get((name, side), Tally()) for side in SIDES)
        with_candidates = name in SETS and layout.candidates(out, name).is_file()
        return Measured(name, train, validation, tallies.get((name, LEFT_OUT), Tally()) if with_candidates else None)

    return Explored(
        sets={name: measured(name) for name in sets},
        preferences={name: measured(name) for name in aspects},
        manifest=described,
        notes=tuple(_notes(out, sets, described)),
    )


def _files(out: Path, name: str) -> list[Path]:
    return [out / name / f"{side}.jsonl" for side in SIDES]


def _preference_files(out: Path, aspect: str) -> list[Path]:
    folder = out / layout.PREFERENCES
    return [folder / f"{aspect}.jsonl", folder / f"{aspect}.validation.jsonl"]


def _notes(out: Path, sets: Iterable[str], described: manifest.Manifest | None) -> Iterator[str]:
    for name in SETS:
        present = layout.candidates(out, name).is_file()
        if name in sets and not present:
            yield (
                f"The candidates of {name} are not in the folder, so it is shown after the filters only; "
                f"to have them again: s2train data {name} --input FILE --out DIR"
            )
        if present and name not in sets:
            yield f"Of {name} there are candidates, but no set; to build it: s2train data {name} --out DIR"
    listed = {name: entry.files for name, entry in described.sets.items()} if described else {}
    for name in sets:
        for path in _files(out, name):
            if not path.is_file():
                yield f"{name}/{path.name} is not in the folder."
            elif (entry := listed.get(name, {}).get(path.name)) and entry.sha256 != fingerprint(path).sha256:
                yield (
                    f"{name}/{path.name} is not the file that {layout.MANIFEST} describes: its funnel is of another "
                    "build."
                )
    if described is None:
        yield f"There is no {layout.MANIFEST} in the folder, so what each filter removed is unknown."


def _everything(out: Path, sets: Iterable[str], aspects: Iterable[str]) -> Iterator[Tagged]:
    for name in sets:
        for part, pair in _parts(out, name):
            yield Tagged((name, part), pair)
    for aspect in aspects:
        for side, path in zip(SIDES, _preference_files(out, aspect), strict=True):
            if path.is_file():
                previous = None
                for line in Source(path, PreferenceLine):  # those of one prompt follow one another
                    yield Tagged((aspect, side), line, drawn=line.prompt != previous)
                    previous = line.prompt


def _parts(out: Path, name: str) -> Iterator[tuple[str, Pair]]:
    """The pairs of a set and of its candidates, each with the part that it belongs to.

    Both sides of a set are in the order of its candidates, so that the three files are read side by side.
    """
    sides = {
        side: (line.pair() for line in Source(path, PairLine))
        for side, path in zip(SIDES, _files(out, name), strict=True)
        if path.is_file()
    }
    if name not in SETS or not layout.candidates(out, name).is_file():
        for side, pairs in sides.items():
            yield from ((side, pair) for pair in pairs)
        return
    questions = written.read(out) if name == "wiki" else None
    heads = {side: next(pairs, None) for side, pairs in sides.items()}
    for candidate in candidates.pairs_of(out, name):
        for side, head in heads.items():
            if head is not None and head.id == candidate.id:
                yield side, head
                heads[side] = next(sides[side], None)
                break
        else:
            question = candidate.question
            if questions is not None:
                question = questions[candidate.id].question if candidate.id in questions else ""
            yield LEFT_OUT, replace(candidate, question=question)
    for side, head in heads.items():
        if head is not None:
            raise DataError(
                f"{out / name / side}.jsonl: {head.id!r} is not among {layout.candidates(out, name)}, or not in its "
                f"order: the set was not built of these candidates. Build it again: s2train data {name} --out {out}"
            )
