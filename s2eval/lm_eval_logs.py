"""lm-eval's results files, of every release since 0.3 → evaluations, and with their samples units.

ORG__MODEL/results_2025-01-31T12-00-00.000000.json    and samples_TASK_2025-01-31T12-00-00.000000.jsonl
results.json                                          and MODEL_ARGS_TASK.jsonl (before 0.4.3)
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from s2eval import lm_eval_settings as settings
from s2eval.errors import DataError
from s2eval.identity import Identity, key_of, name_models, without_repeats
from s2eval.lm_eval_samples import NO_FILTER, PLACEHOLDER, metric_name, number_of, read_sample_file
from s2eval.records import Sample, Unit

UNIT = "unit.json"
"""What marks the folder of a unit of a run; its files belong to `s2eval.store.read_unit`."""
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


@dataclass(frozen=True, slots=True)
class Evaluations:
    """What lm-eval left in a folder.

    Attributes:
        used: of several evaluations with the same settings the newest, those with samples before others.
        notes: what was left out, as sentences.
    """

    used: tuple[Evaluation, ...]
    notes: tuple[str, ...] = ()


def find_lm_eval(folder: Path, *, texts: bool = True) -> list[Unit]:
    """Every task that plain `lm_eval --output_path` left below a folder, under names as of `name_models`.

    Of repeats the newest; `texts` as of `read_samples`.
    """
    used = find_evaluations(folder).used
    names = name_models([evaluation.identity for evaluation in used])
    return [read_evaluation(one, name, texts=texts) for one, name in zip(used, names, strict=True)]


def find_evaluations(folder: Path) -> Evaluations:
    """The evaluations below a folder, or of one results file, without repeats and those that scored nothing.

    Raises:
        DataError: a `results_*.json` that lm-eval did not write.
    """
    found = [one for path in sorted(_results_files(folder)) for one in evaluations_of(path)]
    scored = [one for one in found if one.scored]
    used, repeats = without_repeats(scored, lambda one: one.identity, lambda one: (one.log is not None, one.date))
    predicted = dict.fromkeys(f"{one.identity.model}/{one.task}" for one in found if not one.scored)
    notes = list(_repeat_notes(repeats, folder))
    if predicted:
        notes.append(f"Answers without scores (`--predict_only`), left out: {', '.join(predicted)}.")
    return Evaluations(tuple(used), tuple(notes))


def evaluations_of(path: Path) -> Iterator[Evaluation]:
    """The tasks of one results file.

    Raises:
        DataError: not a results file of lm-eval.
    """
    try:
        content = json.loads(path.read_bytes())
        results: dict[str, dict[str, Any]] = content["results"]
        groups = content.get("groups", {})  # averages over tasks, which `configs` has not
        names = content.get("configs", [name for name in results if name not in groups])
        tasks = {str(task): results.get(task, {}) for task in names}
        scores = {task: _scores_of(of_task) for task, of_task in tasks.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
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


def units_of(path: Path, model: str, texts: bool) -> Iterator[Unit]:
    """The tasks of one results file with their samples, under the name `model`."""
    for evaluation in evaluations_of(path):
        yield read_evaluation(evaluation, model, texts=texts)


def read_evaluation(evaluation: Evaluation, model: str, *, texts: bool = True) -> Unit:
    """The evaluation with its samples, under the name `model`.

    Raises:
        DataError: a broken line of samples.
    """
    facts = dict(evaluation.facts)
    samples: tuple[Sample, ...] = ()
    if evaluation.log is not None:
        content = read_sample_file(evaluation.log, texts=texts, filters=evaluation.filters)
        unknown = {name for name in content.invalid if math.isfinite(evaluation.aggregates.get(name, (math.nan,))[0])}
        samples, facts["invalid"] = _without_empty_metrics(content.samples, unknown), content.invalid
    n = len(samples) if evaluation.n is None else evaluation.n
    return Unit(
        model,
        evaluation.task,
        samples,
        evaluation.aggregates,
        n,
        evaluation.provenance,
        facts,
        evaluation.log,
    )


def _without_empty_metrics(samples: Sequence[Sample], names: Collection[str]) -> tuple[Sample, ...]:
    """Without those of some metrics of which no sample has a number: lm-eval made its aggregate of something else."""
    empty = {name for name in names if all(math.isnan(sample.values.get(name, math.nan)) for sample in samples)}
    if not empty:
        return tuple(samples)
    return tuple(
        replace(sample, values={name: value for name, value in sample.values.items() if name not in empty})
        for sample in samples
    )


def _results_files(folder: Path) -> Iterator[Path]:
    """`results_*.json`, and other JSON files that begin as lm-eval's do."""
    paths = [folder] if folder.is_file() else folder.rglob("*.json")
    return (path for path in paths if path.is_file() and not (path.parent / UNIT).exists() and is_results(path))


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
    except (ValueError, KeyError, TypeError):
        return False


def _log_of(path: Path, task: str, content: Mapping[str, Any]) -> Path | None:
    """The samples beside a results file: of its date, or without a date where no other results could own them."""
    date = _DATE.search(path.name)
    names = [f"samples_{task}_{path.stem.removeprefix('results_')}.jsonl"]
    names += [f"samples_{task}_{date[0]}.jsonl"] if date else []
    if found := next((path.parent / name for name in names if (path.parent / name).is_file()), None):
        return found
    prefix = settings.samples_prefix(content)
    names = [f"samples_{task}.jsonl", *([f"{prefix}_{task}.jsonl"] if prefix else [])]
    found = next((path.parent / name for name in names if (path.parent / name).is_file()), None)
    return found if found and _is_alone(path, dated=date is not None) else None


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
    found: dict[str, tuple[float, float | None]] = {}
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
        found[name] = (math.nan if number is None else number, error)
    return found, invalid


def _filters(scores: Mapping[str, Any]) -> tuple[str, ...]:
    """The task's filters in the order of its results."""
    names = [key.partition(",")[2] for key in scores if "," in key]
    return tuple(dict.fromkeys(names)) or (NO_FILTER,)


def _is_placeholder(scores: Mapping[str, Any]) -> bool:
    metrics = {key.partition(",")[0].removesuffix("_stderr") for key in scores}
    return metrics == {PLACEHOLDER}


def _repeat_notes(repeats: Sequence[tuple[Evaluation, Evaluation]], folder: Path) -> Iterable[str]:
    """A sentence for each pair of files, with the tasks that they repeat."""
    tasks: dict[tuple[str, Path, Path], list[str]] = {}
    for left_out, used in repeats:
        differs = left_out.aggregates != used.aggregates
        tasks.setdefault((used.identity.model, used.path, left_out.path), []).append(
            f"{used.task}{' (with other values)' if differs else ''}"
        )
    for (model, used_path, left_out_path), names in tasks.items():
        yield (
            f"{model} was evaluated again with the same settings on {', '.join(names)}: "
            f"{_below(used_path, folder)} is used, {_below(left_out_path, folder)} is not."
        )


def _below(path: Path, folder: Path) -> str:
    return str(cast("Path", path.relative_to(folder)) if path.is_relative_to(folder) else path)
