"""Entries of the table of metrics: a metric is a column of `scores.csv`, a family what users choose and measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from s2eval.records import Scale

Scorer = Callable[[Sequence[str], Sequence[str]], Sequence[Mapping[str, float]]]
"""(n texts, their n references) → for each text metric → value; a metric that cannot be measured on it is left out."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of `scores.csv`, and a key of lm-eval's results.

    Attributes:
        digits: decimals to print.
        best: which end is better; None if neither.
        scale: its possible values, which decide the interval of its mean.
        pooled: whether it is computed of all answers as one text; else the mean over documents.
        counted: whether its mean is a share of items, shown as their number, without interval.
        secondary: whether a page folds its column away at first.
    """

    name: str
    title: str = ""
    digits: int = 4
    best: Literal["high", "low"] | None = "high"
    scale: Scale = Scale()  # noqa: RUF009  (frozen)
    pooled: bool = False
    counted: bool = False
    secondary: bool = False


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """Metrics that are measured together.

    Attributes:
        name: as users type it: `metrics:` of a run, `s2eval score`.
        title: of its table in a report.
        score: measures texts; None if that takes more than texts.
        of: what is measured. `answers`: chosen by users; `every answer`: always measured.
        references: whether texts are compared with references.
        latin_only: whether texts that are mostly in another script have no value (`s2eval.metrics.scripts`).
        needs: what must be loaded for it: an encoder.
        version: raise it when the same texts get other numbers; runs then measure again.
    """

    name: str
    metrics: tuple[Metric, ...]
    title: str = ""
    score: Scorer | None = None
    of: Literal["answers", "every answer", "choices", "judgments"] = "answers"
    references: bool = True
    latin_only: bool = False
    needs: Literal["", "encoder"] = ""
    version: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(metric.name for metric in self.metrics)
