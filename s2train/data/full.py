"""The set `full`: the union of `eli5` and `wiki`, mixed. Read from the two sets' files and held in memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from s2eval.errors import DataError
from s2train.data.build import FILES, outcome_entries, source_entry
from s2train.data.jsonl import Source, replacing
from s2train.data.records import Funnel, Pair, PairLine
from s2train.data.split import normalised

NAME = "full"
PARTS = ("eli5", "wiki")

IN_VALIDATION = "question in the other set's validation"


def build_full(out: Path) -> Funnel | None:
    """Write `out/full`: train with train, validation with validation, in the order of a hash of the id.

    A training row whose question lies in the validation side of the other set is left out and counted; that can
    happen only where the two sets were split with different shares or seeds.

    Returns:
        None, and nothing is written, if one of the sets is not there.

    Raises:
        DataError: a file of the sets is broken, or two rows have the same id.
    """
    paths = [[out / part / name for part in PARTS] for name in FILES[:2]]
    if not all(path.is_file() for path in chain(*paths)):
        return None
    train_sources, validation_sources = ([Source(path, PairLine) for path in side] for side in paths)
    candidates, held_out = _mixed(train_sources), _mixed(validation_sources)
    _refuse_shared_ids([*candidates, *held_out], out)
    held_out_questions = {normalised(pair.question) for pair in held_out}
    kept = [pair for pair in candidates if normalised(pair.question) not in held_out_questions]
    with replacing(out / NAME, FILES) as (train, validation, provenance):
        for sink, pairs in ((train, kept), (validation, held_out)):
            for pair in pairs:
                sink.write(pair.row())
        funnel = Funnel(
            NAME,
            read=len(candidates) + len(held_out),
            dropped={IN_VALIDATION: len(candidates) - len(kept)},
            changed={},
            train=train.rows,
            validation=validation.rows,
        )
        sources = [*train_sources, *validation_sources]
        record = {
            "set": NAME,
            "inputs": [source_entry(source.path.relative_to(out).as_posix(), source) for source in sources],
            **outcome_entries(funnel, train, validation),
        }
        provenance.write(record, indent=2)
    return funnel


def _mixed(sources: Sequence[Source[PairLine]]) -> list[Pair]:
    pairs = [line.pair() for line in chain.from_iterable(sources)]
    return sorted(pairs, key=lambda pair: hashlib.sha256(pair.id.encode()).digest())


def _refuse_shared_ids(pairs: Sequence[Pair], out: Path) -> None:
    for identity, count in Counter(pair.id for pair in pairs).most_common(1):
        if count > 1:
            raise DataError(f"{out}: {count} rows of {' and '.join(PARTS)} have the id {identity!r}; it must be unique")
