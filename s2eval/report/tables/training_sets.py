"""Training sets by evaluation sets: a matrix with its diagonal, and the gaps between diagonal and the rest, tested."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from s2eval.records import Row
from s2eval.report.compare import Comparison, ComparisonTable, Side, compare, corrected
from s2eval.report.document import Table, TableRow
from s2eval.report.read.items import Scored
from s2eval.report.tables.cells import cell_of
from s2eval.report.tables.definitions import FAMILIES, Family, datasets
from s2eval.report.tables.differences import difference_table, sides

NONE = "none"
"""The training set of a model that was trained on none of the evaluation sets' kinds of data."""

_PARTS: Mapping[str, frozenset[str]] = {
    "eli5": frozenset({"eli5"}),
    "wiki": frozenset({"wiki"}),
    "full": frozenset({"eli5", "wiki"}),
}
_METRICS = (("ROUGE-1", "s2_rouge1", 4), ("BERTScore F1", "s2_bertscore_f1", 4), ("FRE", "s2_fre", 2))
_OF_REFERENCE = (("-ELI5-wiki", "full"), ("-ELI5", "eli5"), ("-wiki", "wiki"))


def training_set(trained_on: str | None, reference: str | None, group: str | None) -> str | None:
    """What a model was trained on: `eli5`, `wiki`, `full`, `none` or another name; None where nothing tells it.

    What the configuration says (`trained_on:`), else the name of the paper's row that the model is set beside
    (`Llama-2-7b-ELI5`; a row without any is `none`), else a `group:` that is called like a data set.
    """
    if trained_on:
        return trained_on.casefold()
    if reference:
        name = re.sub(r"-simple-merge$", "", reference)
        return next((training for ending, training in _OF_REFERENCE if name.endswith(ending)), NONE)
    return group.casefold() if group and group.casefold() in _PARTS else None


def matrices(
    rows: Sequence[Row], models: Sequence[str], trained_on: Mapping[str, str], scored: Sequence[Scored]
) -> Iterator[Table]:
    """For each family of tasks the matrix, and the gaps where there are samples to test them.

    Nothing where fewer than two training sets or two evaluation sets are known, or no model stands on the diagonal.
    """
    for family in FAMILIES:
        values = {(row.model, row.task, row.metric): row for row in rows if not (row.subset or row.judge or row.turn)}
        known = [model for model in models if model in trained_on]
        sets = [
            name
            for name, _ in datasets("qa")
            if any((model, f"{family.prefix}_{name}", metric) in values for model in known for _, metric, _ in _METRICS)
        ]
        diagonal = any(is_diagonal(trained_on[model], name) for model in known for name in sets)
        if diagonal and len(sets) > 1 and len({trained_on[model] for model in known}) > 1:
            yield _matrix(family, values, known, sets, trained_on)
            gaps = _gaps(family, sets, known, trained_on, scored)
            if gaps.rows:
                yield difference_table(gaps, gaps.title)


def is_diagonal(trained: str, evaluated: str) -> bool:
    """Whether a model was trained on the kind of data it is evaluated on, no less and no more."""
    return _PARTS.get(trained) == _PARTS[evaluated]


def _matrix(
    family: Family,
    values: Mapping[tuple[str, str, str], Row],
    models: Sequence[str],
    sets: Sequence[str],
    trained_on: Mapping[str, str],
) -> Table:
    names = dict(datasets("qa"))
    order = [NONE, *names]
    placed = sorted(
        models, key=lambda model: order.index(trained_on[model]) if trained_on[model] in order else len(order)
    )
    rows: list[TableRow] = []
    for title, metric, digits in _METRICS:
        for model in placed:
            trained = trained_on[model]
            cells = tuple(
                replace(
                    cell_of(values.get((model, f"{family.prefix}_{name}", metric)), digits),
                    diagonal=is_diagonal(trained, name),
                )
                for name in sets
            )
            if any(cell.value is not None for cell in cells):
                rows.append(TableRow((title, names.get(trained, trained), model), cells))
    return Table(
        key=f"{family.prefix}_matrix",
        title=f"Training set × evaluation set{family.title}",
        header_names=("metric", "trained on", "model"),
        columns=tuple(names[name] for name in sets),
        rows=tuple(rows),
        notes=(
            *family.notes,
            "Diagonal: the model was trained on the kind of data that it is evaluated on. Numbers of two columns are "
            "of different questions: only those within a column compare models.",
            "Trained on: `trained_on:` of the configuration, else the paper's row that `reference:` names, else "
            f"`group:`; {NONE}: on none of these.",
        ),
        kind="matrix",
    )


def _gaps(
    family: Family, sets: Sequence[str], models: Sequence[str], trained_on: Mapping[str, str], scored: Sequence[Scored]
) -> ComparisonTable:
    """Diagonal less the rest, on the same documents; one table for Holm's correction."""
    comparisons: list[Comparison] = []
    notes: dict[str, None] = {}
    for name in sets:
        own = [samples for samples in scored if samples.task == f"{family.prefix}_{name}" and samples.model in models]
        diagonal: list[Side] = []
        lacking: list[Side] = []
        for side in sides(own, models).values():
            trained = [trained_on[member] for member in side.members]
            if all(is_diagonal(training, name) for training in trained):
                diagonal.append(side)
            # `full` contains `eli5`, and is no gap to it.
            elif all(
                training != NONE and not _PARTS[name] <= _PARTS.get(training, frozenset()) for training in trained
            ):
                lacking.append(side)
        if diagonal and lacking:
            pairs = [(baseline, side) for side in diagonal for baseline in lacking]
            compared = compare(own, pairs, metrics={metric for _, metric, _ in _METRICS})
            comparisons += [row for table in compared.tables for row in table.rows]
            notes |= dict.fromkeys([*(note for table in compared.tables for note in table.notes), *compared.refused])
    explained = (
        "Model: on the diagonal. Baseline: trained on a set that lacks this data, or part of it. Both answered the "
        "same questions.",
        *notes,
    )
    title = f"Gaps between the diagonal and the rest{family.title}"
    return ComparisonTable(f"{family.prefix}_gaps", title, corrected(comparisons), explained)
