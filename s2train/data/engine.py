"""Where the pure steps run: in this process, in several, or on Ray. What comes out is the same, in the same order."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from s2eval import paths
from s2eval.errors import PrerequisiteError, S2Error, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")

NAMES = ("local", "ray")

AHEAD = 3  # items that wait for each process, so that none is idle
_WINDOW = 256  # items that a Ray data set holds: they are in the object store at once


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of that size, the last one shorter; `itertools.batched` is new in Python 3.12."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


class Engine(Protocol):
    """Maps a picklable pure function (of a module, or a `partial` of one) over items, few in memory at a time."""

    @property
    def processes(self) -> int:
        """For steps that start processes of their own on this machine."""
        ...

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results in the order of the items.

        Raises:
            PrerequisiteError: a process was killed; and what `function` or `items` raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class Local:
    """This machine; with one process, this one.

    Processes are spawned, as threads do not survive a fork: a script with several needs `if __name__ == "__main__"`.
    """

    processes: int = 1

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise UsageError(f"at least one process is needed, not {self.processes}")

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        if self.processes == 1:
            yield from map(function, items)
            return
        pool = ProcessPoolExecutor(self.processes, get_context("spawn"), _begin_worker)
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > AHEAD * self.processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise PrerequisiteError(
                "a worker process was killed (out of memory?); the same command with fewer --processes needs less. "
                'A script needs `if __name__ == "__main__":` around what it does'
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for ever."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


HERE = Local()


@dataclass(frozen=True, slots=True)
class Ray:
    """A Ray cluster, through Ray Data: the one at `address` or RAY_ADDRESS, else a new one on this machine.

    Items and results travel pickled, so that Ray does not change them.
    """

    processes: int = 1
    address: str | None = None

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        data = self._connected()
        run = _Pickled(function)
        for window in batched(({"item": pickle.dumps(item)} for item in items), _WINDOW):
            # A block an item: a block's rows would wait for one another.
            results = data.from_items(window, override_num_blocks=len(window)).map(run)
            for row in results.iter_rows():
                result = pickle.loads(row["result"])
                if isinstance(result, S2Error):
                    raise result
                yield result

    def _connected(self) -> Any:
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise PrerequisiteError(
                f"--engine ray needs a package that is not installed ({error}): {paths.install_command('ray')}"
            ) from error
        if not ray.is_initialized():
            # Without an address Ray would look for a cluster that may have ended, and wait for it for minutes.
            address = self.address or os.environ.get("RAY_ADDRESS") or "local"
            try:
                ray.init(address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise PrerequisiteError(f"--engine ray: no cluster: {' '.join(str(error).split())}") from error
        for handler in logging.getLogger("ray.data").handlers:
            if isinstance(handler, logging.StreamHandler):  # else three lines a map; its file has them
                handler.setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        return ray.data


@dataclass(frozen=True, slots=True)
class _Pickled:
    function: Callable[[Any], Any]

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"result": pickle.dumps(self.function(pickle.loads(row["item"])))}
        except S2Error as error:  # Ray would wrap it in its own
            return {"result": pickle.dumps(error)}


def open_engine(name: str, processes: int | None = None) -> Engine:
    """The engine of that name (UsageError: no such); by default a process for each CPU that this one may use."""
    if name not in NAMES:
        raise UsageError(f"unknown engine {name!r}; there are {' and '.join(NAMES)}")
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return Local(processes or cpus) if name == "local" else Ray(processes or cpus)
