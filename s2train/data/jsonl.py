"""JSON lines in and out: reading names the file, the line and the field; files appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from s2eval.errors import DataError, PrerequisiteError

Model = TypeVar("Model", bound=BaseModel)

_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Source(Generic[Model]):
    """A JSONL file to be read (UTF-8, one object a line, empty lines ignored), once, a record at a time.

    It may be a pipe: `rows` and `sha256` are taken along the way and final when the iteration has ended.
    """

    path: Path
    model: type[Model]
    rows: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    def __iter__(self) -> Iterator[Model]:
        """Raise DataError if the file cannot be read, and at the first line that is not what `model` asks for."""
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    self._hash.update(line)
                    text = line.removeprefix(_BOM) if number == 1 else line
                    if text.strip():
                        self.rows += 1
                        yield _record(text, self.model, f"{self.path}:{number}")
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror or error}") from error

    @property
    def sha256(self) -> str:
        """Of the bytes read, in hex."""
        return self._hash.hexdigest()


def _record(line: bytes, model: type[Model], where: str) -> Model:
    try:
        return model.model_validate_json(line.rstrip())
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "json_invalid":
            message = re.sub(r"at line \d+ (column \d+)", r"at \1", message.removeprefix("Invalid JSON: "))
            raise DataError(f"{where}: broken JSON: {message}") from None
        if not first["loc"]:
            raise DataError(f"{where}: {message}") from None
        name = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{where}: field {name!r}: {message}") from None


@dataclass(slots=True)
class Sink:
    """A file being written; counts its JSON values and hashes its bytes."""

    file: BinaryIO
    rows: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    def write(self, value: object, *, indent: int | None = None) -> None:
        """Append a JSON value and a line end; the same value always gives the same bytes."""
        data = (json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent) + "\n").encode()
        self.file.write(data)
        self._hash.update(data)
        self.rows += 1

    @property
    def sha256(self) -> str:
        """Of the bytes written, in hex."""
        return self._hash.hexdigest()


@contextmanager
def replacing(folder: Path, names: Sequence[str]) -> Generator[tuple[Sink, ...], None, None]:
    """Write files of `folder`, made if need be, that appear only when the block ends without an exception.

    Each is written to a hidden temporary file beside it and flushed to the disk; then all are put in place, in
    the order of `names`. After an exception the folder is as it was, or absent as it was; a killed process
    leaves at worst hidden temporary files.

    Raises:
        DataError: the folder cannot be made or written.
        PrerequisiteError: the disk is full.
    """
    temporary = [folder / f".{name}.{os.getpid()}.tmp" for name in names]
    new_folders: list[Path] = []
    try:
        new_folders = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            sinks = tuple(Sink(stack.enter_context(path.open("wb"))) for path in temporary)
            yield sinks
            for sink in sinks:
                sink.file.flush()
                os.fsync(sink.file.fileno())
        for path, name in zip(temporary, names, strict=True):
            path.replace(folder / name)
    except BaseException as error:
        for path in temporary:
            with suppress(OSError):
                path.unlink()
        for path in new_folders:  # innermost first; fails, as it should, where something lies inside
            with suppress(OSError):
                path.rmdir()
        if isinstance(error, OSError):
            raise _cannot_write(folder, error) from error
        raise


def _cannot_write(folder: Path, error: OSError) -> DataError | PrerequisiteError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PrerequisiteError(f"no space left on the disk of {folder}: make room, then run it again")
    return DataError(f"cannot write in {folder}: {error.strerror or error}; choose another --out")
