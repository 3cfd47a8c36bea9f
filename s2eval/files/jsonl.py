"""JSON Lines, read by one set of rules wherever they come from.

- A line ends at `\\n` (`\\r\\n` too) and nowhere else. U+2028, U+2029, U+0085 and the control characters at which
  `str.splitlines` splits may stand inside a JSON string, so lines are split as bytes, before they are decoded.
- Blank lines are skipped, but counted: line numbers are those of an editor.
- A byte order mark at the beginning of a line is skipped; within a file it comes from `cat`.
- The last line needs no line end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from s2eval.errors import DataError

BOM = b"\xef\xbb\xbf"
_BUFFER = 1 << 20  # bytes; a line of lm-eval's samples, with the shots of each choice, has tens of thousands
_FOREIGN = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf": "7-Zip",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
DecodeErrors = Literal["strict", "replace"]
"""Whether bytes that are not UTF-8 are an error or become U+FFFD."""


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a plain file that are not blank, with their numbers, from 1.

    Raises:
        DataError: the file cannot be read, is compressed, or is UTF-16.
    """
    try:
        with path.open("rb", buffering=_BUFFER) as file:
            for number, line in numbered(file):
                if number == 1:
                    check_plain(path, line)
                yield number, line
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def numbered(raw_lines: Iterable[bytes], start: int = 1) -> Iterator[tuple[int, bytes]]:
    """Lines, split at `\\n`, that are not blank, with their numbers; without byte order marks and line ends."""
    for number, line in enumerate(raw_lines, start):
        content = line.removeprefix(BOM).rstrip(b"\r\n")
        if content and not content.isspace():
            yield number, content


def parse(line: bytes, errors: DecodeErrors = "strict") -> Any:
    """The value of a line; ValueError, with what is wrong in words, where it is not JSON or not UTF-8."""
    try:
        return json.loads(line.decode("utf-8", errors))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}, column {error.colno})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text ({error})") from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, brackets 1,000 deep
        raise ValueError(f"not JSON ({error})") from error


def records(path: Path, errors: DecodeErrors = "strict") -> Iterator[tuple[int, Any]]:
    """The values of a plain file's lines, with the lines' numbers; DataError also where a line is not JSON."""
    for number, line in lines(path):
        try:
            yield number, parse(line, errors)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}") from error


def check_plain(path: Path, head: bytes, expected: str = "plain UTF-8") -> None:
    """Raise DataError where a file's first bytes are those of an archive or of UTF-16."""
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            raise DataError(f"{path}: {name}, where {expected} is expected; convert it first")
