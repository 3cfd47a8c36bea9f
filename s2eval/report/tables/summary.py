"""The first screen of a report: what was compared, the verdict, and the scoreboard that it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from s2eval.judge.scores.estimates import SCORE
from s2eval.records import Row
from s2eval.report.document import Cell, Summary, Table, TableRow
from s2eval.report.tables.definitions import FAMILIES, Definition, definitions

_LISTED = 6  # models or tasks that are named; of more, their number


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    cells: Mapping[str, Cell]


def summarise(
    tables: Sequence[Table], models: Sequence[str], rows: Sequence[Row], facts: Sequence[tuple[str, str]] = ()
) -> Summary:
    """The summary of a report's tables.

    Args:
        tables: with the best of each column and what is tied with it marked.
        models: every model of the report, also one without a number.
        rows: of `scores.csv`.
        facts: how the numbers came about, name and value.
    """
    board = scoreboard(tables, models)
    return Summary(_compared(models, rows), tuple(verdict(board)) if board else (), board, tuple(facts))


def _compared(models: Sequence[str], rows: Sequence[Row]) -> str:
    tasks = list(dict.fromkeys(row.task for row in rows if not row.task.endswith("_leaderboard")))
    judges = list(dict.fromkeys(row.judge for row in rows if row.judge))
    judged = f", rated by {_listed(judges, 'judges')}" if judges else ""
    return f"{_listed(models, 'models')} on {_listed(tasks, 'tasks')}{judged}."


def _listed(names: Sequence[str], kind: str) -> str:
    if len(names) > _LISTED:
        return f"{len(names)} {kind}"
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]]) or f"no {kind}"


def scoreboard(tables: Sequence[Table], models: Sequence[str]) -> Table | None:
    """A row per model, a column per table and data set: the headline of each; None where there is none.

    Of a report with the leaderboard alone, all its columns.
    """
    known = {f"{family.prefix}_{table.name}": (family, table) for family in FAMILIES for table in definitions()}
    shown = [table for table in tables if table.kind == "scores" and table.rows]
    shown = [table for table in shown if table.key in known or _is_judges(table)]
    several = len({known[table.key][0].prefix for table in shown if table.key in known}) > 1
    columns = list[_Column]()
    for table in shown:
        family, definition = known.get(table.key, (None, None))
        suffix = family.title if family and several else ""
        columns += _headlines(table, definition, suffix, alone=len(shown) == 1)
    if not columns:
        return None
    rows = (TableRow((model,), tuple(column.cells.get(model, Cell()) for column in columns)) for model in models)
    return Table("scoreboard", "Scoreboard", ("model",), tuple(column.title for column in columns), tuple(rows))


def _is_judges(table: Table) -> bool:
    cells = (cell for row in table.rows for cell in row.cells)
    return "_scores_" in table.key and any(cell.row and cell.row.metric == SCORE for cell in cells)


def _headlines(table: Table, definition: Definition | None, suffix: str, *, alone: bool) -> Iterator[_Column]:
    for names, rows in groupby(table.rows, lambda row: row.header[:-1]):
        block = list(rows)
        whole = alone and len(table.header_names) == 1
        for at in range(len(table.columns)) if whole and definition else [_place(block, definition)]:
            title = table.columns[at] if whole or definition is None else definition.headline_title or table.columns[at]
            title = ("Rating" if definition is None else title) + "".join(f" ({name})" for name in names) + suffix
            cells = {row.header[-1]: row.cells[at] for row in block}
            if any(cell.value is not None for cell in cells.values()):
                yield _Column(title, cells)


def _place(rows: Sequence[TableRow], definition: Definition | None) -> int:
    """The column of the headline; of a judge's table that of the mean over both turns, or of the only turn."""
    if definition is not None:
        metrics = [column.metric for column in definition.columns]
        return metrics.index(definition.headline) if definition.headline else 0
    rated = {at for row in rows for at, cell in enumerate(row.cells) if cell.row and cell.row.metric == SCORE}
    return max(rated, default=0)


def verdict(board: Table) -> Iterator[str]:
    """One sentence on who is best where, then whether that was shown.

    Significant: p at most 0.05 after Holm's correction over the column's models, as the tied marks of the tables.
    """
    columns = [
        (title, {row.header[0]: row.cells[at] for row in board.rows if row.cells[at].value is not None})
        for at, title in enumerate(board.columns)
    ]
    compared = [(title, cells) for title, cells in columns if any(cell.best for cell in cells.values())]
    if not compared:
        measured = [row.header[0] for row in board.rows if any(cell.value is not None for cell in row.cells)]
        if len(measured) == 1:
            yield f"Only {measured[0]} has numbers, so there is nothing to compare."
        return
    wins = Counter(model for _, cells in compared for model, cell in cells.items() if cell.best)
    most = max(wins.values())
    leaders = [model for model, count in wins.items() if count == most]
    total = f"{most} of {len(compared)} columns" if len(compared) > 1 else compared[0][0]
    if len(leaders) > 1:
        yield f"{_listed(leaders, 'models')} are each best in {total}."
        yield from _undecided(compared)
        return
    leader = leaders[0]
    leads = _leads(leader, compared)
    how = f", significantly in {len(leads['significant'])} of them" if most > 1 else ""
    yield f"{leader} is best in {total}{how}."
    parts = [f"{kind} on {_listed(titles, 'columns')}" for kind, titles in leads.items() if titles]
    yield f"Its lead is {'; '.join(parts)}."
    for title, cells in compared:
        own = cells.get(leader)
        if own is None or own.best:
            continue
        best = _listed([model for model, cell in cells.items() if cell.best], "models")
        how = "not significant" if own.tied else "significant" if own.differs else "not tested"
        yield f"On {title}, {best} is best; the difference from {leader} is {how}."


def _leads(leader: str, compared: Sequence[tuple[str, Mapping[str, Cell]]]) -> dict[str, list[str]]:
    """Columns in which the leader is best, by whether its lead over every other model was shown."""
    leads: dict[str, list[str]] = {"significant": [], "not significant": [], "not tested": []}
    for title, cells in compared:
        others = {model: cell for model, cell in cells.items() if model != leader}
        if not cells.get(leader, Cell()).best:
            continue
        tied = [model for model, cell in others.items() if cell.tied or cell.best]
        untested = [model for model, cell in others.items() if not (cell.tied or cell.best or cell.differs)]
        if not tied and not untested:
            leads["significant"].append(title)
        for kind, models in (("not significant", tied), ("not tested", untested)):
            if models:
                over = "" if len(others) == 1 else f" (over {_listed(models, 'models')})"
                leads[kind].append(f"{title}{over}")
    return leads


def _undecided(compared: Sequence[tuple[str, Mapping[str, Cell]]]) -> Iterator[str]:
    clear = [title for title, cells in compared if all(cell.best or cell.differs for cell in cells.values())]
    clear = [title for title in clear if sum(cell.best for cell in dict(compared)[title].values()) == 1]
    yield (
        f"The lead over every other model is significant on {', '.join(clear)} only."
        if clear
        else "No lead over every other model is significant."
    )
