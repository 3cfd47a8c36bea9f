"""Where the libraries' own bars and warnings go while a run works."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TextIO

NAME = ".run.log"


class LogFile(io.TextIOBase):
    """A text file that is opened at the first line, once its folder exists; updates of bars are left out."""

    encoding = "utf-8"  # pyright: ignore[reportAssignmentType], a property there

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._waiting: list[str] = []

    def write(self, text: str, /) -> int:
        if not text.startswith("\r") and text.strip("\n"):
            self._waiting.append(text.rstrip("\n") + "\n")
        if self._file is None and self._waiting and self._path.parent.is_dir():
            try:
                self._file = self._path.open("a", encoding=self.encoding, errors="replace")
            except OSError:  # a folder that cannot be written fails where the results are
                return len(text)
        if self._file is not None:
            self._file.writelines(self._waiting)
            self._file.flush()
            self._waiting.clear()
        return len(text)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


@contextmanager
def quiet_libraries(folder: Path) -> Iterator[None]:
    """Send what the block prints to the folder's log file."""
    with LogFile(folder / NAME) as log, redirect_stdout(log), redirect_stderr(log):
        yield
