"""A lock file that only one process holds at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from s2eval.errors import PrerequisiteError, S2Error


@contextmanager
def exclusive(path: Path, message: str, error: type[S2Error] = PrerequisiteError) -> Iterator[None]:
    """Hold the lock file, which is removed at the end; the error with the message where another process holds it."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise error(message) from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file; it stays, and harms nobody
            path.unlink()  # while it is held: after that it may be another process's
        lock.release()
