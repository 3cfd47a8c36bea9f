"""What a comparison of models is made of: rows, tables, and what each row shows, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from s2eval import stats

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Side:
    """A model, or several seeds of a recipe, under the name that the user gave."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of one task, of a model against another; the difference is the model's score less the baseline's.

    Attributes:
        baseline, model: names of the sides.
        what: the row's name in its table.
        scores: baseline's and model's, over the documents that both have, in `unit`.
        difference: in `unit`, with the p of this test alone.
        adjusted: p by Holm over the table, which has `tests` tests.
        detectable: the smallest difference that would have been found with 80% power, at the level that the smallest p
            of the table must meet.
        unit: `points` (of a percentage) or "" (the metric's own).
        better: which end is better, `high` or `low`; "" = neither.
        seeds: models on each side.
    """

    baseline: str
    model: str
    task: str
    judge: str
    turn: str
    metric: str
    what: str
    scores: tuple[float | None, float | None]
    difference: stats.Difference
    adjusted: float | None = None
    tests: int = 0
    detectable: float | None = None
    digits: int = 4
    unit: str = ""
    better: str = ""
    seeds: tuple[int, int] = (1, 1)

    @property
    def verdict(self) -> str:
        """What the comparison shows."""
        estimate, p = self.difference.estimate, self.difference.p
        if estimate.value is None:
            return "cannot be told: no document with a value of both, or a part of the task without one"
        if self.adjusted is None or p is None:
            return "cannot be told: too few documents"
        if self.difference.discordant == 0:
            return "the same on every document"
        if self.adjusted <= LEVEL:
            higher = estimate.value > 0
            good = "" if not self.better else " (better)" if higher == (self.better == "high") else " (worse)"
            return f"difference shown: {'higher' if higher else 'lower'}{good}"
        alone = f" (alone p = {p:.2g}, one of {self.tests} tests)" if p <= LEVEL else ""
        if not self.detectable:
            differing = f"{self.difference.differing} of {estimate.n_valid}"
            return f"no difference shown{alone}; they differ on {differing} documents only"
        decimals = max(0, 1 - math.floor(math.log10(self.detectable)))  # two significant digits, rounded up
        amount = math.ceil(round(self.detectable * 10**decimals, 6)) / 10**decimals
        shown = f"{amount:.{decimals}f} {self.unit}".strip()
        return f"no difference shown{alone}; {shown} would have been detected"


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """Comparisons that are corrected together, in the order to print; `key` is unique in a report."""

    key: str
    title: str
    rows: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeedRow:
    """A recipe's seeds on one metric of one task; `digits` and `unit` as in `Comparison`."""

    name: str
    task: str
    metric: str
    what: str
    seeds: stats.SeedGroup
    digits: int = 4
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """The result of a comparison: tables, what was refused and why, what a reader must know, how seeds differ."""

    tables: tuple[ComparisonTable, ...]
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seeds: tuple[SeedRow, ...] = ()
