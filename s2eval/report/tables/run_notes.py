"""Notes on how the numbers of a report came about, written from the runs themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from s2eval.files import JsonObject
from s2eval.lm_eval_logs.answers import has_our_metrics
from s2eval.metrics.answers import LATIN_ONLY
from s2eval.models.backend.backend_stats import remarks
from s2eval.records import Row
from s2eval.report.tables.definitions import FAMILIES
from s2eval.store import Unit
from s2eval.tasks.leaderboard.rows import SUBJECTS

PAPERS_ENCODER = "roberta-large"
_SHOWN = 4


def of_run(config: JsonObject, models: Sequence[JsonObject], units: Sequence[Unit], folder: str) -> Iterator[str]:
    """Sentences on a run folder: models, templates, seeds, data, versions, and what is missing."""
    if config.get("limit"):
        yield f"Only the first {config['limit']} documents of each task were evaluated (`limit`)."
    if config.get("max_tokens"):
        yield f"Answers were cut after {config['max_tokens']} tokens (`max_tokens`)."
    for model in models:
        of_model = [unit for unit in units if unit.model == model["name"]]
        templates = sorted({unit.facts.template for unit in of_model if unit.facts.template})
        template = f"; questions asked with template {', '.join(templates)}" if templates else ""
        seeds = [f"{name} {model[name]}" for name in ("group", "seed") if model.get(name) is not None]
        seed = f" ({', '.join(seeds)})" if seeds else ""
        yield f"{model['name']} is `{model['model']}`{seed}{template}."
        if details := remarks([unit.facts.work for unit in of_model if unit.facts.work is not None]):
            yield f"{model['name']}: {'; '.join(details)}."
    yield from _data(units)
    used = [unit.facts.encoder for unit in units if unit.facts.encoder]
    for name, digest in sorted({(encoder.name, encoder.hash) for encoder in used}):
        yield f"BERTScore by {name}: {digest}."
    yield from reasoning(units)
    yield from versions(units)
    if unverified := sorted(f"{unit.model}/{unit.task}" for unit in units if unit.facts.unverified):
        yield (
            f"Written without hashes by an earlier version, so that a changed value would not be noticed: "
            f"{_some(unverified)}. Their numbers of documents are right."
        )
    if isinstance(missing := config.get("unfinished"), list) and missing:
        yield (
            f"Not finished, so not in the tables: {', '.join(map(str, missing))}. "
            f"`s2eval run CONFIG.yaml --out {folder}` goes on, with the configuration that it was begun with."
        )


def _data(units: Sequence[Unit]) -> Iterator[str]:
    """Hash of each task's documents, with the task's version and shots."""
    by_task: dict[str, dict[str, list[str]]] = {}
    for unit in units:
        facts = unit.facts
        if facts.documents:
            parts = [f"data {facts.documents}"]
            parts += [f"version {facts.version}"] if facts.version else []
            parts += [f"{facts.shots} shots"] if facts.shots not in ("", "0") else []
            by_task.setdefault(unit.task, {}).setdefault(", ".join(parts), []).append(unit.model)
    if by_task:
        tasks: list[str] = []
        for task, conditions in by_task.items():
            several = len(conditions) > 1
            texts = [f"{text}: {', '.join(models)}" if several else text for text, models in conditions.items()]
            tasks.append(f"{task} ({' or '.join(texts)})")
        yield f"Tasks: {'; '.join(tasks)}."


def versions(units: Sequence[Unit]) -> Iterator[str]:
    """The packages that evaluated; where they differ, which models had which."""
    each: dict[str, dict[str, None]] = {}
    for unit in units:
        packages = ", ".join(f"{name} {number}" for name, number in unit.facts.versions.items())
        if packages:
            each.setdefault(packages, {})[unit.model] = None
    for packages, models in sorted(each.items()):
        if len(each) == 1:
            yield f"Evaluated with {packages}."
        else:
            yield f"Mixed versions: {', '.join(models)} evaluated with {packages}."


def of_lm_eval(units: Sequence[Unit]) -> Iterator[str]:
    """Sentences of folders that plain lm-eval left."""
    limited: dict[str, dict[str, None]] = {}
    for unit in units:
        if unit.facts.limit:
            limited.setdefault(unit.facts.limit, {})[unit.model] = None
    for limit, models in sorted(limited.items()):
        some = f": {', '.join(models)}" if len(models) < len({unit.model for unit in units}) else ""
        yield f"Evaluated with `--limit {limit}`{some}."
    bare = sorted({f"{unit.model}/{unit.task}" for unit in units if not unit.samples})
    if bare:
        yield f"Without samples (`--log_samples`): {', '.join(bare)}; their intervals are made of standard errors."
    for unit in units:
        if unit.samples and unit.n and len(unit.samples) != unit.n:
            yield (
                f"{unit.model}/{unit.task}: samples of {len(unit.samples)} documents, its results are of {unit.n}: the "
                "file of samples was changed since it was written, or is of another evaluation."
            )
    yield from reasoning(units)
    yield from versions(units)


def reasoning(units: Sequence[Unit]) -> Iterator[str]:
    """How many answers had reasoning before them, of tasks with our metrics, in which it is not scored."""
    counts: list[str] = []
    for unit in units:
        with_reasoning = [sample for sample in unit.samples if sample.reasoning and has_our_metrics(sample.values)]
        if with_reasoning:
            unended = sum(not sample.answer for sample in with_reasoning)
            cut = f" ({unended} without an answer after it)" if unended else ""
            counts.append(f"{unit.model}, {unit.task}: {len(with_reasoning)} of {len(unit.samples)} answers{cut}")
    if counts:
        yield f"Reasoning before the answer, which is kept with the samples and not scored: {'; '.join(counts)}."
    if old := sorted(f"{unit.model}/{unit.task}" for unit in units if unit.facts.bertscore_with_reasoning):
        yield (
            f"BERTScore of {_some(old)} was measured by an earlier version with the reasoning, so it is left out; "
            "`s2eval run` with its configuration measures it again."
        )


def of_rows(rows: Sequence[Row]) -> Iterator[str]:
    """What the numbers themselves show: duplicate rows, fewer documents than others had, missing values."""
    twice = [row for row, times in Counter(rows).items() if times > 1]
    if twice:
        yield f"There twice, and counted once: {_some(f'{row.model} {row.task} {row.metric}' for row in twice)}."
    of_tasks = [row for row in dict.fromkeys(rows) if not (row.subset or "@" in row.metric)]
    sizes: dict[tuple[str, str, str], dict[str, int]] = {}
    for row in of_tasks:
        if row.task.endswith("_leaderboard"):  # an average of tasks
            continue
        known = sizes.setdefault((row.task, row.judge, row.turn), {})
        known[row.model] = max(known.get(row.model, 0), row.n)
    for (task, judge, _), of_model in sizes.items():
        most = max(of_model.values())
        fewer = [f"{model} {n}" for model, n in of_model.items() if n < most]
        if fewer:
            by = f", judged by {judge}" if judge else ""
            yield f"Fewer items of {task}{by} than the {most} of others: {', '.join(fewer)}."
    lost: dict[tuple[str, str, int, int], dict[str, None]] = {}
    for row in of_tasks:
        if row.n_valid < row.n and not row.judge:  # `judged.notes_of` has a judge's
            lost.setdefault((row.model, row.task, row.n - row.n_valid, row.n), {})[row.metric] = None
    for (model, task, number, n), metrics in lost.items():
        what = "items without a value"
        if LATIN_ONLY.issuperset(metrics):
            what = "answers or references have few or no words in Latin letters, cannot be measured, and"
        yield f"{model}, {task}: {number} of {n} {what} are in no mean ({_some(metrics)})."


def encoders(units: Sequence[Unit]) -> dict[str, tuple[str, ...]]:
    """A sentence below the table of BERTScore where another encoder than the paper's compared the answers."""
    names = sorted({unit.facts.encoder.name for unit in units if unit.facts.encoder} - {PAPERS_ENCODER})
    if not names:
        return {}
    sentence = f"By {', '.join(names)}, not by {PAPERS_ENCODER}: not to be set beside the paper's numbers."
    return {f"{family.prefix}_bertscore": (sentence,) for family in FAMILIES}


def subjects(units: Sequence[Unit]) -> dict[str, tuple[str, ...]]:
    """A sentence for each leaderboard table whose MMLU is not on all subjects."""
    notes: dict[str, tuple[str, ...]] = {}
    for family in FAMILIES:
        covered = {
            tuple(dict.fromkeys(sorted(sample.stratum for sample in unit.samples)))
            for unit in units
            if unit.task == f"{family.prefix}_mmlu" and unit.samples
        }
        sentences = [
            f"MMLU on {len(names)} of {len(SUBJECTS)} subjects: {', '.join(names)}."
            for names in sorted(covered)
            if len(names) < len(SUBJECTS)
        ]
        if sentences:
            notes[f"{family.prefix}_leaderboard"] = tuple(sentences)
    return notes


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join([*listed[:_SHOWN], *([f"and {len(listed) - _SHOWN} more"] if len(listed) > _SHOWN else [])])
