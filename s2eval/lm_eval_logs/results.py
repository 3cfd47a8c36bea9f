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

from s2eval.errors import DataError
from s2eval.files import Json, JsonObject
from s2eval.identity import Identity, key_of
from s2eval.lm_eval_logs import settings
from s2eval.lm_eval_logs.samples import NO_FILTER, PLACEHOLDER, metric_name, number_of
from s2eval.lm_eval_logs.settings import text_of
from s2eval.records import UnitFacts

_HEAD = 4096
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d[-:]\d\d[-:]\d\d(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One task of one results file; its samples are not read yet.

    Attributes:
        path, log: the results file, and its file of samples.
        aggregates, n, provenance, facts: as of `Unit`; n is None where the file does not say.
        date: text and number that sort.
        filters: of the task, in the order of its results.
        scored: False of `lm_eval --predict_only`.
    """

    identity: Identity
    path: Path
    log: Path | None
    aggregates: Mapping[str, tuple[float, float | None]]
    n: int | None
    provenance: str
    date: tuple[str, float]
    filters: tuple[str, ...] = (NO_FILTER,)
    facts: UnitFacts = field(default_factory=UnitFacts)
    scored: bool = True

    @property
    def task(self) -> str:
        """The task's name."""
        return self.identity.part[0]


def evaluations_of(path: Path) -> Iterator[Evaluation]:
    """The tasks of one results file; DataError where lm-eval did not write it."""
    try:
        content: JsonObject = json.loads(path.read_bytes())
        results = _object(content["results"])
        groups = _object(content.get("groups") or {})  # averages over tasks, which `configs` has not
        tasks = [name for name in results if name not in groups]
        names = _object(content["configs"]) if "configs" in content else tasks
        scores = {str(task): _scores_of(_object(results.get(str(task), {}))) for task in names}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: not a results file of lm-eval ({error!r})") from error
    own = settings.settings_of(content)
    model = settings.model_name(content) or path.parent.name
    stamp = _DATE.search(path.name)
    date, transformers = content.get("date"), content.get("transformers_version")
    for task, task_scores in scores.items():
        aggregates, invalid = _aggregates(task_scores)
        metrics = {key.partition(",")[0].removesuffix("_stderr") for key in task_scores}
        filters = tuple(dict.fromkeys(key.partition(",")[2] for key in task_scores if "," in key))
        yield Evaluation(
            identity=Identity(model, (task, "", ""), own, settings.task_settings_of(content, task), str(path.parent)),
            path=path,
            log=_log_of(path, task, content),
            aggregates=aggregates,
            n=settings.documents_of(content, task),
            provenance=key_of({"results": results, "date": date, "task": task}),
            date=(stamp[0] if stamp else "", float(date) if isinstance(date, int | float) else 0.0),
            filters=filters or (NO_FILTER,),
            facts=UnitFacts(
                template=text_of(content.get("chat_template_sha")),
                version=text_of(settings.version_of(content, task)),
                shots=text_of(settings.shots_of(content, task)),
                limit=text_of(settings.limit_of(content) or None),
                versions={"transformers": str(transformers)} if transformers else {},
                invalid_aggregates=invalid,
            ),
            scored=metrics != {PLACEHOLDER},
        )


def is_results(path: Path) -> bool:
    """Whether a JSON file is named, or begins, as lm-eval's results are."""
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


def _object(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no object")
    return value


def _log_of(path: Path, task: str, content: JsonObject) -> Path | None:
    """The samples beside a results file: of its date, or without a date where no other results could own them."""
    date, prefix = _DATE.search(path.name), settings.samples_prefix(content)
    stamps = [path.stem.removeprefix("results_"), *([date[0]] if date else [])]
    dated = [path.parent / f"samples_{task}_{stamp}.jsonl" for stamp in stamps]
    undated = [path.parent / f"{name}_{task}.jsonl" for name in ("samples", prefix) if name]
    if log := next(filter(Path.is_file, dated), None):
        return log
    log = next(filter(Path.is_file, undated), None)
    rivals = [other for other in path.parent.glob("*.json") if other != path]
    if not date:
        rivals = [other for other in rivals if _DATE.search(other.name) is None]
    return None if log is None or any(map(is_results, rivals)) else log


def _scores_of(results: JsonObject) -> JsonObject:
    """The metrics of a task: keys `acc,none` and `acc_stderr,none`, before lm-eval 0.4 `acc` and `acc_stderr`."""
    filtered = {key: value for key, value in results.items() if "," in key}
    return filtered or {key: value for key, value in results.items() if key not in ("alias", "sample_len", "name")}


def _aggregates(scores: JsonObject) -> tuple[dict[str, tuple[float, float | None]], dict[str, str]]:
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
