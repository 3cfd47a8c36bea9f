"""The numbers of a report as CSV: the columns of `scores.csv`, and the published number beside each where asked for."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

from s2eval.records import Row
from s2eval.report.references import References, load_references, measured_less_published
from s2eval.report.tables import judged
from s2eval.report.tables.definitions import FAMILIES, definitions
from s2eval.store import csv_cell

PUBLISHED = ("reference", "published", "difference")
"""The paper's row, its number as printed, and measured less published."""


def render_csv(rows: Sequence[Row], references: Mapping[str, str] | None = None, book: References | None = None) -> str:
    """The rows, floats in full and absent values empty.

    Args:
        rows: of `scores.csv`.
        references: our model → the paper's row; then each line ends with `PUBLISHED`. None = no such columns.
        book: published numbers; by default those that ship with the package.

    Raises:
        UnknownNameError: `references` names a row that the paper does not have.
    """
    file = io.StringIO()
    names = [column.name for column in fields(Row)]
    writer = csv.writer(file, lineterminator="\n")
    if references is None:
        writer.writerow(names)
        writer.writerows([csv_cell(value) for value in asdict(row).values()] for row in rows)
        return file.getvalue()
    book = book or load_references()
    for name in references.values():
        book.check(name)
    writer.writerow([*names, *PUBLISHED])
    columns = _published_columns()
    for row in rows:
        reference = references.get(row.model, "")
        column = columns.get((row.task, bool(row.judge), row.turn, row.metric)) if not row.subset else None
        text = book.published(reference, *column) if reference and column else None
        difference = measured_less_published(row.value, text or "")
        values = [csv_cell(value) for value in (*asdict(row).values(), reference, difference)]
        writer.writerow([*values[:-1], text or "", values[-1]])  # a published number is printed as it stands
    return file.getvalue()


def _published_columns() -> dict[tuple[str, bool, str, str], tuple[str, str, str]]:
    """(task, whether a judge rated it, turn, metric) → published table, data set and column."""
    columns: dict[tuple[str, bool, str, str], tuple[str, str, str]] = {}
    for family in FAMILIES:
        for definition in definitions() if family.comparable else ():
            for task, dataset in definition.datasets:
                for column in definition.columns:
                    if column.published:
                        name = f"{family.prefix}_{column.task or task}"
                        columns[name, False, "", column.metric] = (definition.name, dataset, column.published)
    for (turn, metric), (table, column) in judged.published_columns().items():
        columns[judged.PAPERS_SUITE, metric == judged.SCORE, turn, metric] = (table, "", column)
    return columns
