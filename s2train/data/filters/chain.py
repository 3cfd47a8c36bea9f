"""Filters one after the other: over one batch, and over any number of pairs on an engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from s2train.data.engine import HERE, Engine, batched
from s2train.data.records import Pair

Limits = TypeVar("Limits")

BATCH = 512  # pairs at once, on whatever engine


@dataclass(frozen=True, slots=True)
class Filter:
    """A name, and a pure function of pairs to the reasons for which they are left out (None = kept).

    The reason of a pair depends on it alone. The function must be picklable: of a module, or a `partial` of one.
    """

    name: str
    reasons: Callable[[Sequence[Pair]], Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which filter dropped a pair, and why."""

    filter: str
    reason: str


def one_by_one(reason: Callable[[Pair, Limits], str | None]) -> Callable[[Sequence[Pair], Limits], list[str | None]]:
    """A function of one pair as one of many."""
    return partial(_each, reason)


def _each(reason: Callable[[Pair, Limits], str | None], pairs: Sequence[Pair], limits: Limits) -> list[str | None]:
    return [reason(pair, limits) for pair in pairs]


def verdicts(pairs: Sequence[Pair], filters: Sequence[Filter]) -> list[Verdict | None]:
    """Of each pair the first filter that drops it, in order; None = all keep it. A filter sees what those before it
    kept."""
    results: list[Verdict | None] = [None] * len(pairs)
    left = list(range(len(pairs)))
    for filter in filters:
        reasons = filter.reasons([pairs[i] for i in left]) if left else ()
        for i, reason in zip(left, reasons, strict=True):
            if reason is not None:
                results[i] = Verdict(filter.name, reason)
        left = [i for i in left if results[i] is None]
    return results


def judged(
    pairs: Iterable[Pair], filters: Sequence[Filter], engine: Engine = HERE
) -> Iterator[tuple[Pair, Verdict | None]]:
    """Every pair with its verdict, in the order of the pairs; a few batches are in memory at a time."""
    waiting: deque[list[Pair]] = deque()

    def batches() -> Iterator[list[Pair]]:
        for batch in batched(pairs, BATCH):
            waiting.append(batch)
            yield batch

    for results in engine.map(partial(verdicts, filters=filters), batches()):
        yield from zip(waiting.popleft(), results, strict=True)
