"""lm-eval's results files, of every release since 0.3 → evaluations.

Results lie in `ORG__MODEL/results_2025-01-31T12-00-00.000000.json`, their samples beside it in
`samples_TASK_2025-01-31T12-00-00.000000.jsonl`. Before 0.4.3 these were `results.json` and `MODEL_ARGS_TASK.jsonl`,
before 0.4 a file of any name, without samples.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2eval.errors import DataError
from s2eval.identity import Identity, key_of
from s2eval.lm_eval_logs import settings
from s2eval.lm_eval_logs.samples import NO_FILTER, PLACEHOLDER, metric_name, number_of

_HEAD = 4096
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d[-:]\d\d[-:]\d\d(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One task of one results file; its samples are not read yet.

    Attributes:
        identity: the model, the task, and what else determined the result.
        path: the results file.
        log: its file of samples; None where there is none.
        aggregates, n, provenance, facts: as of `Unit`.
        date: when it was made, as text that sorts.
    """

    identity: Identity
    path: Path
    log: Path | None
    aggregates: Mapping[str, tuple[float, float | None]]
    n: int | None
    provenance: str
    date: tuple[str, float]
    filters: tuple[str, ...] = (NO_FILTER,)
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def task(self) -> str:
        """The task's name."""
        return self.identity.part[0]

    @property
    def scored(self) -> bool:
        """Whether anything was scored; `lm_eval --predict_only` scores nothing."""
        return not self.facts.get("predict_only")


def evaluations_of(path: Path) -> Iterator[Evaluation]:
    """The tasks of one results file.

    Raises:
        DataError: not a results file of lm-eval.
    """
    try:
        content = json.loads(path.read_bytes())
        results: dict[str, dict[str, Any]] = content["results"]
        groups = content.get("groups") or {}  # averages over tasks, which `configs` has not
        names = content.get("configs", [name for name in results if name not in groups])
        tasks = {str(task): results.get(task, {}) for task in names}
        scores = {task: _scores_of(of_task) for task, of_task in tasks.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: not a results file of lm-eval ({error!r})") from error
    own = settings.settings_of(content)
    model = settings.model_name(content) or path.parent.name
    date = _DATE.search(path.name)
    when = content.get("date")
    for task, of_task in scores.items():
        aggregates, invalid = _aggregates(of_task)
        yield Evaluation(
            identity=Identity(model, (task, "", ""), own, settings.task_settings_of(content, task), str(path.parent)),
            path=path,
            log=_log_of(path, task, content),
            aggregates=aggregates,
            n=settings.documents_of(content, task),
            provenance=key_of({"results": results, "date": when, "task": task}),
            date=(date[0] if date else "", float(when) if isinstance(when, int | float) else 0.0),
            filters=_filters(of_task),
            facts={
                "versions": content.get("transformers_version"),
                "limit": settings.limit_of(content),
                "version": settings.version_of(content, task),
                "shots": settings.shots_of(content, task),
                "chat_template_sha": content.get("chat_template_sha"),
                "invalid_aggregates": invalid,
                "predict_only": _is_placeholder(of_task),
            },
        )


def is_results(path: Path) -> bool:
    """Whether a JSON file is called, or begins, as lm-eval's results are."""
    if path.name.startswith("results_"):
        return True
    with path.open("rb") as file:
        if not re.match(rb'\s*\{\s*"results"\s*:\s*\{', file.read(_HEAD)):
            return False
    try:
        content = json.loads(path.read_bytes())
        return isinstance(content["results"], dict) and "versions" in content and "model_args" in content["config"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _log_of(path: Path, task: str, content: Mapping[str, Any]) -> Path | None:
    """The samples beside a results file: of its date, or without a date where no other results could own them."""
    date = _DATE.search(path.name)
    names = [f"samples_{task}_{path.stem.removeprefix('results_')}.jsonl"]
    names += [f"samples_{task}_{date[0]}.jsonl"] if date else []
    log = next((path.parent / name for name in names if (path.parent / name).is_file()), None)
    if log is not None:
        return log
    prefix = settings.samples_prefix(content)
    names = [f"samples_{task}.jsonl", *([f"{prefix}_{task}.jsonl"] if prefix else [])]
    log = next((path.parent / name for name in names if (path.parent / name).is_file()), None)
    return log if log and _is_alone(path, dated=date is not None) else None


def _is_alone(path: Path, *, dated: bool) -> bool:
    """Whether no other results beside the file could own samples without a date."""
    others = [other for other in path.parent.glob("*.json") if other != path]
    undated = [other for other in others if _DATE.search(other.name) is None]
    return not any(map(is_results, others if dated else undated))


def _scores_of(results: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of a task: keys `acc,none` and `acc_stderr,none`, before lm-eval 0.4 `acc` and `acc_stderr`."""
    named = {key: value for key, value in results.items() if "," in key}
    return named or {key: value for key, value in results.items() if key not in ("alias", "sample_len", "name")}


def _aggregates(scores: Mapping[str, Any]) -> tuple[dict[str, tuple[float, float | None]], dict[str, str]]:
    """Metric → value and standard error, NaN where it is no number; metric → text of what is none."""
    aggregates: dict[str, tuple[float, float | None]] = {}
    invalid: dict[str, str] = {}
    for key, value in scores.items():
        metric, comma, filter_name = key.partition(",")
        if metric.endswith("_stderr") or metric == PLACEHOLDER or isinstance(value, list | dict):
            continue
        number = None if isinstance(value, bool) else number_of(value)
        name = metric_name(metric, filter_name or NO_FILTER)
        if number is None:
            invalid[name] = "null" if value is None else str(value)
        error = number_of(scores.get(f"{metric}_stderr{comma}{filter_name}"))
        aggregates[name] = (math.nan if number is None else number, error)
    return aggregates, invalid


def _filters(scores: Mapping[str, Any]) -> tuple[str, ...]:
    """The task's filters in the order of its results."""
    names = [key.partition(",")[2] for key in scores if "," in key]
    return tuple(dict.fromkeys(names)) or (NO_FILTER,)


def _is_placeholder(scores: Mapping[str, Any]) -> bool:
    metrics = {key.partition(",")[0].removesuffix("_stderr") for key in scores}
    return metrics == {PLACEHOLDER}
