"""Inspect's logs as items to compare, in their JSON form (`inspect eval --log-format json`, `inspect log convert`)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from s2eval.data import describe
from s2eval.errors import DataError, UsageError
from s2eval.report.scored import Item, Scored

CONVERT = "convert it first: inspect log convert LOG.eval --to json --output-dir DIR"
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # correct, partial, incorrect, no answer


class _Part(BaseModel):
    """A part of a log; what is not named here is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Score(_Part):
    value: Any = None


class _Sample(_Part):
    id: int | str
    epoch: int = 1
    input: Any
    target: Any = None
    scores: dict[str, _Score] | None = None


class _Dataset(_Part):
    name: str | None = None
    location: str | None = None


class _Eval(_Part):
    task: str
    task_version: int | str = 0
    model: str
    dataset: _Dataset = _Dataset()
    task_args: dict[str, Any] = {}


class _Plan(_Part):
    steps: list[dict[str, Any]] = []


class _Log(_Part):
    status: str = "success"
    eval: _Eval
    plan: _Plan = _Plan()
    samples: list[_Sample] | None = None


def is_log(path: Path) -> bool:
    """Whether a JSON file is a log of Inspect; by its first kilobytes, whatever its size."""
    with path.open("rb") as file:
        head = file.read(4096)
    return b'"eval"' in head and b'"task"' in head and b'"version"' in head


def read(path: Path) -> Scored:
    """One log: a model on a task, its samples as items, epochs of a sample as a cluster.

    Scores: numbers, booleans, `C`, `P`, `I`, `N` (1, ½, 0, 0), and dictionaries of them, of which each entry is a
    metric of its own. A sample without a score has no value.

    Raises:
        UsageError: Inspect's binary form, or a log without its samples.
        DataError: no log.
    """
    if path.suffix == ".eval":
        raise UsageError(f"{path}: Inspect's binary log cannot be read here; {CONVERT}")
    try:
        log = _Log.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        raise DataError(f"{path}: not a log of Inspect: {describe(error)}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a log of Inspect ({error})") from error
    if log.samples is None:
        raise UsageError(f"{path}: a log without samples: run Inspect without --no-log-samples, or {CONVERT}")
    task = log.eval
    repeated = any(sample.epoch > 1 for sample in log.samples)
    conditions = {
        "task version": str(task.task_version),
        "data set": task.dataset.name or task.dataset.location or "",
        "solver": _digest(log.plan.steps),
        "task arguments": _digest(task.task_args) if task.task_args else "",
    }
    items = tuple(_item(sample, repeated) for sample in log.samples)
    remarks = () if log.status == "success" else (f"{task.model}: the log's status is {log.status}",)
    return Scored(task.model, task.task, items, conditions=conditions, source=str(path), remarks=remarks)


def _item(sample: _Sample, repeated: bool) -> Item:
    document = _digest([sample.id, sample.input, sample.target])
    values: dict[str, float | None] = {}
    for scorer, score in (sample.scores or {}).items():
        value = cast("object", score.value)
        if isinstance(value, dict):
            parts = cast("dict[str, Any]", value)
            values |= {f"{scorer}/{part}": _number(one) for part, one in parts.items()}
        else:
            values[scorer] = _number(value)
    epoch = f", epoch {sample.epoch}" if repeated else ""
    return Item(f"{document}{epoch}", f"{sample.id}{epoch}", "", values, cluster=document if repeated else "")


def _number(value: Any) -> float | None:
    if isinstance(value, bool | int | float):
        return float(value)
    return _LETTERS.get(value) if isinstance(value, str) else None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
