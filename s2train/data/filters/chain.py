"""Filters one after the other: over one batch, and over any number of pairs in several processes."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from s2eval.errors import S2Error, UsageError
from s2train.data.records import Pair

if TYPE_CHECKING:
    from concurrent.futures import Future

Limits = TypeVar("Limits")

BATCH = 512  # pairs at once, whatever the number of processes
AHEAD = 2  # batches that wait for each process, so that none is idle


@dataclass(frozen=True, slots=True)
class Filter:
    """A name, and a pure function of pairs to the reasons for which they are left out (None = kept).

    What is said of a pair depends on it alone, not on those beside it. It must be picklable: a function of a module,
    or a `partial` of one.
    """

    name: str
    reasons: Callable[[Sequence[Pair]], Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which filter dropped a pair, and why."""

    filter: str
    reason: str


def one_by_one(
    reason: Callable[[Pair, Limits], str | None],
) -> Callable[[Sequence[Pair], Limits], list[str | None]]:
    """A function of one pair as one of many."""
    return partial(_each, reason)


def _each(reason: Callable[[Pair, Limits], str | None], pairs: Sequence[Pair], limits: Limits) -> list[str | None]:
    return [reason(pair, limits) for pair in pairs]


def verdicts(pairs: Sequence[Pair], filters: Sequence[Filter]) -> list[Verdict | None]:
    """Of each pair the first filter that drops it, in order; None = all keep it. A filter sees what those before it
    kept."""
    found: list[Verdict | None] = [None] * len(pairs)
    left = list(range(len(pairs)))
    for one in filters:
        reasons = one.reasons([pairs[i] for i in left]) if left else ()
        for i, reason in zip(left, reasons, strict=True):
            if reason is not None:
                found[i] = Verdict(one.name, reason)
        left = [i for i in left if found[i] is None]
    return found


def judged(
    pairs: Iterable[Pair], filters: Sequence[Filter], *, processes: int = 1
) -> Generator[tuple[Pair, Verdict | None], None, None]:
    """Every pair with its verdict, in the order of the pairs, and the same whatever the number of processes.

    A few batches are in memory at a time; `pairs` is read as they are worked off. A script that asks for several
    processes needs Python's `if __name__ == "__main__":`, for each process imports it.

    Raises:
        UsageError: fewer than one process.
        S2Error: a process ended before its work; and whatever a filter raises.
    """
    if processes < 1:
        raise UsageError(f"filters need one process at least, not {processes}")
    batches = _batches(pairs)
    if processes == 1:
        for batch in batches:
            yield from zip(batch, verdicts(batch, filters), strict=True)
        return
    from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor

    # spawn, not fork: this process may have threads (torch, tokenizers), which a fork does not survive.
    # Ctrl-C reaches every process of the terminal; only this one answers it.
    pool = ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)
    )
    waiting: deque[tuple[list[Pair], Future[list[Verdict | None]]]] = deque()
    try:
        for batch in batches:
            waiting.append((batch, pool.submit(verdicts, batch, filters)))
            if len(waiting) > AHEAD * processes:
                first, future = waiting.popleft()
                yield from zip(first, future.result(), strict=True)
        for first, future in waiting:
            yield from zip(first, future.result(), strict=True)
    except BrokenProcessPool as error:
        raise S2Error(
            "filters: a process of their own ended before its work (out of memory?). A script needs "
            '`if __name__ == "__main__":` around what it does; with processes=1 none is started'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _batches(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    source = iter(pairs)
    while batch := list(islice(source, BATCH)):
        yield batch
