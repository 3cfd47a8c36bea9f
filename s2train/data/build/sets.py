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
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

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
from s2train.data.dedup.evaluations import Evaluations, EvaluationSet, pair_set
from s2train.data.engine import Engine
from s2train.data.files.jsonl import Sink, replacing
from s2train.data.files.parquet import write_parquet
from s2train.data.filters import Tally, Verdict
from s2train.data.layout import CARD, FULL, MANIFEST, SETS, SIDES
from s2train.data.preferences import PreferenceSet, preference_sets
from s2train.data.questions import written
from s2train.data.records import Pair

CONTAMINATION = "contamination"


def build(out: Path, config: DataConfig, engine: Engine, evaluations: Evaluations) -> Manifest:
    """Write all sets of `out` that have candidates; training pairs share no words with `evaluations`, nor with the
    validation sides built here.

    Raises:
        DataError: there are no candidates, a file of theirs is broken, no pair of a set is left, or `out` cannot be
            written. Nothing has changed then.
        PrerequisiteError: the disk is full, a worker was killed, or a package that a filter needs is missing.
    """
    rewritten = written.read(out)
    drafts = [
        draft(name, out, config, engine, rewritten if name == "wiki" else None)
        for name in SETS
        if layout.candidates(out, name).is_file()
    ]
    preferences = preference_sets(out)
    if not drafts and not preferences:
        raise DataError(f"{out}: nothing to build from; name what to read with --input FILE")
    for part in drafts:
        if not part.questions:
            reasons = ", ".join(f"{step.dropped} {step.name}" for step in part.steps if step.dropped)
            raise DataError(
                f"{part.name}: none of {part.reading.rows} pairs is left (dropped: {reasons}); docs/filters.md, "
                "--config"
            )
    questions = {question for part in drafts for question in part.questions}
    questions.update(line.prompt for aspect in preferences for line in aspect.lines())
    builder = _Builder(config, cluster_questions(questions, engine=engine))
    names = _file_names(drafts, preferences)
    with replacing(out, names) as sinks:
        builder.sinks = dict(zip(names, sinks, strict=True))
        for part in drafts:  # first, for the index needs all of them
            builder.write(f"{part.name}/validation", builder.pairs_on(part, "validation"))
        index = Index([*evaluations.sets, *builder.validation_sets(drafts)])
        sets = {part.name: builder.training_side(part, index) for part in drafts}
        if len(drafts) == len(SETS):
            sets[FULL] = builder.union(sets)
        manifest = Manifest(
            configuration=config,
            sets=sets,
            preferences={part.aspect: builder.preferences(part, index) for part in preferences},
            evaluations_missing=dict(evaluations.missing),
            versions={
                "s2train": s2train.__version__,
                "python": platform.python_version(),
                **{name: version(name) for name in ("pydantic", "pyarrow")},
            },
        )
        builder.sinks[CARD].append(card(manifest).encode())
        builder.sinks[MANIFEST].write(manifest.model_dump(), indent=2)
    return manifest


def _file_names(drafts: Sequence[Draft], preferences: Sequence[PreferenceSet]) -> list[str]:
    """The files to be written, in the order in which they are put in place."""
    sets = [part.name for part in drafts] + ([FULL] if len(drafts) == len(SETS) else [])
    stems = [stem for name in sets for stem in _stems(name)]
    stems += [stem for aspect in preferences for stem in aspect.stems]
    return [*(f"{stem}.{form}" for stem in stems for form in ("jsonl", "parquet")), CARD, MANIFEST]


def _stems(name: str) -> list[str]:
    return [f"{name}/{side}" for side in SIDES]


@dataclass(slots=True)
class _Builder:
    """Puts pairs on their sides and writes them.

    A prompt that no set knows goes where its own cluster goes; clusters are of all questions and prompts together.
    """

    config: DataConfig
    clusters: QuestionClusters
    sinks: Mapping[str, Sink] = field(default_factory=dict[str, Sink])

    def side(self, question: str) -> Side:
        split = self.config.split
        return self.clusters.side(question, share=split.validation_share, seed=split.seed)

    def pairs_on(self, part: Draft, side: Side) -> Iterator[Pair]:
        return (pair for pair in part.pairs() if self.side(pair.question) == side)

    def validation_sets(self, drafts: Sequence[Draft]) -> Iterator[EvaluationSet]:
        for part in drafts:
            if any(self.side(question) == "validation" for question in part.questions):
                yield pair_set(part.name, self.pairs_on(part, "validation"))

    def write(self, stem: str, pairs: Iterable[Pair]) -> None:
        """A side of a set as JSON lines."""
        for pair in pairs:
            self.sinks[f"{stem}.jsonl"].write(pair.row())
        self.sinks[f"{stem}.jsonl"].file.flush()

    def training_side(self, part: Draft, index: Index) -> SetMade:
        """Write the training side of a set, without what evaluation sets contain."""
        report = contamination(self.pairs_on(part, "train"), index)
        tally = Tally([CONTAMINATION])

        def clean() -> Iterator[Pair]:
            for pair in self.pairs_on(part, "train"):
                verdict = self._verdict(pair.id, report)
                tally.add(pair, verdict)
                if verdict is None:
                    yield pair

        self.write(f"{part.name}/train", clean())
        steps = [*part.steps, *tally.steps()]
        return SetMade(
            name=part.name,
            inputs=part.reading.inputs,
            read=part.reading.read,
            funnel=[Drop.of_reading(part.reading), *map(Drop.of, steps)],
            changed=part.reading.changed,
            contamination=report.entry(),
            files=self._parquet(_stems(part.name)),
        )

    def union(self, parts: Mapping[str, SetMade]) -> SetMade:
        """Write `full`: the sets in the order of a hash of the id; only where each line begins is in memory."""
        for side in SIDES:
            paths = [self._path(f"{name}/{side}") for name in parts]
            with ExitStack() as stack:
                files = [stack.enter_context(path.open("rb")) for path in paths]
                for _, number, start in sorted(_line_starts(paths)):
                    files[number].seek(start)
                    self.sinks[f"{FULL}/{side}.jsonl"].write_line(files[number].readline())
        inputs: list[dict[str, object]] = [
            {"name": f"{name}/{file}", "sha256": facts.sha256, "records": facts.rows}
            for name, part in parts.items()
            for file, facts in part.files.items()
            if file.endswith(".jsonl")
        ]
        return SetMade(
            name=FULL,
            inputs=inputs,
            read=sum(part.train + part.validation for part in parts.values()),
            funnel=[],
            changed={},
            contamination=None,
            files=self._parquet(_stems(FULL)),
        )

    def preferences(self, part: PreferenceSet, index: Index) -> PreferencesMade:
        """Write the preferences of one aspect: the training side without what evaluation sets contain."""
        train, validation = (self.sinks[f"{stem}.jsonl"] for stem in part.stems)
        report = contamination((pair for pair in part.pairs() if self.side(pair.question) == "train"), index)
        dropped = 0
        for line, pair in zip(part.lines(), part.pairs(), strict=True):
            if self.side(line.prompt) == "validation":
                validation.write(line.model_dump())
            elif self._verdict(pair.id, report):
                dropped += 1
            else:
                train.write(line.model_dump())
        return PreferencesMade(
            aspect=part.aspect,
            reading=part.reading,
            contaminated=dropped,
            contamination=report.entry(),
            files=self._parquet(part.stems),
        )

    def _verdict(self, identity: str, report: Contamination) -> Verdict | None:
        name = report.leaked.get(identity) if self.config.contamination.drop else None
        return None if name is None else Verdict(CONTAMINATION, f"words of {name}")

    def _parquet(self, stems: Sequence[str]) -> dict[str, FileMade]:
        """Write both sides as parquet too, from their JSON lines; all files of the stems, by the name in the folder."""
        for stem in stems:
            self.sinks[f"{stem}.jsonl"].file.flush()
        write_parquet([(self._path(stem), self.sinks[f"{stem}.parquet"]) for stem in stems])
        files = {name: sink for name, sink in self.sinks.items() if name.rpartition(".")[0] in stems}
        return {Path(name).name: FileMade(sha256=sink.sha256, rows=sink.rows) for name, sink in files.items()}

    def _path(self, stem: str) -> Path:
        return Path(self.sinks[f"{stem}.jsonl"].file.name)


def _line_starts(paths: Sequence[Path]) -> Iterator[tuple[bytes, int, int]]:
    """Of each line a hash of its id, the number of its file, and where it begins."""
    for number, path in enumerate(paths):
        start = 0
        with path.open("rb") as file:
            for line in file:
                yield hashlib.sha256(jsonl.parse(line)["id"].encode()).digest(), number, start
                start += len(line)
