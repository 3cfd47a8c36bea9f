"""Which numbers are not shown to differ from the best of their column: by paired tests, else by standard errors.

Holm's correction is over all pairs of the column's models, though only those with the best are tested: the best is
chosen after seeing the numbers, and corrected for eleven tests the best of twelve equal models would differ from
another in 17% of all columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal

from s2eval import stats
from s2eval.records import Row
from s2eval.report.compare import LEVEL, Comparison, Side, compare, objections
from s2eval.report.document import Cell, Table
from s2eval.report.read.items import Scored
from s2eval.report.tables.cells import too_few
from s2eval.report.tables.judged import SEVERAL
from s2eval.tasks.leaderboard.scores import COUNTED

BY_NUMBERS = (
    "Ties are decided from standard errors, as for independent samples, because there are no samples of both models to "
    "pair; a paired test would find more differences"
)
_AVERAGE = "leaderboard"
_Key = tuple[str, str, str, str, str, str]
"""Best model, other model, task, judge, turn, metric."""


@dataclass(frozen=True, slots=True)
class Test:
    """The best number of a column against another; `why` is what differs between models that cannot be compared."""

    how: Literal["paired", "numbers", "refused"]
    p: float | None = None
    why: str = ""


def mark_ties(tables: Sequence[Table], scored: Sequence[Scored]) -> list[Table]:
    """Set `Cell.tied` in tables whose best are marked, with a note below each on what was not paired."""
    tests = _Tests({(samples.model, samples.task, samples.judge, samples.turn): samples for samples in scored})
    return [_marked(table, tests) if table.kind == "scores" else table for table in tables]


def _marked(table: Table, tests: _Tests) -> Table:
    cells = [list(row.cells) for row in table.rows]
    by_numbers: dict[str, None] = {}
    refused: dict[str, None] = {}
    paired = False
    for _, block in groupby(range(len(table.rows)), lambda place: table.rows[place].header[:-1]):
        places = list(block)
        for at, title in enumerate(table.columns):
            for number, (test, p) in _column([cells[place][at] for place in places], tests).items():
                place = places[number]
                tied = p is not None and p > LEVEL
                cells[place][at] = replace(cells[place][at], tied=tied, differs=p is not None and not tied)
                paired = paired or test.how == "paired"
                if test.how == "numbers" and test.p is not None:
                    by_numbers[title] = None
                elif test.how == "refused":
                    refused[test.why] = None
    notes = list(table.notes)
    if by_numbers:
        notes.append(f"{BY_NUMBERS}: {', '.join(by_numbers)}." if paired else f"{BY_NUMBERS}.")
    if refused:
        notes.append(f"Not comparable with the best, so not marked as tied: {'; '.join(refused)}.")
    rows = tuple(replace(row, cells=tuple(own)) for row, own in zip(table.rows, cells, strict=True))
    return replace(table, rows=rows, notes=tuple(notes))


def _column(cells: Sequence[Cell], tests: _Tests) -> dict[int, tuple[Test, float | None]]:
    """Number of the cell → its test against the best, and its p after correction."""
    values = {number: cell.value for number, cell in enumerate(cells) if cell.value is not None}
    marked = {number: value for number, value in values.items() if cells[number].best}
    if not marked:
        return {}
    # Of those marked as the best, which print alike, the one that is.
    least, most = min(marked, key=marked.__getitem__), max(marked, key=marked.__getitem__)
    low_is_better = any(value > marked[least] for number, value in values.items() if number not in marked)
    best = cells[least if low_is_better else most].row
    if best is None or best.judge == SEVERAL:
        return {}
    pairs = len(values) * (len(values) - 1) // 2
    tests_of = {
        number: tests.test(best, row, pairs)
        for number in values
        if number not in marked and (row := cells[number].row) is not None
    }
    ps = [test.p for test in tests_of.values()]
    untested = pairs - sum(p is not None for p in ps)
    adjusted = stats.holm([*ps, *[1.0] * untested])
    return {number: (test, p) for (number, test), p in zip(tests_of.items(), adjusted, strict=False)}


@dataclass(frozen=True, slots=True)
class _Tests:
    """Tests of pairs of models, each computed once."""

    scored: Mapping[tuple[str, str, str, str], Scored]
    done: dict[_Key, Comparison] = field(default_factory=dict[_Key, Comparison])

    def test(self, best: Row, other: Row, pairs: int) -> Test:
        """The test of two rows of a column, corrected for that many pairs."""
        parts = list(self._parts(best, other))
        if not best.subset and all(parts):
            both = [pair for pair in parts if pair is not None]
            reasons = [_objection(pair) for pair in both]
            if any(reasons):
                return Test("refused", why="; ".join(dict.fromkeys(filter(None, reasons))))
            if all(samples.items for pair in both for samples in pair):
                key = (best.model, other.model, best.task, best.judge, best.turn, best.metric)
                if key not in self.done:
                    sides = Side(best.model, (best.model,)), Side(other.model, (other.model,))
                    scored = [samples for pair in both for samples in pair]
                    for table in compare(scored, [sides], metrics={best.metric}, tests=pairs).tables:
                        for row in table.rows:
                            self.done[row.baseline, row.model, row.task, row.judge, row.turn, row.metric] = row
                if key in self.done:
                    difference = self.done[key].difference
                    if difference.p is not None:
                        return Test("paired", difference.p)
                    if difference.estimate.method == "too-few":
                        return Test("paired", 1.0)  # so few documents show no difference
                if reason := _metric_objection(both[0], best.metric):
                    return Test("refused", why=reason)
        return Test("numbers", _of_numbers(best, other))

    def _parts(self, best: Row, other: Row) -> Iterator[tuple[Scored, Scored] | None]:
        """The samples of both on the row's task, or on each part of an average; None where either has none."""
        prefix, _, short = best.task.partition("_")
        names = [f"{prefix}_{name}" for name in COUNTED] if short == _AVERAGE else [best.task]
        for name in names:
            first = self.scored.get((best.model, name, best.judge, best.turn))
            second = self.scored.get((other.model, name, other.judge, other.turn))
            yield (first, second) if first and second else None


def _objection(pair: tuple[Scored, Scored]) -> str:
    """What keeps two models from being compared; "" = nothing, or only that samples are missing."""
    first, second = pair
    if not (first.items and second.items):
        pair = (replace(first, items=()), replace(second, items=()))
        reasons = [reason for reason in objections(pair) if not reason.startswith("no samples")]
    else:
        reasons = objections(pair)
    return f"{second.model} with {first.model} on {first.task} ({'; '.join(reasons)})" if reasons else ""


def _metric_objection(pair: tuple[Scored, Scored], metric: str) -> str:
    first, second = (samples.metric_conditions.get(metric, "") for samples in pair)
    if first == second:
        return ""
    models = f"{pair[1].model} with {pair[0].model} on {pair[0].task}"
    return f"{models} ({metric} by {first or 'unknown'} and {second or 'unknown'})"


def _of_numbers(best: Row, other: Row) -> float | None:
    """Two-sided p of two independent estimates, by how far their intervals reach towards each other.

    The difference over the root of the sum of squares of the two distances, which are 1.96 standard errors of many
    items, but never 0 (Zou & Donner, Statistics in Medicine 27 (2008) 1693-1702). 1 where one of them has too few items
    for an interval, None where it has none for another reason.
    """
    if best.value is None or other.value is None:
        return None
    if too_few(best) or too_few(other):
        return 1.0
    above, below = (best, other) if best.value >= other.value else (other, best)
    if above.ci_low is None or below.ci_high is None:
        return None
    spread = math.hypot((above.value or 0.0) - above.ci_low, below.ci_high - (below.value or 0.0))
    apart = abs(best.value - other.value)
    return math.erfc(stats.Z * apart / spread / math.sqrt(2)) if spread > 0 else None
