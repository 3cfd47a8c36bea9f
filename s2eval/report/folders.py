"""Folders → rows and a document: what lies in a run folder, in plain lm-eval's output, or in `scores.csv` alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import yaml

from s2eval import scoring, store
from s2eval.errors import DataError
from s2eval.judge import results
from s2eval.leaderboard import COUNTED, POINTS, SUBJECTS
from s2eval.models.work import remarks
from s2eval.qa import FAMILIES as FAMILIES_OF_METRICS
from s2eval.records import Estimate, Row
from s2eval.report.judged import SEVERAL, judged_tables, mixed, notes_of
from s2eval.report.tables import FAMILIES, Document, build_tables

PREFIXES = tuple(f"{family.prefix}_" for family in FAMILIES)
PAPERS_ENCODER = "roberta-large"
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Source:
    """What one folder gives to a report.

    Attributes:
        title: of the run, else the folder's name.
        models: model names in the order to print.
        rows: numbers.
        references: model → row of the published tables.
        notes: sentences on how the numbers came about.
        table_notes: table's key → sentences below it.
        judge_notes: judge's label → sentences below its scores.
    """

    title: str
    models: tuple[str, ...]
    rows: tuple[Row, ...]
    references: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()
    table_notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    judge_notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


def read(folder: Path) -> Source:
    """Read a run folder, the results of a judge, a folder of plain lm-eval, or one that holds `scores.csv` only.

    Raises:
        DataError: there is nothing to report in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    judged = results.read(folder)
    if (folder / store.RUN).is_file():
        return _run(folder, judged)
    if judged:
        return _judged(
            Source(folder.name, tuple(dict.fromkeys(row.model for one in judged for row in one.rows)), ()), judged
        )
    if units := store.find_lm_eval(folder):
        models = tuple(dict.fromkeys(unit.model for unit in units))
        return Source(folder.name, models, tuple(rows_of(units)), notes=_lm_eval_notes(units), table_notes=_mmlu(units))
    if (folder / store.SCORES).is_file():
        rows = store.read_scores(folder / store.SCORES)
        return Source(folder.name, tuple(dict.fromkeys(row.model for row in rows)), tuple(rows))
    raise DataError(
        f"{folder}: nothing to report: no {store.RUN}, no {store.SCORES} and no results_*.json of "
        "lm_eval --output_path … --log_samples"
    )


def document(
    sources: Sequence[Source], *, published: bool, title: str | None = None, mix_judges: bool = False
) -> Document:
    """One document over several folders; models in the order in which they are met.

    Args:
        published: set the paper's numbers beside ours.
        mix_judges: let the scores of different judges share tables, with a warning in them.
    """
    rows = [row for source in sources for row in source.rows]
    if mix_judges:
        rows = mixed(rows)
    models = list(dict.fromkeys(model for source in sources for model in source.models))
    references = {model: row for source in sources for model, row in source.references.items()}
    table_notes: dict[str, list[str]] = {}
    for source in sources:
        for key, sentences in source.table_notes.items():
            table_notes.setdefault(key, []).extend(
                sentence for sentence in sentences if sentence not in table_notes[key]
            )
    judge_notes: dict[str, list[str]] = {}
    for source in sources:
        for label, sentences in source.judge_notes.items():
            judge_notes.setdefault(SEVERAL if mix_judges else label, []).extend(sentences)
    beside = references if published else None
    tables = [
        *build_tables(rows, models, beside, notes=table_notes),
        *judged_tables(rows, models, beside, notes=judge_notes),
    ]
    notes = list(dict.fromkeys(note for source in sources for note in source.notes))
    return Document(title or ", ".join(source.title for source in sources), tables, notes)


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
            encoded = unit.facts.get("bertscore") if metric.startswith("s2_bertscore") else None
            provenance = str(encoded["key"]) if encoded else unit.provenance
            rows.append(row(unit.model, unit.task, subset, metric, estimate, provenance))
            prefix = next((prefix for prefix in PREFIXES if unit.task.startswith(prefix)), "")
            short = unit.task.removeprefix(prefix)
            if prefix and metric == POINTS and not subset and short in COUNTED:
                points.setdefault((unit.model, prefix), {})[short] = estimate
                keys.setdefault((unit.model, prefix), []).append(unit.provenance)
    for (model, prefix), of_model in points.items():
        average = scoring.leaderboard_average(of_model)
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
            half = None if stderr is None else _NORMAL_95 * stderr
            low, high = (None, None) if half is None else (value - half, value + half)
            estimates["", metric] = Estimate(value, stderr, low, high, unit.n, unit.n, "normal")
    return estimates


def _chosen(rows: Iterable[Row], families: Sequence[str] | None) -> list[Row]:
    """Without the families of metrics that a configuration leaves out; None leaves out none."""
    left_out = {
        name for family, names in FAMILIES_OF_METRICS.items() if families and family not in families for name in names
    }
    return [row for row in rows if row.metric not in left_out]


# --- notes -----------------------------------------------------------------------------------------------------


def _judged(source: Source, judged: Sequence[results.Stored]) -> Source:
    """The source with the results of judges added."""
    rows = [row for one in judged for row in one.rows]
    return replace(
        source,
        rows=(*source.rows, *rows),
        judge_notes=notes_of([one.facts for one in judged]),
    )


def _run(folder: Path, judged: Sequence[results.Stored]) -> Source:
    try:
        config = cast("dict[str, Any]", yaml.safe_load((folder / store.RUN).read_text(encoding="utf-8")))
        models = cast("list[dict[str, Any]]", config["models"])
        title, names = str(config["name"]), tuple(str(model["name"]) for model in models)
    except (yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / store.RUN}: not the configuration of a run ({error!r})") from error
    # Units of an earlier configuration may lie there too: other tasks, or the same with other inputs.
    unfinished = {folder / str(name) for name in config.get("unfinished") or ()}
    tasks = {str(name) for name in config.get("tasks") or ()}
    paths = [path.parent for name in names for path in sorted((folder / name).glob(f"*/{store.UNIT}"))]
    units = [store.read_unit(path) for path in paths if path.name in tasks and path not in unfinished]
    if units:
        groups = {str(model["name"]): str(model["group"]) for model in models if model.get("group")}
        seeds = {str(model["name"]): cast("int | None", model.get("seed")) for model in models}
        rows = _chosen(rows_of(units, groups, seeds), config.get("metrics"))
    elif judged:  # before `scores.csv`, which holds their numbers as they were when it was written
        rows = []
    elif not paths and (folder / store.SCORES).is_file():  # a run of which the numbers alone were kept
        rows = store.read_scores(folder / store.SCORES)
    else:
        raise DataError(f"{folder}: the run has no finished unit yet. Resume it: s2eval run CONFIG --out {folder}")
    references = {str(model["name"]): str(model["reference"]) for model in models if model.get("reference")}
    source = Source(
        title,
        names,
        tuple(rows),
        references,
        tuple(_run_notes(config, models, units)),
        _mmlu(units) | _encoders(units),
    )
    return _judged(source, judged)


def _run_notes(
    config: Mapping[str, Any], models: Sequence[Mapping[str, Any]], units: Sequence[store.Unit]
) -> Iterable[str]:
    if config.get("limit"):
        yield f"Only the first {config['limit']} documents of each task were evaluated (`limit`)."
    for model in models:
        of_model = [unit for unit in units if unit.model == model["name"]]
        templates = sorted(
            {
                f"{unit.facts['template']} ({unit.facts['template_hash']})"
                for unit in of_model
                if unit.facts.get("template")
            }
        )
        asked = f"; questions asked with template {', '.join(templates)}" if templates else ""
        yield f"{model['name']} is `{model['model']}`{asked}."
        if said := remarks([cast("dict[str, Any]", unit.facts["work"]) for unit in of_model if "work" in unit.facts]):
            yield f"{model['name']}: {'; '.join(said)}."
    versions = cast("list[dict[str, str]]", [unit.facts.get("versions") or {} for unit in units])
    for one in sorted({(str(of["encoder"]), str(of["hash"])) for unit in units if (of := unit.facts.get("bertscore"))}):
        yield f"BERTScore by {one[0]}: {one[1]}."
    for text in sorted({", ".join(f"{name} {number}" for name, number in one.items()) for one in versions if one}):
        yield f"Evaluated with {text}."
    missing = cast("list[str]", config.get("unfinished") or [])
    if missing:
        yield f"Not finished, so not in the tables: {', '.join(missing)}."


def _lm_eval_notes(units: Sequence[store.Unit]) -> tuple[str, ...]:
    notes: list[str] = []
    limits = sorted({f"{unit.facts['limit']:g}" for unit in units if unit.facts.get("limit")})
    if limits:
        notes.append(f"Evaluated with `--limit {', '.join(limits)}`.")
    bare = sorted({f"{unit.model}/{unit.task}" for unit in units if not unit.samples})
    if bare:
        notes.append(
            f"Without samples (`--log_samples`): {', '.join(bare)}; their intervals are value ± 1.96 standard errors."
        )
    return tuple(notes)


def _encoders(units: Sequence[store.Unit]) -> dict[str, tuple[str, ...]]:
    """A sentence below the table of BERTScore where another encoder than the paper's compared the answers."""
    names = sorted({str(of["encoder"]) for unit in units if (of := unit.facts.get("bertscore"))} - {PAPERS_ENCODER})
    if not names:
        return {}
    sentence = f"By {', '.join(names)}, not by {PAPERS_ENCODER}: not to be set beside the paper's numbers."
    return {f"{prefix}bertscore": (sentence,) for prefix in PREFIXES}


def _mmlu(units: Sequence[store.Unit]) -> dict[str, tuple[str, ...]]:
    """A sentence for each leaderboard table whose MMLU is not on all subjects."""
    notes: dict[str, tuple[str, ...]] = {}
    for prefix in PREFIXES:
        found = {
            tuple(dict.fromkeys(sorted(sample.stratum for sample in unit.samples)))
            for unit in units
            if unit.task == f"{prefix}mmlu" and unit.samples
        }
        sentences = [
            f"MMLU on {len(subjects)} of {len(SUBJECTS)} subjects: {', '.join(subjects)}."
            for subjects in sorted(found)
            if len(subjects) < len(SUBJECTS)
        ]
        if sentences:
            notes[f"{prefix}leaderboard"] = tuple(sentences)
    return notes
