"""Shards written one after the other, hashed along the way, so that a killed run goes on where it was.

They are written into a hidden folder beside the one asked for. A shard gets its name when it is whole and on the disk;
its hash then stands in a journal beside the hidden folder. The next run keeps the shards whose bytes still have it.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from s2eval import store
from s2eval.errors import PrerequisiteError
from s2train.checkpoint import Quantization
from s2train.merge import delta
from s2train.merge.adapters import Adapter
from s2train.merge.methods import MergeMethod
from s2train.merge.plan import Plan, Step
from s2train.merge.workers import Workers
from s2train.weights import header, tensors

_WAITING = 4  # pieces that are written but not hashed yet, at most
_BEGIN = 64 << 20  # bytes after which the disk is asked to begin, so that less is left for the end
_SPARE = 64 << 20  # bytes for tokenizer and the like
Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Written:
    """A shard on the disk."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Journal:
    """What a hidden folder holds already.

    Attributes:
        folder: the hidden one.
        path: of the journal itself.
        key: of everything that determines the bytes.
        shards: those that are whole, by name.
    """

    folder: Path
    path: Path
    key: str
    shards: Mapping[str, Written]

    def with_shard(self, name: str, written: Written) -> Journal:
        """The journal with one more, written to the disk."""
        shards = {**self.shards, name: written}
        about = {name: {"bytes": one.bytes, "sha256": one.sha256} for name, one in shards.items()}
        store.write_json(self.path, {"key": self.key, "shards": about})
        return replace(self, shards=shards)


def resume(folder: Path, path: Path, key: str) -> Journal:
    """The journal of an interrupted run for the same `key`, as far as its shards are what it says; else an empty one.

    A folder that was begun for something else is emptied.
    """
    found: dict[str, Written] = {}
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):  # the file may hold anything
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["key"] == key:
            found = {name: Written(one["bytes"], one["sha256"]) for name, one in told["shards"].items()}
    found = {name: one for name, one in found.items() if is_whole(folder / name, one)}
    with store.explain_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            if left.name not in found:
                left.unlink()
    return Journal(folder, path, key, found)


def is_whole(path: Path, written: Written) -> bool:
    """Whether a file has that length and hash."""
    if not path.is_file() or path.stat().st_size != written.bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == written.sha256


def size(steps: Sequence[Step]) -> int:
    """Bytes of a shard."""
    head, _ = header.placed(step.entry for step in steps)
    return len(head) + sum(step.entry.size for step in steps)


def check_space(plan: Plan, journal: Journal) -> None:
    """Raise PrerequisiteError if the disk cannot hold what is still to be written."""
    wanted = _SPARE + sum(size(steps) for name, steps in plan.files.items() if name not in journal.shards)
    free = shutil.disk_usage(journal.folder).free
    if free < wanted:
        raise PrerequisiteError(
            f"{journal.folder.parent}: {wanted / 1e9:.2f} GB are needed there, {free / 1e9:.2f} GB are free. Make "
            "room, or choose another disk with --out"
        )


def write(
    plan: Plan,
    journal: Journal,
    adapters: Sequence[Adapter],
    method: MergeMethod,
    how: Quantization,
    progress: Progress = lambda _: None,
) -> Journal:
    """Write the plan's shards that the journal does not have.

    Args:
        plan: what is written.
        journal: of the folder that it is written to.
        adapters: that the plan speaks of.
        method: how the adapters' change is added.
        how: the base's quantisation in training, for methods that need it.
        progress: told how many bytes were written since the last call.

    Returns:
        The journal with all of them.

    Raises:
        PrerequisiteError: no space, no permission, a base that cannot be read to its end; NaN or infinity.
    """
    with Workers() as workers, store.explain_os_errors(journal.folder):
        for name, steps in plan.files.items():
            if name in journal.shards:
                progress(journal.shards[name].bytes)
                continue
            head, entries = header.placed(step.entry for step in steps)
            by_name = {step.entry.name: step for step in steps}
            part = journal.folder / f"{name}.part"
            with Hashing(part) as file:
                file.write(head)
                progress(len(head))
                for entry in entries:
                    for piece in _bytes(by_name[entry.name], adapters, plan.rank, method, how, workers):
                        file.write(piece)
                        progress(len(piece))
            part.rename(journal.folder / name)
            journal = journal.with_shard(name, file.written)
    return journal


def _bytes(
    step: Step, adapters: Sequence[Adapter], rank: int, method: MergeMethod, how: Quantization, workers: Workers
) -> Iterator[bytearray | memoryview]:
    if step.copied:
        yield from delta.copied(step, workers)
        return
    for piece in delta.pieces(step, adapters, rank, method, how, workers):
        yield tensors.as_bytes(piece)


class Hashing:
    """A file being written; another thread hashes what is written. Flushed to the disk at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._digest = hashlib.sha256()
        self._waiting: queue.Queue[bytes | bytearray | memoryview | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._hash, daemon=True)
        self._file: BinaryIO | None = None
        self._bytes = self._begun = 0

    def __enter__(self) -> Hashing:
        self._file = self.path.open("wb", buffering=0)
        self._thread.start()
        return self

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes, which must not change afterwards."""
        assert self._file is not None
        view = memoryview(data)
        while len(view):
            view = view[self._file.write(view) :]
        self._bytes += len(data)
        self._waiting.put(data)
        if self._bytes - self._begun >= _BEGIN and hasattr(os, "posix_fadvise"):  # Linux begins to write what is dirty
            os.posix_fadvise(self._file.fileno(), self._begun, self._bytes - self._begun, os.POSIX_FADV_DONTNEED)
            self._begun = self._bytes

    def _hash(self) -> None:
        while (data := self._waiting.get()) is not None:
            self._digest.update(data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        try:
            if kind is None:
                os.fsync(self._file.fileno())
        finally:
            self._file.close()
            self._waiting.put(None)
            self._thread.join()

    @property
    def written(self) -> Written:
        """How much it was, and its hash; after the end."""
        return Written(self._bytes, self._digest.hexdigest())
