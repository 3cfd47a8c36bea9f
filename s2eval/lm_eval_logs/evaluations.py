"""What plain `lm_eval --output_path DIR` left in a folder → evaluations without repeats, units with samples."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from s2eval.identity import name_models, without_repeats
from s2eval.lm_eval_logs.results import Evaluation, evaluations_of, is_results
from s2eval.lm_eval_logs.samples import read_sample_file
from s2eval.records import Sample, Unit

UNIT = "unit.json"
"""What marks the folder of a unit of a run; its files belong to `s2eval.store.read_unit`."""


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
    return [read_evaluation(evaluation, name, texts=texts) for evaluation, name in zip(used, names, strict=True)]


def find_evaluations(folder: Path) -> Evaluations:
    """The evaluations below a folder, or of one results file, without repeats and those that scored nothing.

    Raises:
        DataError: a `results_*.json` that lm-eval did not write.
    """
    evaluations = [evaluation for path in sorted(_results_files(folder)) for evaluation in evaluations_of(path)]
    used, repeats = without_repeats(
        [evaluation for evaluation in evaluations if evaluation.scored],
        identity=lambda evaluation: evaluation.identity,
        rank=lambda evaluation: (evaluation.log is not None, evaluation.date),
    )
    unscored = [evaluation for evaluation in evaluations if not evaluation.scored]
    predicted = dict.fromkeys(f"{evaluation.identity.model}/{evaluation.task}" for evaluation in unscored)
    notes = list(_repeat_notes(repeats, folder))
    if predicted:
        notes.append(f"Answers without scores (`--predict_only`), left out: {', '.join(predicted)}.")
    return Evaluations(tuple(used), tuple(notes))


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
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
