"""Which numbers are not shown to differ from the best of their column: by paired tests, else by standard errors.

Holm's correction is over all pairs of the column's models, though only those with the best are tested: which is the
best is seen first, and corrected for eleven tests the best of twelve equal models would differ from another in 17% of
all columns.
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
    """The best number of a column against another.

    Attributes:
        how: `paired`, by `numbers`, or `refused`.
        p: two-sided; None where there is no test.
        why: what differs between models that cannot be compared.
    """

    how: Literal["paired", "numbers", "refused"]
    p: float | None = None
    why: str = ""


def mark_ties(tables: Sequence[Table], scored: Sequence[Scored]) -> list[Table]:
    """The tables with `Cell.tied`, and a note below each that says what was not paired.

    Args:
        tables: with the best of each column marked, and cells that know their row.
        scored: samples of the models, as far as there are.
    """
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
            tested = _column([cells[place][at] for place in places], tests)
            for number, (test, p) in tested.items():
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
    known = [(number, cell) for number, cell in enumerate(cells) if cell.value is not None]
    best = _best([cell for _, cell in known])
    if best is None or best.judge == SEVERAL:
        return {}
    pairs = len(known) * (len(known) - 1) // 2
    others = {number: cell.row for number, cell in known if not cell.best and cell.row is not None}
    tests_of = {number: tests.test(best, row, pairs) for number, row in others.items()}
    ps = [test.p for test in tests_of.values()]
    rest = pairs - sum(p is not None for p in ps)
    adjusted = stats.holm([*ps, *[1.0] * rest])
    return {number: (test, p) for (number, test), p in zip(tests_of.items(), adjusted, strict=False)}


def _best(cells: Sequence[Cell]) -> Row | None:
    """Of those marked as the best, which print alike, the one that is."""
    marked = [cell for cell in cells if cell.best]
    if not marked:
        return None
    rest = [cell.value or 0.0 for cell in cells if not cell.best]
    low = any(value > (marked[0].value or 0.0) for value in rest)
    chosen = min if low else max
    return chosen(marked, key=lambda cell: cell.value or 0.0).row


@dataclass(frozen=True, slots=True)
class _Tests:
    """Tests of pairs, each made once."""

    scored: Mapping[tuple[str, str, str, str], Scored]
    done: dict[_Key, Comparison] = field(default_factory=dict[_Key, Comparison])

    def test(self, best: Row, other: Row, pairs: int) -> Test:
        """The test of two rows of one column; `pairs` it is corrected for."""
        parts = list(self._parts(best, other))
        if not best.subset and all(parts):
            both = [pair for pair in parts if pair is not None]
            reasons = [_objection(pair) for pair in both]
            if any(reasons):
                return Test("refused", why="; ".join(dict.fromkeys(filter(None, reasons))))
            if all(samples.items for pair in both for samples in pair):
                key = (best.model, other.model, best.task, best.judge, best.turn, best.metric)
                if key not in self.done:
                    self._compare(best, other, [samples for pair in both for samples in pair], pairs)
                if key in self.done and self.done[key].difference.p is not None:
                    return Test("paired", self.done[key].difference.p)
                if key in self.done and self.done[key].difference.estimate.method == "too-few":
                    return Test("paired", 1.0)  # so few documents show no difference
                if _metric_objection(both[0], best.metric):
                    return Test("refused", why=_metric_objection(both[0], best.metric))
        return Test("numbers", _of_numbers(best, other))

    def _parts(self, best: Row, other: Row) -> Iterator[tuple[Scored, Scored] | None]:
        """The samples of both on the row's task, or on each part of an average; None where either has none."""
        prefix, _, short = best.task.partition("_")
        names = [f"{prefix}_{name}" for name in COUNTED] if short == _AVERAGE else [best.task]
        for name in names:
            first = self.scored.get((best.model, name, best.judge, best.turn))
            second = self.scored.get((other.model, name, other.judge, other.turn))
            yield (first, second) if first and second else None

    def _compare(self, best: Row, other: Row, scored: Sequence[Scored], pairs: int) -> None:
        sides = (Side(best.model, (best.model,)), Side(other.model, (other.model,)))
        for table in compare(scored, [sides], metrics={best.metric}, tests=pairs).tables:
            for row in table.rows:
                self.done[row.baseline, row.model, row.task, row.judge, row.turn, row.metric] = row


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
