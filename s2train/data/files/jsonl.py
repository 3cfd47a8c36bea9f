"""JSON lines in and out: reading names the file, the line and the field; files appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from s2eval.errors import DataError, PrerequisiteError
from s2eval.files import jsonl
from s2train.data.files.lines import Lines

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
            for number, line in jsonl.numbered(block.split(b"\n"), start=lines.lines + 1):
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


def read_again(path: Path, model: type[Model], sha256: str) -> Iterator[Model]:
    """The records of a file of candidates, of which another file tells the hash.

    Raises:
        DataError: a line is broken; or, when all are given, the hash is another: a run was killed while it put the
            two files in place, or somebody has changed one.
    """
    source = Source(path, model)
    yield from source
    if source.sha256 != sha256:
        told = path.with_suffix(".json").name
        raise DataError(f"{path}: not the file that {told} tells of; read it again, with --input")


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
    the order of `names`. After an exception, Ctrl-C too, the folder is as it was, or absent as it was. A killed
    process leaves at worst hidden temporary files, which the next one removes; killed while it puts the files in
    place, some old beside some new.

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
        _clear(targets)
        with ExitStack() as stack:
            sinks = tuple(Sink(stack.enter_context(path.open("wb"))) for path in temporary)
            yield sinks
            for sink in sinks:
                sink.file.flush()
                os.fsync(sink.file.fileno())
        with _uninterrupted():
            for path, target in zip(temporary, targets, strict=True):
                path.replace(target)
    except BaseException as error:
        for path in temporary:
            with suppress(OSError):
                path.unlink()
        for path in sorted(new_folders, reverse=True):  # innermost first
            with suppress(OSError):  # where something lies inside
                path.rmdir()
        if isinstance(error, OSError):
            raise _cannot_write(folder, error) from error
        raise


def _clear(targets: Sequence[Path]) -> None:
    """Remove what processes that live no more have left of the targets."""
    for target in targets:
        for left in target.parent.glob(f".{escape(target.name)}.*.tmp"):
            if not _lives(left.name.split(".")[-2]):
                left.unlink(missing_ok=True)


def _lives(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):  # somebody else's, or no number of a process
        return True
    return True


@contextmanager
def _uninterrupted() -> Generator[None, None, None]:
    """A Ctrl-C is heard when the block has ended."""
    heard: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if before is None or threading.current_thread() is not threading.main_thread():
        yield  # no other thread is interrupted
        return
    signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if heard:
        signal.raise_signal(signal.SIGINT)


def _cannot_write(folder: Path, error: OSError) -> DataError | PrerequisiteError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PrerequisiteError(f"no space left on the disk of {folder}: make room, then run it again")
    return DataError(f"cannot write in {folder}: {error.strerror or error}; choose another --out")
