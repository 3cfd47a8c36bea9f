"""JSON lines in and out: errors name the file, the line and the field; files appear when complete."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import signal
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from s2eval.errors import DataError, PrerequisiteError
from s2eval.files import jsonl
from s2train.data.files.lines import Lines

if TYPE_CHECKING:
    from _hashlib import HASH


Model = TypeVar("Model", bound=BaseModel)
Record = TypeVar("Record", covariant=True)


@dataclass(slots=True, kw_only=True)
class Input(ABC, Generic[Record]):
    """Records to be read once. The counts and the hash are final when the iteration has ended.

    `dropped` are the records that the reader itself left out, by reason.
    """

    rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter[str])
    _hash: HASH = field(default_factory=hashlib.sha256)

    @property
    @abstractmethod
    def name(self) -> str:
        """Of the file, without the folders of this machine."""

    @property
    def sha256(self) -> str:
        """In hex: of the file's bytes as read, or of the rows as JSON where there is no file."""
        return self._hash.hexdigest()

    @abstractmethod
    def __iter__(self) -> Iterator[Record]: ...

    def entries(self) -> list[dict[str, object]]:
        """The input, or the files that it consists of, as a manifest names them."""
        return [{"name": self.name, "sha256": self.sha256, "records": self.rows}]


@dataclass(slots=True)
class Source(Input[Model]):
    """A JSONL file (UTF-8, plain, gzip or zstd; one object a line, empty lines ignored), or a pipe of one."""

    path: Path
    model: type[Model]

    def __iter__(self) -> Iterator[Model]:
        """Raise DataError if the file cannot be read, and at the first line that is not what `model` asks for."""
        lines = Lines(self.path, may_be_empty=True)
        self._hash = lines.hash
        for block in lines:
            for number, line in jsonl.numbered(block.split(b"\n"), start=lines.lines + 1):
                self.rows += 1
                try:
                    yield self.model.model_validate_json(line.rstrip())
                except ValidationError as error:
                    raise broken(error, f"{self.path}:{number}") from None

    @property
    def name(self) -> str:
        return self.path.name


def read_again(path: Path, model: type[Model], sha256: str) -> Iterator[Model]:
    """The records of a file of candidates whose hash another file has.

    Raises:
        DataError: a line is broken; or, at the end, the hash is another: a run was killed while it put the two files
            in place, or somebody has changed one.
    """
    source = Source(path, model)
    yield from source
    if source.sha256 != sha256:
        facts = path.with_suffix(".json").name
        raise DataError(f"{path}: not the file that {facts} describes; read it again, with --input")


def read_facts(path: Path, model: type[Model]) -> Model:
    """What the JSON file beside a file of candidates has of it.

    Raises:
        DataError: it is missing or broken.
    """
    facts = path.with_suffix(".json")
    try:
        return model.model_validate_json(facts.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"cannot read {facts}: {error}; read it again, with --input") from error


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
    _hash: HASH = field(default_factory=hashlib.sha256)

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
    """Write files of `folder` and of folders in it that appear, in the order of `names`, when the block ends well.

    Each is written to a hidden temporary file beside it and flushed to the disk first. After an exception, Ctrl-C too,
    the folder is as it was. A killed process leaves at worst hidden temporary files, which the next one removes; killed
    while it puts the files in place, some old beside some new.

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
        if not isinstance(error, OSError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise PrerequisiteError(f"no space left on the disk of {folder}: make room, then run it again") from error
        raise DataError(f"cannot write in {folder}: {error.strerror or error}; choose another --out") from error


def _clear(targets: Sequence[Path]) -> None:
    """Remove what processes that no longer run have left of the targets."""
    for target in targets:
        for temporary in target.parent.glob(f".{escape(target.name)}.*.tmp"):
            try:
                os.kill(int(temporary.name.split(".")[-2]), 0)
            except ProcessLookupError:
                temporary.unlink(missing_ok=True)
            except (OSError, ValueError, OverflowError):  # another user's, or not a process number
                continue


@contextmanager
def _uninterrupted() -> Generator[None, None, None]:
    """Ctrl-C takes effect when the block has ended."""
    received: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if before is None or threading.current_thread() is not threading.main_thread():
        yield  # no other thread is interrupted
        return
    signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if received:
        signal.raise_signal(signal.SIGINT)
