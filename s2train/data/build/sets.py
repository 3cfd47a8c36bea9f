"""Builds every set of a folder out of its candidates, at once: only so do near-duplicates stay on one side.

    candidates → drafts (questions, filters, near-duplicates) → clusters of all questions → sides
    → training pairs that evaluation sets contain → {eli5,wiki,full,preferences}/…, dataset_card.md, manifest.json

Nothing changes on the disk before everything is written; then all files are put in place, the manifest last.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import s2train
from s2eval.errors import DataError
from s2eval.files import jsonl
from s2train.data import layout
from s2train.data.build.card import card
from s2train.data.build.drafts import Draft, draft
from s2train.data.build.manifest import Drop, FileMade, Manifest, PreferencesMade, SetMade
from s2train.data.build.split import Side
from s2train.data.config import DataConfig
from s2train.data.dedup.clusters import QuestionClusters, cluster_questions
from s2train.data.dedup.contamination import Contamination, Index, contamination
from s2train.data.dedup.evaluations import Evaluations, pair_set
from s2train.data.engine import Engine
from s2train.data.files.jsonl import Sink, replacing
from s2train.data.files.parquet import write_parquet
from s2train.data.filters import Tally, Verdict
from s2train.data.layout import CARD, FULL, MANIFEST, SETS, SIDES
from s2train.data.preferences import Shelf, shelves
from s2train.data.questions import written
from s2train.data.records import Pair

CONTAMINATION = "contamination"


def build(out: Path, config: DataConfig, engine: Engine, evaluations: Evaluations) -> Manifest:
    """Write all sets of `out` whose candidates are there.

    Args:
        evaluations: what training pairs are looked up in, beside the validation sides built here.

    Raises:
        DataError: there are no candidates, a file of theirs is broken, no pair of a set is left, or `out` cannot be
            written. Nothing has changed then.
        PrerequisiteError: the disk is full, a worker was killed, or a package that a filter needs is missing.
    """
    questions = written.read(out)
    drafts = [
        draft(name, out, config, engine, questions if name == "wiki" else None)
        for name in SETS
        if layout.candidates(out, name).is_file()
    ]
    preferences = shelves(out)
    if not drafts and not preferences:
        raise DataError(f"{out}: nothing to build from; name what to read with --input FILE")
    for one in drafts:
        if not one.questions:
            raise DataError(_nothing_left(one))
    plan = _plan(drafts, preferences, config, engine)
    with replacing(out, _names(drafts, preferences)) as sinks:
        files = _Files(dict(zip(_names(drafts, preferences), sinks, strict=True)))
        for one in drafts:  # first, for the index needs all of them
            files.write(f"{one.name}/validation", plan.pairs_on(one, "validation"))
        index = Index([*evaluations.sets, *plan.held_out(drafts)])
        made = {one.name: _train(one, plan, index, config, files) for one in drafts}
        if len(drafts) == len(SETS):
            files.mix(FULL, list(made))
            made[FULL] = _full(made, files)
        kept = {one.aspect: _prefer(one, plan, index, config, files) for one in preferences}
        manifest = Manifest(
            configuration=config,
            sets=made,
            preferences=kept,
            evaluations_missing=dict(evaluations.missing),
            versions=_versions(),
        )
        files.sinks[CARD].append(card(manifest).encode())
        files.sinks[MANIFEST].write(manifest.model_dump(), indent=2)
    return manifest


def _nothing_left(one: Draft) -> str:
    reasons = ", ".join(f"{step.dropped} {step.name}" for step in one.steps if step.dropped)
    return f"{one.name}: none of {one.reading.rows} pairs is left (dropped: {reasons}); docs/filters.md, --config"


def _versions() -> dict[str, str]:
    packages = ("pydantic", "pyarrow")
    return {
        "s2train": s2train.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


# --- sides ---


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which side each question and each prompt goes to.

    A prompt that no set knows goes where its own cluster goes; clusters are of all questions and prompts together.
    """

    clusters: QuestionClusters
    share: float
    seed: int

    def side(self, question: str) -> Side:
        return self.clusters.side(question, share=self.share, seed=self.seed)

    def pairs_on(self, one: Draft, side: Side) -> Iterator[Pair]:
        return (pair for pair in one.pairs() if self.side(pair.question) == side)

    def held_out(self, drafts: Sequence[Draft]) -> Iterator[Any]:
        for one in drafts:
            if any(self.side(question) == "validation" for question in one.questions):
                yield pair_set(one.name, self.pairs_on(one, "validation"))


def _plan(drafts: Sequence[Draft], preferences: Sequence[Shelf], config: DataConfig, engine: Engine) -> _Plan:
    asked = {question for one in drafts for question in one.questions}
    asked.update(line.prompt for one in preferences for line in one.lines())
    return _Plan(cluster_questions(asked, engine=engine), config.split.validation_share, config.split.seed)


# --- sets ---


def _names(drafts: Sequence[Draft], preferences: Sequence[Shelf]) -> list[str]:
    """The files to be made, in the order in which they are put in place."""
    sets = [one.name for one in drafts] + ([FULL] if len(drafts) == len(SETS) else [])
    stems = [stem for name in sets for stem in _stems(name)]
    stems += [stem for one in preferences for stem in one.stems]
    return [*(f"{stem}.{form}" for stem in stems for form in ("jsonl", "parquet")), CARD, MANIFEST]


def _stems(name: str) -> list[str]:
    return [f"{name}/{side}" for side in SIDES]


@dataclass(slots=True)
class _Files:
    """The files that are being written, by name."""

    sinks: Mapping[str, Sink]

    def write(self, stem: str, pairs: Iterable[Pair]) -> None:
        """A side of a set as JSON lines."""
        for pair in pairs:
            self.sinks[f"{stem}.jsonl"].write(pair.row())
        self.sinks[f"{stem}.jsonl"].file.flush()

    def copy(self, stems: Sequence[str]) -> dict[str, FileMade]:
        """Both sides of a set as parquet too, of their JSON lines; all that was written, by the name in its folder."""
        for stem in stems:
            self.sinks[f"{stem}.jsonl"].file.flush()
        write_parquet([(self._path(stem), self.sinks[f"{stem}.parquet"]) for stem in stems])
        made = {name: sink for name, sink in self.sinks.items() if name.rpartition(".")[0] in stems}
        return {Path(name).name: FileMade(sha256=sink.sha256, rows=sink.rows) for name, sink in made.items()}

    def mix(self, name: str, parts: Sequence[str]) -> None:
        """The union of sets, in the order of a hash of the id: where each line lies is in memory, not the line."""
        for side in SIDES:
            target = self.sinks[f"{name}/{side}.jsonl"]
            paths = [self._path(f"{part}/{side}") for part in parts]
            with ExitStack() as stack:
                files = [stack.enter_context(path.open("rb")) for path in paths]
                for _, number, start in sorted(_places(paths)):
                    files[number].seek(start)
                    target.write_line(files[number].readline())

    def _path(self, stem: str) -> Path:
        return Path(self.sinks[f"{stem}.jsonl"].file.name)


def _places(paths: Sequence[Path]) -> Iterator[tuple[bytes, int, int]]:
    """Of each line a hash of its id, the number of its file, and where it begins."""
    for number, path in enumerate(paths):
        start = 0
        with path.open("rb") as file:
            for line in file:
                yield hashlib.sha256(jsonl.parse(line)["id"].encode()).digest(), number, start
                start += len(line)


def _train(one: Draft, plan: _Plan, index: Index, config: DataConfig, files: _Files) -> SetMade:
    """Write the training side of a set, without what evaluation sets contain."""
    report = contamination(plan.pairs_on(one, "train"), index)
    tally = Tally([CONTAMINATION])

    def clean() -> Iterator[Pair]:
        for pair in plan.pairs_on(one, "train"):
            verdict = _verdict(pair.id, report, config)
            tally.add(pair, verdict)
            if verdict is None:
                yield pair

    files.write(f"{one.name}/train", clean())
    reading = one.reading
    steps = [*one.steps, *tally.funnel().steps]
    return SetMade(
        name=one.name,
        inputs=reading.inputs,
        read=reading.read,
        funnel=[Drop.of_reading(reading), *map(Drop.of, steps)],
        changed=reading.changed,
        contamination=report.entry(),
        files=files.copy(_stems(one.name)),
    )


def _verdict(identity: str, report: Contamination, config: DataConfig) -> Verdict | None:
    name = report.found.get(identity) if config.contamination.drop else None
    return None if name is None else Verdict(CONTAMINATION, f"words of {name}")


def _full(made: Mapping[str, SetMade], files: _Files) -> SetMade:
    parts = [
        {"name": f"{name}/{file}", "sha256": one.sha256, "records": one.rows}
        for name, part in made.items()
        for file, one in part.files.items()
        if file.endswith(".jsonl")
    ]
    read = sum(part.train + part.validation for part in made.values())
    return SetMade(
        name=FULL, inputs=parts, read=read, funnel=[], changed={}, contamination=None, files=files.copy(_stems(FULL))
    )


# --- preferences ---


def _prefer(one: Shelf, plan: _Plan, index: Index, config: DataConfig, files: _Files) -> PreferencesMade:
    """Write the preferences of one aspect: the training side without what evaluation sets contain."""
    train, validation = (files.sinks[f"{stem}.jsonl"] for stem in one.stems)
    report = contamination((pair for pair in one.pairs() if plan.side(pair.question) == "train"), index)
    dropped = 0
    for line, pair in zip(one.lines(), one.pairs(), strict=True):
        if plan.side(line.prompt) == "validation":
            validation.write(line.model_dump())
        elif _verdict(pair.id, report, config):
            dropped += 1
        else:
            train.write(line.model_dump())
    return PreferencesMade(
        aspect=one.aspect,
        reading=one.reading,
        contaminated=dropped,
        contamination=report.entry(),
        files=files.copy(one.stems),
    )
