"""The results of plain `lm_eval --output_path DIR` in a folder → evaluations without repeats, units with samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from s2eval.identity import name_models, without_repeats
from s2eval.lm_eval_logs.results import Evaluation, evaluations_of, is_results
from s2eval.lm_eval_logs.samples import read_sample_file
from s2eval.records import Unit

UNIT = "unit.json"
"""The file that marks a unit of a run; its folder is read by `s2eval.store.read_unit`."""


@dataclass(frozen=True, slots=True)
class Evaluations:
    """Results in a folder: of repeats the newest, those with samples before others; and notes on what was left out."""

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
    """The evaluations below a folder, or of one results file; DataError for one that lm-eval did not write."""
    paths = [folder] if folder.is_file() else folder.rglob("*.json")
    files = (path for path in paths if path.is_file() and not (path.parent / UNIT).exists() and is_results(path))
    evaluations = [evaluation for path in sorted(files) for evaluation in evaluations_of(path)]
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


def read_evaluation(evaluation: Evaluation, model: str, *, texts: bool = True) -> Unit:
    """The evaluation with its samples, under the name `model`; DataError for a broken line of samples.

    A metric of which lm-eval has an aggregate, and no sample a number, is that of the aggregate alone.
    """
    samples, facts = (), evaluation.facts
    if evaluation.log is not None:
        content = read_sample_file(evaluation.log, texts=texts, filters=evaluation.filters)
        samples, facts = content.samples, replace(facts, invalid=content.invalid)
        empty = {
            name
            for name in content.invalid
            if math.isfinite(evaluation.aggregates.get(name, (math.nan,))[0])
            and all(math.isnan(sample.values.get(name, math.nan)) for sample in samples)
        }
        if empty:
            samples = tuple(
                replace(sample, values={name: value for name, value in sample.values.items() if name not in empty})
                for sample in samples
            )
    n = len(samples) if evaluation.n is None else evaluation.n
    return Unit(model, evaluation.task, samples, evaluation.aggregates, n, evaluation.provenance, facts, evaluation.log)


def _repeat_notes(repeats: Sequence[tuple[Evaluation, Evaluation]], folder: Path) -> Iterator[str]:
    """A sentence for each pair of files, with the tasks that they repeat."""

    def below(path: Path) -> Path:
        return path.relative_to(folder) if path.is_relative_to(folder) else path

    tasks: dict[tuple[str, Path, Path], list[str]] = {}
    for left_out, used in repeats:
        differs = left_out.aggregates != used.aggregates
        tasks.setdefault((used.identity.model, used.path, left_out.path), []).append(
            f"{used.task}{' (with other values)' if differs else ''}"
        )
    for (model, used_path, left_out_path), names in tasks.items():
        yield (
            f"{model} was evaluated again with the same settings on {', '.join(names)}: "
            f"{below(used_path)} is used, {below(left_out_path)} is not."
        )
