"""Inspect's logs as items to compare, in their JSON form (`inspect eval --log-format json`, `inspect log convert`)."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

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
    value: JsonValue = None


class _Sample(_Part):
    id: int | str
    epoch: int = 1
    input: object
    target: object = None
    scores: dict[str, _Score] | None = None


class _Dataset(_Part):
    name: str | None = None
    location: str | None = None


class _Eval(_Part):
    task: str
    task_version: int | str = 0
    model: str
    dataset: _Dataset = _Dataset()
    task_args: dict[str, JsonValue] = {}
    created: str = ""
    model_args: dict[str, JsonValue] = {}
    model_base_url: str | None = None
    model_generate_config: dict[str, JsonValue] = {}
    model_roles: dict[str, JsonValue] | None = None
    config: dict[str, JsonValue] = {}


class _Plan(_Part):
    steps: list[dict[str, JsonValue]] = []
    config: dict[str, JsonValue] = {}


class _Log(_Part):
    status: str = "success"
    eval: _Eval
    plan: _Plan = _Plan()
    samples: list[_Sample] | None = None


def is_file(path: Path) -> bool:
    """Whether a file that a user named is a log: any JSON that is not lm-eval's, or Inspect's binary form."""
    return path.suffix == ".eval" or (path.suffix == ".json" and not is_results(path))


def read_scored(path: Path, parser: Parser) -> LogContents:
    """A log, or those below a folder; of repeats the newest, a log that ended well before others."""
    del parser
    if path.is_file():
        return LogContents((read(path),))
    logs: list[tuple[Path, Scored, _Log]] = []
    for file in sorted(path.rglob("*.json")):
        if file.is_file() and not is_results(file):
            with file.open("rb") as opened:  # whatever the size of the file, its beginning tells
                head = opened.read(4096)
            if b'"eval"' in head and b'"task"' in head and b'"version"' in head:
                logs.append((file, *_read(file)))
    used, repeats = without_repeats(
        logs,
        identity=lambda log: _identity(log[0], log[2]),
        rank=lambda log: (log[2].status == "success", log[2].eval.created, log[0].name),
    )
    notes = [
        f"{best[1].model} was evaluated again with the same settings on {best[1].task}: "
        f"{best[0].relative_to(path)} is used, {left_out[0].relative_to(path)} is not"
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
    invalid: dict[str, Counter[str]] = {}
    items = tuple(_item(sample, repeated, invalid) for sample in log.samples)
    remarks = [] if log.status == "success" else [f"{task.model}: the log's status is {log.status}"]
    what = f"{task.model}, {task.task}"
    remarks += [invalid_sentence(what, metric, values, len(items)) for metric, values in invalid.items()]
    scored = Scored(
        task.model,
        task.task,
        items,
        conditions={
            "task version": str(task.task_version),
            "data set": task.dataset.name or task.dataset.location or "",
            "solver": _digest(log.plan.steps),
            "task arguments": _digest(task.task_args) if task.task_args else "",
        },
        source=str(path),
        remarks=tuple(remarks),
        identity=_identity(path, log),
    )
    return scored, log


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


def _shown(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= _LONGEST else _digest(text)[:8]


def _item(sample: _Sample, repeated: bool, invalid: dict[str, Counter[str]]) -> Item:
    document = _digest([sample.id, sample.input, sample.target])
    values: dict[str, float | None] = {}
    for scorer, score in (sample.scores or {}).items():
        parts = score.value if isinstance(score.value, dict) else {"": score.value}
        for part, value in parts.items():
            metric = f"{scorer}/{part}" if isinstance(score.value, dict) else scorer
            known = _LETTERS.get(value, _WORDS.get(value.casefold())) if isinstance(value, str) else None
            values[metric] = number_of(value) if known is None else known
            if values[metric] is None:
                invalid.setdefault(metric, Counter())["null" if value is None else str(value)] += 1
    epoch = f", epoch {sample.epoch}" if repeated else ""
    return Item(f"{document}{epoch}", f"{sample.id}{epoch}", "", values, cluster=document if repeated else "")


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
