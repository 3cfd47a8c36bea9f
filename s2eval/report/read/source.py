"""What one folder gives to a report, and the same under other names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from s2eval.identity import name_like
from s2eval.records import Row
from s2eval.report.read.items import Contests, Scored, renamed


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
        trained_on: model → what it was trained on, where that is known; see `training_sets.training_set`.
        scored: what each document scored, where samples were kept.
        contests: of two models, as a judge decided them.
        facts: how the numbers came about, name and value; see `provenance`.
        broken: what was left out because its files are missing or changed, as sentences; `notes` has them too.
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
    contests: tuple[Contests, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    broken: tuple[str, ...] = ()


def renamed_source(source: Source, names: Mapping[str, str], folder: Path) -> Source:
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
        scored=tuple(renamed(one, name(one.model)) for one in source.scored),
        contests=tuple(replace(one, model=name(one.model), against=name(one.against)) for one in source.contests),
    )
