"""What was read, before filters and split: `DIR/candidates/`, from which all sets of a folder are built.

    inputs → records → one record, one pair (engine) → candidates/<set>.jsonl, with the counts in <set>.json

A set is read again only when its command is given inputs; another configuration, another set beside it, or written
questions build from what lies here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from s2eval.errors import DataError
from s2train.data import layout
from s2train.data.config import DataConfig
from s2train.data.eli5 import pairs as eli5
from s2train.data.eli5 import reddit
from s2train.data.engine import Engine, batched
from s2train.data.files.inputs import HUB, is_parquet, open_input
from s2train.data.files.jsonl import Input, Sink, read_again, read_facts, replacing
from s2train.data.layout import CANDIDATES, REDDIT
from s2train.data.records import Dropped, Kept, Pair, PairLine, Recipe
from s2train.data.wiki import dump as wikidump
from s2train.data.wiki import pairs as wiki
from s2train.data.wiki.text import Article

DUPLICATE = "id seen before"

_BATCH = 200  # records at a time; a record of ELI5 holds all answers
_WORK = ".reddit"

Record = TypeVar("Record")


class Reading(BaseModel):
    """What became of the records of one set; `read == sum(dropped.values()) + rows`.

    Attributes:
        inputs: name, sha256 and records of each, and what its reader counted.
        read: records.
        dropped: records left out, by reason.
        changed: pairs changed, by rule: (questions, answers). Dropped records do not count here.
        rows, sha256: of the file of candidates.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    inputs: list[dict[str, object]]
    read: int
    dropped: dict[str, int]
    changed: dict[str, tuple[int, int]]
    rows: int
    sha256: str


def read_back(out: Path, name: str) -> Reading:
    """The counts of candidates that were read before; DataError if they are missing or broken."""
    return read_facts(layout.candidates(out, name), Reading)


def pairs_of(out: Path, name: str) -> Iterator[Pair]:
    """The candidates, in the order in which they were read; DataError as by `read_again`."""
    for line in read_again(layout.candidates(out, name), PairLine, read_back(out, name).sha256):
        yield line.pair()


@dataclass(slots=True)
class _Joined(Input[eli5.Eli5Record]):
    """Reddit's dumps, joined; the records are written to `copy` on their way."""

    joined: reddit.Joined
    copy: Sink

    @property
    def name(self) -> str:
        return f"{REDDIT}.jsonl"

    def __iter__(self) -> Iterator[eli5.Eli5Record]:
        for line in self.joined:
            self.copy.write_line(line)
            yield eli5.Eli5Record.model_validate_json(line)

    def entries(self) -> list[dict[str, object]]:
        summary = asdict(self.joined.summary)
        files = [{"name": file.pop("file"), **file} for file in summary.pop("files")]
        return [*files, {"name": self.name, "sha256": self.copy.sha256, **summary}]


def read_eli5(inputs: Sequence[str], out: Path, config: DataConfig, engine: Engine) -> Reading:
    """Read records of the ELI5 schema, and Reddit's dumps, which are joined; the dumps' records come last.

    `inputs` are files (`inputs.open_input`), whose first line tells whether they are dumps, or data sets of the hub.

    Raises:
        DataError: an input is missing, broken or truncated, or no pair is left. No file has changed then; of dumps
            what was read stays, and the next run resumes.
        UsageError, PrerequisiteError: see `reddit.joined`.
    """
    dumps = [text for text in inputs if _can_be_inspected(text) and reddit.is_dump(Path(text))]
    sources: list[Input[eli5.Eli5Record]] = [open_input(text, eli5.Eli5Record) for text in inputs if text not in dumps]
    names = ["eli5.jsonl", "eli5.json", *([f"{REDDIT}.jsonl"] if dumps else [])]
    with ExitStack() as stack:
        if dumps:
            joined = reddit.joined(
                list(map(Path, dumps)),
                out / CANDIDATES / _WORK,
                subreddits=config.reddit.subreddits,
                broken_share=config.reddit.broken_share,
                engine=engine,
            )
            records = stack.enter_context(joined)
            sinks = stack.enter_context(replacing(out / CANDIDATES, names))
            sources.append(_Joined(records, sinks[2]))
        else:
            sinks = stack.enter_context(replacing(out / CANDIDATES, names))
        reading = _read(eli5.RECIPE, sources, sinks, inputs, engine)
    if not dumps:
        layout.candidates(out, REDDIT).unlink(missing_ok=True)  # of an earlier reading
    return reading


def read_wiki(inputs: Sequence[str], out: Path, config: DataConfig, engine: Engine) -> Reading:
    """Read articles: MediaWiki's XML dumps, or `{title, text}` records; in the order of the inputs.

    Raises:
        DataError: as `read_eli5` raises it.
    """
    sources: list[Input[wiki.WikiRecord | Article]] = [
        wikidump.Dump(Path(text), config.wiki, engine)
        if _can_be_inspected(text) and wikidump.is_dump(Path(text))
        else open_input(text, wiki.WikiRecord)
        for text in inputs
    ]
    with replacing(out / CANDIDATES, ("wiki.jsonl", "wiki.json")) as sinks:
        return _read(wiki.RECIPE, sources, sinks, inputs, engine)


def _can_be_inspected(text: str) -> bool:
    """Not a pipe, whose start would be lost; nor what another reader has a better message for."""
    return not text.startswith(HUB) and Path(text).is_file() and not is_parquet(Path(text))


def _read(
    recipe: Recipe[Record],
    sources: Sequence[Input[Record]],
    sinks: Sequence[Sink],
    inputs: Sequence[str],
    engine: Engine,
) -> Reading:
    """Write candidates and their counts in one pass: a few batches of records in memory at a time, and the ids."""
    candidates, counts, *_ = sinks
    read, seen = 0, set[str]()
    dropped = Counter[str]()
    question_changes, answer_changes = Counter[str](), Counter[str]()
    batches = batched(chain.from_iterable(sources), _BATCH)
    for outcome in chain.from_iterable(engine.map(partial(_paired, recipe.pair), batches)):
        read += 1
        if isinstance(outcome, Dropped):
            dropped[outcome.reason] += 1
        elif outcome.pair.id in seen:
            dropped[DUPLICATE] += 1
        else:
            seen.add(outcome.pair.id)
            question_changes.update(outcome.question_rules)
            answer_changes.update(outcome.answer_rules)
            candidates.write(outcome.pair.row())
    early = sum((source.dropped for source in sources), Counter[str]())
    reasons = dict.fromkeys((*early, *recipe.drops, DUPLICATE))
    reading = Reading(
        inputs=[entry for source in sources for entry in source.entries()],
        read=read + early.total(),
        dropped={reason: early[reason] + dropped[reason] for reason in reasons},
        changed={step: (question_changes[step], answer_changes[step]) for step in recipe.all_steps},
        rows=candidates.rows,
        sha256=candidates.sha256,
    )
    if not reading.rows:
        counted = ", ".join(f"{count} {reason}" for reason, count in reading.dropped.items() if count)
        why = f" (dropped: {counted})" if counted else ""
        raise DataError(f"{', '.join(inputs)}: no {recipe.name} pair in {reading.read} records{why}")
    counts.write(reading.model_dump(), indent=2)
    return reading


def _paired(pair: Callable[[Record], Kept | Dropped], records: Sequence[Record]) -> list[Kept | Dropped]:
    return [pair(record) for record in records]
