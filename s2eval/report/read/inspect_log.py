"""Inspect's logs as items to compare, in their JSON form (`inspect eval --log-format json`, `inspect log convert`)."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from s2eval.data import describe
from s2eval.errors import DataError, UsageError
from s2eval.identity import Identity, without_repeats
from s2eval.judge.verdicts.parsers import Parser
from s2eval.lm_eval_logs.results import is_results
from s2eval.lm_eval_logs.samples import number_of
from s2eval.report.read.items import Item, LogContents, Scored, invalid_sentence

CONVERT = "convert it first: inspect log convert LOG.eval --to json --output-dir DIR"
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # correct, partial, incorrect, no answer
_WORDS = {"yes": 1.0, "no": 0.0}
_EXECUTION = {"api_key", "device", "device_map", "max_connections", "max_retries", "timeout", "token"}
_LONGEST = 40  # characters of a value in a name
_URL = r"^\w+://(?:[^/@]*@)?|[?#].*$"  # all but the server and the path: the rest may hold a password
_LIMITS = ("sample_id", "message_limit", "token_limit", "time_limit", "working_limit", "cost_limit")


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
    created: str = ""
    model_args: dict[str, Any] = {}
    model_base_url: str | None = None
    model_generate_config: dict[str, Any] = {}
    model_roles: dict[str, Any] | None = None
    config: dict[str, Any] = {}


class _Plan(_Part):
    steps: list[dict[str, Any]] = []
    config: dict[str, Any] = {}


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


def is_file(path: Path) -> bool:
    """Whether a file that a user named is a log: any JSON that is not lm-eval's, or Inspect's binary form."""
    return path.suffix == ".eval" or (path.suffix == ".json" and not is_results(path))


def read_scored(path: Path, parser: Parser) -> LogContents:
    """A log, or those below a folder."""
    del parser
    if path.is_file():
        return LogContents((read(path),))
    files = [file for file in sorted(path.rglob("*.json")) if file.is_file() and not is_results(file)]
    return read_all([file for file in files if is_log(file)], path)


def read_all(paths: Sequence[Path], root: Path) -> LogContents:
    """Some logs below a folder; of repeats the newest, one that ended well before others."""
    read_logs = [(path, *_read(path)) for path in paths]

    def rank(log: tuple[Path, Scored, _Log]) -> tuple[bool, str, str]:
        return log[2].status == "success", log[2].eval.created, log[0].name

    used, repeats = without_repeats(read_logs, lambda log: _identity(log[0], log[2]), rank)
    notes = [
        f"{best[1].model} was evaluated again with the same settings on {best[1].task}: "
        f"{best[0].relative_to(root)} is used, {left_out[0].relative_to(root)} is not"
        for left_out, best in repeats
    ]
    return LogContents(tuple(scored for _, scored, _ in used), (), tuple(notes))


def read(path: Path) -> Scored:
    """One log: a model on a task, its samples as items, epochs of a sample as a cluster.

    Scores are read as Inspect's `value_to_float` reads them: numbers, booleans, numbers as text, `yes` and `no`,
    `true` and `false`, `C`, `P`, `I`, `N` (1, ½, 0, 0); of dictionaries each entry is a metric of its own. Where
    Inspect counts 0 with a warning (any other text, lists, NaN), the sample has no value, and a remark says so.

    Raises:
        UsageError: Inspect's binary form, or a log without its samples.
        DataError: no log.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[Scored, _Log]:
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
    invalid: dict[str, Counter[str]] = {}
    items = tuple(_item(sample, repeated, invalid) for sample in log.samples)
    remarks = [] if log.status == "success" else [f"{task.model}: the log's status is {log.status}"]
    what = f"{task.model}, {task.task}"
    remarks += [invalid_sentence(what, metric, values, len(items)) for metric, values in invalid.items()]
    identity = _identity(path, log)
    return Scored(
        task.model,
        task.task,
        items,
        conditions=conditions,
        source=str(path),
        remarks=tuple(remarks),
        identity=identity,
    ), log


def _identity(path: Path, log: _Log) -> Identity:
    task = log.eval
    settings: dict[str, str] = {}
    for kind, arguments in (("", task.model_args), ("model ", task.model_generate_config), ("plan ", log.plan.config)):
        for name in sorted(arguments.keys() - _EXECUTION):
            if arguments[name] is not None:
                settings[f"{kind}{name}"] = f"{name}={_shown(arguments[name])}"
    if task.model_base_url:
        settings["server"] = f"server {re.sub(_URL, '', task.model_base_url)}"
    if task.model_roles:
        settings["roles"] = f"roles {_digest(task.model_roles)[:8]}"
    if task.config.get("limit") is not None:
        settings["limit"] = f"limit {_shown(task.config['limit'])}"
    settings |= {name: f"{name}={_shown(value)}" for name in _LIMITS if (value := task.config.get(name)) is not None}
    epochs = task.config.get("epochs")
    task_settings = {
        "solver": "solver " + "+".join(str(step.get("solver")) for step in log.plan.steps),
        "version": f"version {task.task_version}",
        **{name: f"{name}={_shown(task.task_args[name])}" for name in sorted(task.task_args)},
        "data set": f"data set {task.dataset.name or task.dataset.location or ''}",
        "epochs": "" if epochs in (None, 1) else f"{epochs} epochs",
        "steps": f"steps {_digest(log.plan.steps)[:8]}",
    }
    own = {name: shown for name, shown in task_settings.items() if shown}
    return Identity(task.model, (task.task, "", ""), settings, own, str(path.parent))


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= _LONGEST else _digest(text)[:8]


def _item(sample: _Sample, repeated: bool, invalid: dict[str, Counter[str]]) -> Item:
    document = _digest([sample.id, sample.input, sample.target])
    values: dict[str, float | None] = {}
    for scorer, score in (sample.scores or {}).items():
        value = cast("object", score.value)
        parts = cast("dict[str, Any]", value) if isinstance(value, dict) else {"": value}
        for part, one in parts.items():
            metric = f"{scorer}/{part}" if isinstance(value, dict) else scorer
            values[metric] = _number(one)
            if values[metric] is None:
                invalid.setdefault(metric, Counter())["null" if one is None else str(one)] += 1
    epoch = f", epoch {sample.epoch}" if repeated else ""
    return Item(f"{document}{epoch}", f"{sample.id}{epoch}", "", values, cluster=document if repeated else "")


def _number(value: Any) -> float | None:
    if isinstance(value, str) and value in _LETTERS:
        return _LETTERS[value]
    if isinstance(value, str) and value.casefold() in _WORDS:
        return _WORDS[value.casefold()]
    return number_of(value)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
