"""What a simulation finds: how often an interval holds the truth, how often a test of equal models rejects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.batched import Bounds
from benchmarks.scores import Kind

Floats = NDArray[np.float64]
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """One share that was found.

    Attributes:
        study: which part of the tables.
        setting: what was drawn: n, distribution, p, …
        what: `coverage`, or `rejections` of equal models.
        method: of the interval or the test.
        share: of the experiments, or of probability where `exact`.
        exact: computed over all outcomes.
        marks: of what was drawn: see `Kind`.
    """

    study: str
    setting: Mapping[str, Any]
    what: str
    method: str
    share: float
    exact: bool = False
    marks: frozenset[str] = field(default_factory=frozenset[str])


def covered(bounds: Bounds, truth: Any) -> Floats:
    """1 where the interval holds the truth."""
    low, high = bounds
    return ((low <= truth + 1e-12) & (truth - 1e-12 <= high)).astype(np.float64)


def rejected(p: Any) -> Floats:
    """1 where a test at 5% rejects."""
    return (np.asarray(p) <= LEVEL + 1e-12).astype(np.float64)


def coverage(
    study: str, setting: Mapping[str, Any], bounds: Mapping[str, Bounds], truth: float = 0.0, kind: Kind | None = None
) -> Iterator[Finding]:
    """One finding a method."""
    for method, interval in bounds.items():
        share = float(covered(interval, truth).mean())
        yield Finding(study, setting, "coverage", method, share, marks=_marks(kind))


def rejections(
    study: str, setting: Mapping[str, Any], tests: Mapping[str, Any], kind: Kind | None = None
) -> Iterator[Finding]:
    """One finding a test."""
    for method, p in tests.items():
        share = float(rejected(p).mean())
        yield Finding(study, setting, "rejections", method, share, marks=_marks(kind))


def _marks(kind: Kind | None) -> frozenset[str]:
    if kind is None:
        return frozenset({"symmetric"})
    named = {"symmetric": kind.symmetric, "ordinary": kind.ordinary, "discrete": kind.discrete, "shares": kind.shares}
    return frozenset(name for name, holds in named.items() if holds)
