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
from s2train.data.lines import Lines

Model = TypeVar("Model", bound=BaseModel)


@dataclass(slots=True)
class Source(Generic[Model]):
    """A JSONL file (UTF-8, plain, gzip or zstd; one object a line, empty lines ignored), read once, by records.

    It may be a pipe: `rows` and `sha256` are taken along the way and final when the iteration has ended.
    """

    path: Path
    model: type[Model]
    rows: int = 0
    _lines: Lines | None = None

    def __iter__(self) -> Iterator[Model]:
        """Raise DataError if the file cannot be read, and at the first line that is not what `model` asks for."""
        self._lines = lines = Lines(self.path, may_be_empty=True)
        for block in lines:
            for number, line in enumerate(block.split(b"\n"), start=lines.lines + 1):
                if line.strip():
                    self.rows += 1
                    yield _record(line, self.model, f"{self.path}:{number}")

    @property
    def name(self) -> str:
        """Of the file, without the folders of this machine."""
        return self.path.name

    @property
    def sha256(self) -> str:
        """Of the file's bytes as read, in hex."""
        return self._lines.sha256 if self._lines else ""


def _record(line: bytes, model: type[Model], where: str) -> Model:
    try:
        return model.model_validate_json(line.rstrip())
    except ValidationError as error:
        raise broken(error, where) from None


def broken(error: ValidationError, where: str) -> DataError:
    """The first thing that is wrong with a record, by its field."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        message = re.sub(r"at line \d+ (column \d+)", r"at \1", message.removeprefix("Invalid JSON: "))
        return DataError(f"{where}: broken JSON: {message}")
    if not first["loc"]:
        return DataError(f"{where}: {message}")
    name = ".".join(str(part) for part in first["loc"])
    return DataError(f"{where}: field {name!r}: {message}")


@dataclass(slots=True)
class Sink:
    """A file being written; counts what is a line of it and hashes its bytes."""

    file: BinaryIO
    rows: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    def write(self, value: object, *, indent: int | None = None) -> None:
        """Append a JSON value and a line end; the same value always gives the same bytes."""
        self.write_line((json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent) + "\n").encode())

    def write_line(self, line: bytes) -> None:
        """Append a line that is JSON already, with its end."""
        self.append(line)
        self.rows += 1

    def append(self, data: bytes) -> None:
        """Append bytes that are no line."""
        self.file.write(data)
        self._hash.update(data)

    @property
    def sha256(self) -> str:
        """Of the bytes written, in hex."""
        return self._hash.hexdigest()


@contextmanager
def replacing(folder: Path, names: Sequence[str]) -> Generator[tuple[Sink, ...], None, None]:
    """Write files of `folder` and of folders in it, made if need be, that appear when the block ends well.

    Each is written to a hidden temporary file beside it and flushed to the disk; then all are put in place, in
    the order of `names`. After an exception the folder is as it was, or absent as it was; a killed process
    leaves at worst hidden temporary files.

    Raises:
        DataError: the folder cannot be made or written.
        PrerequisiteError: the disk is full.
    """
    targets = [folder / name for name in names]
    temporary = [path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in targets]
    new_folders: list[Path] = []
    try:
        for parent in dict.fromkeys(path.parent for path in targets):
            new_folders += [path for path in (parent, *parent.parents) if not path.exists()]
            parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            sinks = tuple(Sink(stack.enter_context(path.open("wb"))) for path in temporary)
            yield sinks
            for sink in sinks:
                sink.file.flush()
                os.fsync(sink.file.fileno())
        for path, target in zip(temporary, targets, strict=True):
            path.replace(target)
    except BaseException as error:
        for path in temporary:
            with suppress(OSError):
                path.unlink()
        for path in sorted(
            new_folders, reverse=True
        ):  # innermost first; fails, as it should, where something lies inside
            with suppress(OSError):
                path.rmdir()
        if isinstance(error, OSError):
            raise _cannot_write(folder, error) from error
        raise


def _cannot_write(folder: Path, error: OSError) -> DataError | PrerequisiteError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PrerequisiteError(f"no space left on the disk of {folder}: make room, then run it again")
    return DataError(f"cannot write in {folder}: {error.strerror or error}; choose another --out")
