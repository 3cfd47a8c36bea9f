"""Shards written one after the other and hashed on the way, so that a killed run resumes where it was.

They are written into a hidden folder beside the merged model's. A shard gets its name when it is complete and on the
disk; its hash then stands in a journal beside the hidden folder. The next run keeps the shards whose bytes still match.
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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from s2eval import store
from s2eval.errors import PrerequisiteError
from s2train.checkpoint import sha256
from s2train.merge.plan import Plan, Step
from s2train.weights import header

_WAITING = 4  # chunks that are written but not hashed yet, at most
_FLUSH = 64 << 20  # bytes after which the disk is asked to begin, so that less is left for the end
_SPARE = 64 << 20  # bytes for tokenizer and the like
Progress = Callable[[int], object]
Chunk = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Written:
    """A shard on the disk."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Journal:
    """The complete shards of a hidden folder, and the key of everything that determines their bytes."""

    folder: Path
    path: Path
    key: str
    shards: Mapping[str, Written]

    def with_shard(self, name: str, written: Written) -> Journal:
        """The journal with one more shard, written to the disk."""
        shards = {**self.shards, name: written}
        store.write_json(self.path, {"key": self.key, "shards": {name: asdict(shards[name]) for name in shards}})
        return replace(self, shards=shards)


def resume(folder: Path, path: Path, key: str) -> Journal:
    """The journal of an interrupted run for the same `key`, with the shards that still match it; else an empty one.

    Everything else in the folder is deleted.
    """
    shards: dict[str, Written] = {}
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):  # the file may hold anything
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["key"] == key:
            shards = {name: Written(shard["bytes"], shard["sha256"]) for name, shard in stored["shards"].items()}
    shards = {name: shard for name, shard in shards.items() if is_complete(folder / name, shard)}
    with store.explain_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            if file.name not in shards:
                file.unlink()
    return Journal(folder, path, key, shards)


def is_complete(path: Path, written: Written) -> bool:
    """Whether a file has that length and hash."""
    return path.is_file() and path.stat().st_size == written.bytes and sha256(path) == written.sha256


def size(steps: Sequence[Step]) -> int:
    """Bytes of a shard."""
    head, _ = header.placed(step.entry for step in steps)
    return len(head) + sum(step.entry.size for step in steps)


def write(plan: Plan, journal: Journal, chunks: Callable[[Step], Iterator[Chunk]], progress: Progress) -> Journal:
    """Write the plan's shards that the journal does not have.

    Args:
        chunks: the bytes of a tensor.
        progress: called with the number of bytes written since the last call.

    Returns:
        The journal with all of them.

    Raises:
        PrerequisiteError: no space, no permission, a base that cannot be read to its end; NaN or infinity.
    """
    needed = _SPARE + sum(size(steps) for name, steps in plan.files.items() if name not in journal.shards)
    free = shutil.disk_usage(journal.folder).free
    if free < needed:
        raise PrerequisiteError(
            f"{journal.folder.parent}: {needed / 1e9:.2f} GB are needed there, {free / 1e9:.2f} GB are free. Make "
            "room, or choose another disk with --out"
        )
    with store.explain_os_errors(journal.folder):
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
                    for chunk in chunks(by_name[entry.name]):
                        file.write(chunk)
                        progress(len(chunk))
            part.rename(journal.folder / name)
            journal = journal.with_shard(name, file.written)
    return journal


class Hashing:
    """A file being written; another thread hashes what is written. Flushed to the disk at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._digest = hashlib.sha256()
        self._waiting: queue.Queue[Chunk | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._hash, daemon=True)
        self._file: BinaryIO | None = None
        self._bytes = self._flushed = 0

    def __enter__(self) -> Hashing:
        self._file = self.path.open("wb", buffering=0)
        self._thread.start()
        return self

    def write(self, data: Chunk) -> None:
        """Append bytes, which must not change afterwards."""
        assert self._file is not None
        view = memoryview(data)
        while len(view):
            view = view[self._file.write(view) :]
        self._bytes += len(data)
        self._waiting.put(data)
        if self._bytes - self._flushed >= _FLUSH and hasattr(os, "posix_fadvise"):  # Linux begins to write dirty pages
            os.posix_fadvise(self._file.fileno(), self._flushed, self._bytes - self._flushed, os.POSIX_FADV_DONTNEED)
            self._flushed = self._bytes

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
        """Length and hash, after the end."""
        return Written(self._bytes, self._digest.hexdigest())
