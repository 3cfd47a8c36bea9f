"""Folders → rows and a document: what lies in a run folder, in plain lm-eval's output, or in `scores.csv` alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from s2eval import scoring, stats, store
from s2eval.errors import DataError, UsageError
from s2eval.identity import Identity, name_models
from s2eval.judge import results
from s2eval.lm_eval_logs.evaluations import Evaluations, find_evaluations, read_evaluation
from s2eval.metrics import scale_of
from s2eval.metrics.bertscore import BERTSCORE
from s2eval.metrics.choices import POINTS
from s2eval.metrics.table import of_answers
from s2eval.records import Estimate, Row
from s2eval.report import provenance
from s2eval.report.read import lm_eval
from s2eval.report.read.items import Found, Scored, invalid_values, of_unit, renamed
from s2eval.report.read.judged import judged_results
from s2eval.report.read.run_settings import RunModels
from s2eval.report.read.runs import read_run
from s2eval.report.read.scored import contents, readable
from s2eval.report.read.source import Source, renamed_source
from s2eval.report.read.stored_rows import up_to_date
from s2eval.report.tables import run_notes
from s2eval.report.tables.definitions import FAMILIES
from s2eval.report.tables.judged import notes_of
from s2eval.report.tables.training_sets import training_set
from s2eval.tasks.leaderboard.scores import COUNTED, leaderboard_average

PREFIXES = tuple(f"{family.prefix}_" for family in FAMILIES)


def read(folder: Path) -> Source:
    """Read one folder; see `read_all`."""
    return read_all([folder])[0]


def read_all(folders: Sequence[Path]) -> list[Source]:
    """Read run folders, results of a judge, folders of plain lm-eval, or those that hold `scores.csv` only.

    Models of all of them are named as `s2eval.identity.name_models` decides.

    Raises:
        DataError: there is nothing to report in one of them.
    """
    each = [_contents(folder) for folder in {folder.resolve(): folder for folder in folders}.values()]
    names = iter(name_models([identity for one in each for identity in one.identities]))
    return [one.build([next(names) for _ in one.identities]) for one in each]


@dataclass(frozen=True, slots=True)
class _Contents:
    """What lies in a folder: the identity of each result, and what makes a `Source` of the names given to them."""

    identities: Sequence[Identity]
    build: Callable[[Sequence[str]], Source]


def _contents(folder: Path) -> _Contents:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    judged, broken = results.read_all(folder)
    if (folder / store.RUN).is_file():
        source, run = _run(folder, judged, broken)
        return _named_later(_with_broken(source, broken), run)
    if judged:
        models = tuple(dict.fromkeys(row.model for one in judged for row in one.rows))
        source = _with_broken(_judged(Source(folder.name, models, ()), judged, folder), broken)
        return _named_later(source, RunModels(folder))
    if broken:
        raise DataError("\n".join(broken))
    evaluations = find_evaluations(folder)
    if evaluations.used:
        return _Contents([one.identity for one in evaluations.used], partial(_lm_eval, folder, evaluations))
    if (folder / store.SCORES).is_file():
        rows = [up_to_date(row) for row in store.read_scores(folder / store.SCORES)]
        source = Source(folder.name, tuple(dict.fromkeys(row.model for row in rows)), tuple(rows))
        return _named_later(source, RunModels(folder))
    logs = contents(folder)
    if logs.scored:
        source = _logged(folder, logs)
        return _Contents([_identity(one) for one in source.scored], partial(_logged_as, source))
    raise DataError(
        f"{folder}: nothing to report: {' '.join(evaluations.notes)}"
        if evaluations.notes
        else f"{folder}: nothing to report: no {store.SCORES}. Looked for {readable()}"
    )


def _named_later(source: Source, run: RunModels) -> _Contents:
    """A source whose models have one name each in the folder."""
    parts = dict.fromkeys((row.model, (row.task, row.judge, row.turn)) for row in source.rows)
    bare = [model for model in source.models if not any(row.model == model for row in source.rows)]
    parts |= dict.fromkeys((model, ("", "", str(run.folder))) for model in bare)
    identities = [run.identity(model, *part) for model, part in parts]

    def build(names: Sequence[str]) -> Source:
        shown = {identity.model: name for identity, name in zip(identities, names, strict=True)}
        return renamed_source(source, {old: new for old, new in shown.items() if old != new}, run.folder)

    return _Contents(identities, build)


# --- logs of other tools ---------------------------------------------------------------------------------------


def rows_of_scored(scored: Iterable[Scored]) -> Iterator[Row]:
    """Means over items, of results that are no units: FastChat's judgments, Inspect's logs, other packages' formats."""
    for one in scored:
        for metric in one.metrics:
            estimate = stats.mean([item.values.get(metric) for item in one.items], within=scale_of(metric))
            bounds = (estimate.value, estimate.stderr, estimate.ci_low, estimate.ci_high)
            names = (one.model, one.group or one.model, one.seed, one.task, "", one.judge, one.turn, metric)
            yield Row(*names, *bounds, estimate.n, estimate.n_valid, "")


def _logged(folder: Path, logs: Found) -> Source:
    notes = tuple(f"{remark}." for remark in logs.remarks)
    return Source(folder.name, (), (), notes=notes, scored=logs.scored, contests=logs.contests)


def _logged_as(source: Source, names: Sequence[str]) -> Source:
    scored = tuple(renamed(one, name) for one, name in zip(source.scored, names, strict=True))
    models = tuple(dict.fromkeys(one.model for one in scored))
    return replace(source, models=models, rows=tuple(rows_of_scored(scored)), scored=scored)


def _identity(scored: Scored) -> Identity:
    return scored.identity or Identity(scored.model, (scored.task, scored.judge, scored.turn), None, {}, scored.source)


# --- rows ------------------------------------------------------------------------------------------------------


def rows_of(
    units: Sequence[store.Unit],
    groups: Mapping[str, str] | None = None,
    seeds: Mapping[str, int | None] | None = None,
) -> list[Row]:
    """Every number of some units, and the leaderboard's average of each model that has all four tasks.

    Args:
        units: as read by `s2eval.store`.
        groups, seeds: of the models that have them.
    """
    rows: list[Row] = []
    points: dict[tuple[str, str], dict[str, Estimate]] = {}
    keys: dict[tuple[str, str], list[str]] = {}

    def row(model: str, task: str, subset: str, metric: str, estimate: Estimate, provenance: str) -> Row:
        return Row(
            model=model,
            group=(groups or {}).get(model) or model,
            seed=(seeds or {}).get(model),
            task=task,
            subset=subset,
            judge="",
            turn="",
            metric=metric,
            value=estimate.value,
            stderr=estimate.stderr,
            ci_low=estimate.ci_low,
            ci_high=estimate.ci_high,
            n=estimate.n,
            n_valid=estimate.n_valid,
            provenance=provenance,
        )

    for unit in units:
        for (subset, metric), estimate in estimates_of(unit).items():
            encoded = unit.facts.get("bertscore") if metric in BERTSCORE.names else None
            provenance = str(encoded["key"]) if encoded else unit.provenance
            rows.append(row(unit.model, unit.task, subset, metric, estimate, provenance))
            prefix = next((prefix for prefix in PREFIXES if unit.task.startswith(prefix)), "")
            short = unit.task.removeprefix(prefix)
            if prefix and metric == POINTS and not subset and short in COUNTED:
                points.setdefault((unit.model, prefix), {})[short] = estimate
                keys.setdefault((unit.model, prefix), []).append(unit.provenance)
    for (model, prefix), of_model in points.items():
        average = leaderboard_average(of_model)
        if average is not None:
            provenance = store.key_of({"average of": sorted(keys[model, prefix])})
            rows.append(row(model, f"{prefix}leaderboard", "", POINTS, average, provenance))
    return rows


def estimates_of(unit: store.Unit) -> dict[scoring.Key, Estimate]:
    """From the samples; metrics that only the aggregate has (or no samples at all) from what lm-eval printed."""
    estimates = scoring.score_samples(unit.samples) if unit.samples else {}
    for metric, (value, stderr) in unit.aggregates.items():
        if ("", metric) not in estimates and math.isnan(value):  # s2_mtsbench without a judge
            estimates["", metric] = Estimate(None, None, None, None, unit.n, 0, "none")
        elif ("", metric) not in estimates:
            estimates["", metric] = stats.from_summary(value, stderr, unit.n, scale_of(metric))
    return estimates


def _chosen(rows: Iterable[Row], families: Sequence[str] | None) -> list[Row]:
    """Without the families of metrics that a configuration leaves out; None leaves out none."""
    left_out = {
        name for family in of_answers().values() if families and family.name not in families for name in family.names
    }
    return [row for row in rows if row.metric not in left_out]


# --- folders ---------------------------------------------------------------------------------------------------


def _lm_eval(folder: Path, evaluations: Evaluations, names: Sequence[str]) -> Source:
    pairs = zip(evaluations.used, names, strict=True)
    units = [(one.identity, read_evaluation(one, name, texts=False)) for one, name in pairs]
    only_units = [unit for _, unit in units]
    return Source(
        folder.name,
        tuple(dict.fromkeys(unit.model for unit in only_units)),
        tuple(rows_of(only_units)),
        notes=(*evaluations.notes, *run_notes.of_lm_eval(only_units), *_invalid(only_units)),
        table_notes=run_notes.subjects(only_units),
        scored=tuple(
            of_unit(unit, lm_eval.conditions(unit.facts), str(folder), identity=identity) for identity, unit in units
        ),
    )


def _invalid(units: Iterable[store.Unit]) -> Iterator[str]:
    return (f"{sentence}." for unit in units for sentence in invalid_values(unit))


def _judged(source: Source, judged: Sequence[results.Stored], folder: Path) -> Source:
    """The source with the results of judges added."""
    notes = source.notes
    try:
        scored, contests = judged_results(folder)
    except UsageError as error:  # the numbers are in files of their own
        scored, contests = (), ()
        notes = (*notes, f"Judgments were not compared one by one: {error}.")
    return replace(
        source,
        notes=notes,
        rows=(*source.rows, *(up_to_date(row) for one in judged for row in one.rows)),
        judge_notes=notes_of([one.facts for one in judged]),
        scored=(*source.scored, *scored),
        contests=contests,
    )


def _with_broken(source: Source, broken: Sequence[str]) -> Source:
    """The source with notes on the results of judges that were left out."""
    notes = tuple(f"Left out: {one}." for one in broken)
    return replace(source, broken=(*source.broken, *broken), notes=(*source.notes, *notes))


def _run(folder: Path, judged: Sequence[results.Stored], judged_broken: Sequence[str]) -> tuple[Source, RunModels]:
    """The source, and what is known of its models."""
    run = read_run(folder, texts=False)
    config, units = run.models.config, run.units
    models = list(run.models.models.values())
    title, names = str(config["name"]), tuple(run.models.models)
    broken = [*run.broken, *(f"{path}: the unit is missing" for path in run.missing)]
    if "bertscore" in (config.get("metrics") or ()):
        # units of answers alone have a template
        bare = [unit for unit in units if unit.facts.get("template") and "bertscore" not in unit.facts]
        broken += (
            f"{folder / one.model / one.task / store.BERTSCORE} is missing: `s2eval run` makes it" for one in bare
        )
    groups = {name: group for name in names if (group := run.group(name))}
    seeds = {str(model["name"]): cast("int | None", model.get("seed")) for model in models}
    if units:
        rows = _chosen(rows_of(units, groups, seeds), config.get("metrics"))
    elif judged:  # before `scores.csv`, which holds their numbers as they were when it was written
        rows = []
    elif not run.has_units and (folder / store.SCORES).is_file():  # a run of which the numbers alone were kept
        rows = [up_to_date(row) for row in store.read_scores(folder / store.SCORES)]
    else:
        raise DataError(
            "\n".join((*broken, *judged_broken))
            or f"{folder}: the run has no finished unit yet. Resume it: s2eval run CONFIG --out {folder}"
        )
    told = {
        str(model["name"]): training_set(model.get("trained_on"), model.get("reference"), model.get("group"))
        for model in models
    }
    source = Source(
        title,
        names,
        tuple(rows),
        references={str(model["name"]): str(model["reference"]) for model in models if model.get("reference")},
        broken=tuple(broken),
        facts=provenance.facts(folder, [unit.facts for unit in units]),
        notes=(
            *(f"Left out: {one}." for one in broken),
            *run_notes.of_run(config, models, units, str(folder)),
            *_invalid(units),
        ),
        table_notes=run_notes.subjects(units) | run_notes.encoders(units),
        trained_on={name: found for name, found in told.items() if found},
        scored=run.scored,
    )
    return _judged(source, judged, folder), run.models
