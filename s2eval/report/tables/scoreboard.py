"""Models at a glance: of each table its headline, or of each task its first metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from s2eval.judge.scores.estimates import SCORE
from s2eval.metrics.table import headline, metric_of
from s2eval.records import Row
from s2eval.report.document import Cell, Table, TableRow
from s2eval.report.tables.cells import cell_of, mark_best
from s2eval.report.tables.definitions import FAMILIES, Definition, definitions


def scoreboard(tables: Sequence[Table], models: Sequence[str]) -> Table | None:
    """A row per model, a column per table and data set, the table's headline; None where there is none.

    A report with the leaderboard alone has all its columns.
    """
    known = {f"{family.prefix}_{table.name}": (family, table) for family in FAMILIES for table in definitions()}
    shown = [
        table
        for table in tables
        if table.kind == "scores" and table.rows and (table.key in known or _is_of_a_judge(table))
    ]
    several = len({known[table.key][0].prefix for table in shown if table.key in known}) > 1
    columns: list[tuple[str, Mapping[str, Cell]]] = []
    for table in shown:
        family, definition = known.get(table.key, (None, None))
        suffix = family.title if family and several else ""
        columns += _headlines(table, definition, suffix, alone=len(shown) == 1)
    if not columns:
        return None
    rows = (TableRow((model,), tuple(cells.get(model, Cell()) for _, cells in columns)) for model in models)
    return Table("scoreboard", "Scoreboard", ("model",), tuple(title for title, _ in columns), tuple(rows))


def _is_of_a_judge(table: Table) -> bool:
    cells = (cell for row in table.rows for cell in row.cells)
    return "_scores_" in table.key and any(cell.row and cell.row.metric == SCORE for cell in cells)


def _headlines(
    table: Table, definition: Definition | None, suffix: str, *, alone: bool
) -> Iterator[tuple[str, Mapping[str, Cell]]]:
    """Title and the models' cells of each headline; a judge's is the mean over both turns, or the only turn."""
    for names, rows in groupby(table.rows, lambda row: row.header[:-1]):
        block = list(rows)
        if definition is None:
            rated = {at for row in block for at, cell in enumerate(row.cells) if cell.row and cell.row.metric == SCORE}
            titles = {max(rated, default=0): "Rating"}
        elif alone and len(table.header_names) == 1:
            titles = dict(enumerate(table.columns))
        else:
            metrics = [column.metric for column in definition.columns]
            at = metrics.index(definition.headline) if definition.headline else 0
            titles = {at: definition.headline_title or table.columns[at]}
        for at, title in titles.items():
            cells = {row.header[-1]: row.cells[at] for row in block}
            if any(cell.value is not None for cell in cells.values()):
                yield title + "".join(f" ({name})" for name in names) + suffix, cells


def task_scoreboard(rows: Sequence[Row]) -> Table:
    """A row per model, a column per task and judge, whatever tables there are; a cell's `row` has the metric."""
    complete = [row for row in rows if not row.subset and not row.turn]
    models = list(dict.fromkeys(row.model for row in complete))
    judged = {row.task for row in complete if row.judge}
    columns: dict[str, list[Cell]] = {}
    for task, judge in dict.fromkeys((row.task, row.judge) for row in complete):
        if task in judged and not judge:  # what is measured on answers beside the judge's score
            continue
        of_task = [row for row in complete if (row.task, row.judge) == (task, judge)]
        name = headline(list(dict.fromkeys(row.metric for row in of_task)))
        metric = metric_of(name)
        by_model = {row.model: row for row in of_task if row.metric == name}
        cells = [cell_of(by_model.get(model), metric.digits if metric else 4) for model in models]
        columns[f"{task} ({judge})" if judge else task] = mark_best(cells, metric.best if metric else "high")
    table_rows = (
        TableRow((model,), cells) for model, cells in zip(models, zip(*columns.values(), strict=True), strict=True)
    )
    return Table("scoreboard", "Scoreboard", ("model",), tuple(columns), tuple(table_rows))
