"""The first screen of a report: what was compared, the verdict, and the scoreboard that it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from s2eval.records import Row
from s2eval.report.document import Cell, Summary, Table
from s2eval.report.tables.scoreboard import scoreboard

_LISTED = 6  # models or tasks that are named; of more, their number


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
        # Best alone, and shown to be better than every other model.
        clear = [
            title
            for title, cells in compared
            if all(cell.best or cell.differs for cell in cells.values())
            and sum(cell.best for cell in cells.values()) == 1
        ]
        yield (
            f"The lead over every other model is significant on {', '.join(clear)} only."
            if clear
            else "No lead over every other model is significant."
        )
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
