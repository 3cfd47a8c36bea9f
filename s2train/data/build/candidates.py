"""What was read, before filters and split: `DIR/candidates/`, from which all sets of a folder are built.

    inputs → records → one record, one pair (engine) → candidates/<set>.jsonl, with a <set>.json that tells the rest

A set is read again only when its command is given inputs; another configuration, another set beside it, or written
questions build from what lies here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from s2eval.errors import DataError
from s2train.data import layout
from s2train.data.config import DataConfig
from s2train.data.eli5 import pairs as eli5
from s2train.data.eli5 import reddit
from s2train.data.engine import Engine
from s2train.data.files.inputs import HUB, Input, entry, is_parquet, open_input
from s2train.data.files.jsonl import Sink, read_again, replacing
from s2train.data.layout import CANDIDATES, REDDIT
from s2train.data.records import Dropped, Kept, Pair, PairLine, Recipe
from s2train.data.wiki import dump as wikidump
from s2train.data.wiki import pairs as wiki
from s2train.data.wiki.text import Limits

DUPLICATE = "id seen before"
LOST_TEMPLATES = "lost_templates"  # of a dump of MediaWiki: templates for which sentences were left out, how many

_BATCH = 200  # records at a time; a record of ELI5 holds all answers
_WORK = ".reddit"


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

    inputs: list[dict[str, Any]]
    read: int
    dropped: dict[str, int]
    changed: dict[str, tuple[int, int]]
    rows: int
    sha256: str


def read_back(out: Path, name: str) -> Reading:
    """What is told of candidates that were read before.

    Raises:
        DataError: it is missing or broken.
    """
    path = layout.candidates(out, name).with_suffix(".json")
    try:
        return Reading.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"cannot read {path}: {error}; read the set again, with --input") from error


def pairs_of(out: Path, name: str) -> Iterator[Pair]:
    """The candidates, in the order in which they were read.

    Raises:
        DataError: a line is broken; or, when all are given, the file is not the one that was told of.
    """
    for line in read_again(layout.candidates(out, name), PairLine, read_back(out, name).sha256):
        yield line.pair()


# --- reading ---


class _Source(Protocol):
    """Records to be read once; the rest is final when the iteration has ended."""

    @property
    def dropped(self) -> Mapping[str, int]:
        """Records that the reader itself left out, by reason."""
        ...

    def __iter__(self) -> Iterator[Any]: ...

    def entries(self) -> list[dict[str, Any]]:
        """The inputs, as a manifest names them."""
        ...


@dataclass(slots=True)
class _Records:
    """A file or a data set of the hub; of a dump of MediaWiki also what is no article."""

    source: Input[Any] | wikidump.Dump

    @property
    def dropped(self) -> Mapping[str, int]:
        return self.source.dropped if isinstance(self.source, wikidump.Dump) else {}

    def __iter__(self) -> Iterator[Any]:
        return iter(self.source)

    def entries(self) -> list[dict[str, Any]]:
        told = entry(self.source)
        if isinstance(self.source, wikidump.Dump) and (lost := self.source.lost_templates()):
            told[LOST_TEMPLATES] = lost
        return [told]


@dataclass(slots=True)
class _Joined:
    """Reddit's dumps, joined; the records are written to `copy` on their way."""

    joined: reddit.Joined
    copy: Sink
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])  # of posts, not of records: told in the entries

    def __iter__(self) -> Iterator[eli5.Eli5Record]:
        for line in self.joined:
            self.copy.write_line(line)
            yield eli5.Eli5Record.model_validate_json(line)

    def entries(self) -> list[dict[str, Any]]:
        summary = asdict(self.joined.summary)
        files = [{"name": file.pop("file"), **file} for file in summary.pop("files")]
        return [*files, {"name": f"{REDDIT}.jsonl", "sha256": self.copy.sha256, **summary}]


def read_eli5(inputs: Sequence[str], out: Path, config: DataConfig, engine: Engine) -> Reading:
    """Read records of the ELI5 schema, and Reddit's dumps, which are joined; the dumps' records come last.

    Args:
        inputs: files (`inputs.open_input`), of which dumps are told by their first line, or data sets of the hub.

    Raises:
        DataError: an input is missing, broken or truncated, or no pair is left. No file has changed then; of dumps
            what was read stays, and the next run goes on.
        UsageError, PrerequisiteError: see `reddit.joined`.
    """
    dumps = [text for text in inputs if _is_reddit(text)]
    sources: list[_Source] = [_Records(open_input(text, eli5.Eli5Record)) for text in inputs if text not in dumps]
    with ExitStack() as stack:
        names = _files("eli5")
        if dumps:
            options = config.reddit
            joined = reddit.joined(
                list(map(Path, dumps)),
                out / CANDIDATES / _WORK,
                subreddits=options.subreddits,
                broken_share=options.broken_share,
                engine=engine,
            )
            records = stack.enter_context(joined)
            candidates, told, copy = stack.enter_context(replacing(out / CANDIDATES, (*names, f"{REDDIT}.jsonl")))
            sources.append(_Joined(records, copy))
        else:
            candidates, told = stack.enter_context(replacing(out / CANDIDATES, names))
        reading = _read(eli5.RECIPE, sources, candidates, engine)
        _check_rows("eli5", reading, inputs)
        told.write(reading.model_dump(), indent=2)
    if not dumps:
        with suppress(OSError):  # of an earlier reading
            layout.candidates(out, REDDIT).unlink()
    return reading


def read_wiki(inputs: Sequence[str], out: Path, config: DataConfig, engine: Engine) -> Reading:
    """Read articles: MediaWiki's XML dumps, or `{title, text}` records; in the order of the inputs.

    Raises:
        DataError: as `read_eli5` raises it.
    """
    limits = Limits(config.wiki.min_words, config.wiki.stubs)
    sources = [
        _Records(
            wikidump.Dump(Path(text), limits, engine) if _is_mediawiki(text) else open_input(text, wiki.WikiRecord)
        )
        for text in inputs
    ]
    with replacing(out / CANDIDATES, _files("wiki")) as (candidates, told):
        reading = _read(wiki.RECIPE, sources, candidates, engine)
        _check_rows("wiki", reading, inputs)
        told.write(reading.model_dump(), indent=2)
    return reading


def _files(name: str) -> tuple[str, str]:
    return f"{name}.jsonl", f"{name}.json"


def _is_reddit(text: str) -> bool:
    return _can_be_looked_into(text) and reddit.is_dump(Path(text))


def _is_mediawiki(text: str) -> bool:
    return _can_be_looked_into(text) and wikidump.is_dump(Path(text))


def _can_be_looked_into(text: str) -> bool:
    """Not a pipe, which would be read; nor what another reader says more of."""
    return not text.startswith(HUB) and Path(text).is_file() and not is_parquet(Path(text))


def _read(recipe: Recipe[Any], sources: Sequence[_Source], candidates: Sink, engine: Engine) -> Reading:
    """One pass: a few batches of records in memory at a time, and the ids seen."""
    read, seen = 0, set[str]()
    dropped = Counter[str]()
    question_changes, answer_changes = Counter[str](), Counter[str]()
    batches = _batches(chain.from_iterable(sources))
    for outcome in chain.from_iterable(engine.map(partial(_paired, recipe.pair), batches)):
        read += 1
        if isinstance(outcome, Dropped):
            dropped[outcome.reason] += 1
            continue
        if outcome.pair.id in seen:
            dropped[DUPLICATE] += 1
            continue
        seen.add(outcome.pair.id)
        question_changes.update(outcome.question_rules)
        answer_changes.update(outcome.answer_rules)
        candidates.write(outcome.pair.row())
    early = sum((Counter(source.dropped) for source in sources), Counter[str]())
    steps = (*(rule.name for rule in recipe.rules), *recipe.steps)
    reasons = dict.fromkeys((*early, *recipe.drops, DUPLICATE))
    return Reading(
        inputs=[one for source in sources for one in source.entries()],
        read=read + early.total(),
        dropped={reason: early[reason] + dropped[reason] for reason in reasons},
        changed={step: (question_changes[step], answer_changes[step]) for step in steps},
        rows=candidates.rows,
        sha256=candidates.sha256,
    )


def _paired(pair: Callable[[Any], Kept | Dropped], records: Sequence[Any]) -> list[Kept | Dropped]:
    return [pair(record) for record in records]


def _batches(records: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(records)
    while batch := list(islice(source, _BATCH)):
        yield batch


def _check_rows(name: str, reading: Reading, inputs: Sequence[str]) -> None:
    if not reading.rows:
        reasons = ", ".join(f"{count} {reason}" for reason, count in reading.dropped.items() if count)
        told = f" (dropped: {reasons})" if reasons else ""
        raise DataError(f"{', '.join(inputs)}: no {name} pair in {reading.read} records{told}")
