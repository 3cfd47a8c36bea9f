"""A lock file that only one process holds at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from s2eval.errors import PrerequisiteError


@contextmanager
def exclusive(path: Path, message: str) -> Iterator[None]:
    """Hold the lock file, which is removed at the end; PrerequisiteError with the message where another holds it."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PrerequisiteError(message) from None
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            path.unlink()
