"""Build one set: read, make pairs, split, write whole, with a `build.json` that says out of what.

One pass, one record in memory at a time (and the ids seen).
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import s2train
from s2eval.errors import DataError
from s2train.data.jsonl import Sink, Source, replacing
from s2train.data.records import Dropped, Funnel, Kept, Recipe, Record
from s2train.data.split import side

FILES = ("train.jsonl", "validation.jsonl", "build.json")  # put in place in this order: build.json seals a set

DUPLICATE = "id seen before"


def build(recipe: Recipe[Record], inputs: Sequence[Path], out: Path, *, share: float, seed: int) -> Funnel:
    """Write `out/<recipe.name>/{train,validation}.jsonl` and `build.json`, rows in the order of the inputs.

    Args:
        inputs: JSONL files of the recipe's records; of two records with one id the first counts.
        share, seed: as `split.side` takes them.

    Raises:
        DataError: an input is missing or broken, no pair is left, or `out` cannot be written. Nothing has
            changed on the disk then.
    """
    sources = [Source(path, recipe.record) for path in inputs]
    with replacing(out / recipe.name, FILES) as (train, validation, provenance):
        dropped = Counter[str]()
        question_changes, answer_changes = Counter[str](), Counter[str]()
        for outcome in _outcomes(recipe, sources):
            if isinstance(outcome, Dropped):
                dropped[outcome.reason] += 1
                continue
            question_changes.update(outcome.question_rules)
            answer_changes.update(outcome.answer_rules)
            sides = {"train": train, "validation": validation}
            sides[side(outcome.pair.question, share=share, seed=seed)].write(outcome.pair.row())
        steps = (*(rule.name for rule in recipe.rules), *recipe.steps)
        funnel = Funnel(
            recipe.name,
            read=sum(source.rows for source in sources),
            dropped={reason: dropped[reason] for reason in (*recipe.drops, DUPLICATE)},
            changed={step: (question_changes[step], answer_changes[step]) for step in steps},
            train=train.rows,
            validation=validation.rows,
        )
        if not funnel.kept:
            raise DataError(_nothing_left(funnel, inputs))
        record = {
            "set": recipe.name,
            "inputs": [source_entry(source.path.name, source) for source in sources],
            "split": {"validation_share": share, "seed": seed, "by": "SHA-256 of the normalised question"},
            **outcome_entries(funnel, train, validation),
        }
        provenance.write(record, indent=2)
    return funnel


def _outcomes(recipe: Recipe[Record], sources: Sequence[Source[Record]]) -> Iterator[Kept | Dropped]:
    seen: set[str] = set()
    for record in chain.from_iterable(sources):
        outcome = recipe.pair(record)
        if isinstance(outcome, Kept):
            if outcome.pair.id in seen:
                outcome = Dropped(DUPLICATE)
            else:
                seen.add(outcome.pair.id)
        yield outcome


def _nothing_left(funnel: Funnel, inputs: Sequence[Path]) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in funnel.dropped.items() if count)
    where = ", ".join(str(path) for path in inputs)
    return f"{where}: no {funnel.name} pair in {funnel.read} records" + (f" (dropped: {reasons})" if reasons else "")


def source_entry(name: str, source: Source[Any]) -> Mapping[str, Any]:
    """An input as `build.json` tells it; `name` without the folders of this machine."""
    return {"file": name, "sha256": source.sha256, "records": source.rows}


def outcome_entries(funnel: Funnel, train: Sink, validation: Sink) -> Mapping[str, Any]:
    """What every `build.json` ends with: counts, rules, the files made, and by which versions."""
    return {
        "counts": {
            "read": funnel.read,
            "dropped": dict(funnel.dropped),
            "kept": funnel.kept,
            "train": funnel.train,
            "validation": funnel.validation,
        },
        "rules": [
            {"rule": name, "questions_changed": questions, "answers_changed": answers}
            for name, (questions, answers) in funnel.changed.items()
        ],
        "outputs": {
            name: {"sha256": sink.sha256, "rows": sink.rows}
            for name, sink in zip(FILES[:2], (train, validation), strict=True)
        },
        "versions": {
            "s2train": s2train.__version__,
            "python": platform.python_version(),
            "pydantic": version("pydantic"),
        },
    }
