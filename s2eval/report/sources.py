"""What a folder gives to a report: a run folder, output of plain lm-eval, results of a judge, or `scores.csv` alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from s2eval import store
from s2eval.errors import DataError, UsageError
from s2eval.files import Json
from s2eval.identity import Identity, name_like, name_models
from s2eval.judge import results
from s2eval.metrics.table import of_answers
from s2eval.records import Row, Unit
from s2eval.report import provenance
from s2eval.report.read import item_scores, judgment_reader, lm_eval, runs
from s2eval.report.read.items import LogContents, PairwiseResults, Scored, invalid_values
from s2eval.report.rows import rows_of, up_to_date
from s2eval.report.tables import run_notes
from s2eval.report.tables.judged import notes_of
from s2eval.report.tables.training_sets import training_set


@dataclass(frozen=True, slots=True)
class Source:
    """What one folder gives to a report.

    Attributes:
        title: of the run, else the folder's name.
        models: in the order to print.
        references: model → row of the published tables.
        table_notes, judge_notes: table's key, or judge's label → sentences below it.
        trained_on: model → what it was trained on; see `training_sets.training_set`.
        scored: what each document scored, where samples are stored.
        facts: how the numbers came about, name and value; see `provenance`.
        broken: what was left out because its files are missing or changed; `notes` has it too.
    """

    title: str
    models: tuple[str, ...]
    rows: tuple[Row, ...]
    references: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()
    table_notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    judge_notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    trained_on: Mapping[str, str] = field(default_factory=dict[str, str])
    scored: tuple[Scored, ...] = ()
    contests: tuple[PairwiseResults, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Unnamed:
    """The identity of each result in a folder, and what makes a `Source` of the names given to them."""

    identities: Sequence[Identity]
    build: Callable[[Sequence[str]], Source]


def read(folder: Path) -> Source:
    """Read one folder; see `read_all`."""
    return read_all([folder])[0]


def read_all(folders: Sequence[Path]) -> list[Source]:
    """Read run folders, results of a judge, folders of plain lm-eval, or those that hold `scores.csv` only.

    Models of all of them are named as `s2eval.identity.name_models` decides.

    Raises:
        DataError: there is nothing to report in one of them.
    """
    each = [_read(folder) for folder in {folder.resolve(): folder for folder in folders}.values()]
    names = iter(name_models([identity for unnamed in each for identity in unnamed.identities]))
    return [unnamed.build([next(names) for _ in unnamed.identities]) for unnamed in each]


def _read(folder: Path) -> _Unnamed:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    judged, broken = results.read_all(folder)
    if runs.has_run(folder):
        source, models = _run(folder, judged, broken)
        return _of_models(_with_broken(source, broken), models)
    if judged:
        names = tuple(dict.fromkeys(row.model for stored in judged for row in stored.rows))
        source = _with_judged(Source(folder.name, names, ()), judged, folder)
        return _of_models(_with_broken(source, broken), runs.RunModels(folder))
    if broken:
        raise DataError("\n".join(broken))
    evaluated = lm_eval.read(folder, texts=False)
    if evaluated.scored:
        return _of_logs(folder, evaluated)
    if rows := _stored_rows(folder):
        source = Source(folder.name, tuple(dict.fromkeys(row.model for row in rows)), rows)
        return _of_models(source, runs.RunModels(folder))
    logs = item_scores.contents(folder)
    if logs.scored:
        return _of_logs(folder, logs)
    raise DataError(
        f"{folder}: nothing to report: {' '.join(f'{remark}.' for remark in evaluated.remarks)}"
        if evaluated.remarks
        else f"{folder}: nothing to report: no {store.SCORES}. Looked for {item_scores.readable()}"
    )


def _stored_rows(folder: Path) -> tuple[Row, ...]:
    path = folder / store.SCORES
    return tuple(up_to_date(row) for row in store.read_scores(path)) if path.is_file() else ()


def _of_logs(folder: Path, logs: LogContents) -> _Unnamed:
    def build(names: Sequence[str]) -> Source:
        scored = tuple(samples.renamed(name) for samples, name in zip(logs.scored, names, strict=True))
        units = [samples.unit for samples in scored if samples.unit]
        return Source(
            folder.name,
            tuple(dict.fromkeys(samples.model for samples in scored)),
            tuple(rows_of(scored)),
            notes=(
                *(f"{remark}." for remark in logs.remarks),
                *run_notes.of_lm_eval(units),
                *_invalid(units),
            ),
            table_notes=run_notes.subjects(units),
            scored=scored,
            contests=logs.contests,
        )

    return _Unnamed(
        [
            samples.identity
            or Identity(samples.model, (samples.task, samples.judge, samples.turn), None, {}, samples.source)
            for samples in logs.scored
        ],
        build,
    )


def _of_models(source: Source, models: runs.RunModels) -> _Unnamed:
    """A source whose models have one name each in the folder."""
    parts = dict.fromkeys((row.model, (row.task, row.judge, row.turn)) for row in source.rows)
    with_rows = {row.model for row in source.rows}
    parts |= dict.fromkeys((model, ("", "", str(models.folder))) for model in source.models if model not in with_rows)
    identities = [models.identity(model, *part) for model, part in parts]

    def build(names: Sequence[str]) -> Source:
        shown = {identity.model: name for identity, name in zip(identities, names, strict=True)}
        return _renamed(source, {old: new for old, new in shown.items() if old != new}, models.folder)

    return _Unnamed(identities, build)


def _renamed(source: Source, names: Mapping[str, str], folder: Path) -> Source:
    """The source with other names for some models; its notes then begin with the folder."""
    if not names:
        return source

    def name(old: str) -> str:
        return names.get(old, old)

    def row(old: Row) -> Row:
        metric, at, against = old.metric.partition("@")
        metric = f"{metric}@{name(against)}" if at and old.judge else old.metric
        group = name_like(old.model, name(old.model), old.group)
        return replace(old, model=name(old.model), group=group, metric=metric)

    return replace(
        source,
        models=tuple(map(name, source.models)),
        rows=tuple(map(row, source.rows)),
        references={name(model): reference for model, reference in source.references.items()},
        notes=tuple(f"{folder}: {note}" for note in source.notes),
        judge_notes={
            label: tuple(f"{folder}: {note}" for note in notes) for label, notes in source.judge_notes.items()
        },
        trained_on={name(model): data for model, data in source.trained_on.items()},
        scored=tuple(samples.renamed(name(samples.model)) for samples in source.scored),
        contests=tuple(
            replace(contest, model=name(contest.model), against=name(contest.against)) for contest in source.contests
        ),
    )


def _invalid(units: Iterable[Unit]) -> Iterator[str]:
    return (f"{sentence}." for unit in units for sentence in invalid_values(unit))


def _with_judged(source: Source, judged: Sequence[results.Stored], folder: Path) -> Source:
    notes = source.notes
    try:
        compared = judgment_reader.read_ours(folder, "strict")
    except UsageError as error:  # the numbers are in files of their own
        compared = LogContents()
        notes = (*notes, f"Judgments were not compared one by one: {error}.")
    return replace(
        source,
        notes=notes,
        rows=(*source.rows, *(up_to_date(row) for stored in judged for row in stored.rows)),
        judge_notes=notes_of([stored.facts for stored in judged]),
        scored=(*source.scored, *compared.scored),
        contests=compared.contests,
    )


def _with_broken(source: Source, broken: Sequence[str]) -> Source:
    """The source with notes on the results of judges that were left out."""
    notes = tuple(f"Left out: {problem}." for problem in broken)
    return replace(source, broken=(*source.broken, *broken), notes=(*source.notes, *notes))


def _run(folder: Path, judged: Sequence[results.Stored], judged_broken: Sequence[str]) -> tuple[Source, runs.RunModels]:
    """The source, and what is known of its models."""
    run = runs.read_run(folder, texts=False)
    models, config, families = run.models, run.models.config, run.models.names("metrics")
    units = [samples.unit for samples in run.scored if samples.unit]
    broken = [*run.broken, *(f"{path}: the unit is missing" for path in run.missing)]
    if "bertscore" in families:
        broken += (
            f"{folder / unit.model / unit.task / store.BERTSCORE} is missing: `s2eval run` makes it"
            for unit in units
            if unit.facts.template and unit.facts.encoder is None  # units of answers alone have a template
        )
    rows: tuple[Row, ...] = ()
    if units:
        left_out = {
            name
            for family in of_answers().values()
            if families and family.name not in families
            for name in family.names
        }
        rows = tuple(row for row in rows_of(run.scored) if row.metric not in left_out)
    elif judged:  # before `scores.csv`, which holds their numbers as they were when it was written
        pass
    elif run.has_units or not (folder / store.SCORES).is_file():
        raise DataError(
            "\n".join((*broken, *judged_broken))
            or f"{folder}: the run has no finished unit yet. Resume it: s2eval run CONFIG --out {folder}"
        )
    else:  # a run of which the numbers alone were kept
        rows = _stored_rows(folder)

    def text(value: Json) -> str | None:
        return str(value) if value else None

    trained_on = {
        name: training_set(text(model.get("trained_on")), text(model.get("reference")), text(model.get("group")))
        for name, model in models.models.items()
    }
    source = Source(
        str(config["name"]),
        tuple(models.models),
        rows,
        references={name: str(model["reference"]) for name, model in models.models.items() if model.get("reference")},
        broken=tuple(broken),
        facts=provenance.facts(folder, [unit.facts for unit in units]),
        notes=(
            *(f"Left out: {problem}." for problem in broken),
            *run_notes.of_run(config, list(models.models.values()), units, str(folder)),
            *_invalid(units),
        ),
        table_notes=run_notes.subjects(units) | run_notes.encoders(units),
        trained_on={name: data for name, data in trained_on.items() if data},
        scored=run.scored,
    )
    return _with_judged(source, judged, folder), models
