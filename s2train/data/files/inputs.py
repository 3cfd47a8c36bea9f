"""What records are read from: JSON lines (plain, gzip, zstd), parquet, or a data set of the Hugging Face hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from s2eval.errors import DataError, PrerequisiteError
from s2train.data.files.jsonl import Source, broken

Model = TypeVar("Model", bound=BaseModel, covariant=True)
Checked = TypeVar("Checked", bound=BaseModel)

HUB = "hub:"

_PARQUET = b"PAR1"
_ROWS = 1000  # of parquet at a time


class Told(Protocol):
    """What a manifest tells of an input; `rows` and `sha256` are final when it has been read."""

    @property
    def name(self) -> str:
        """Without the folders of this machine."""
        ...

    @property
    def rows(self) -> int: ...

    @property
    def sha256(self) -> str:
        """Of the file's bytes; of the rows as JSON where there is no file."""
        ...


class Input(Told, Protocol[Model]):
    """Records to be read once."""

    def __iter__(self) -> Iterator[Model]: ...


def entry(one: Told) -> dict[str, Any]:
    """An input that was read, as a manifest tells it."""
    return {"name": one.name, "sha256": one.sha256, "records": one.rows}


def open_input(text: str, model: type[Checked]) -> Input[Checked]:
    """A file, told by its first bytes and not by its name, or `hub:NAME[:CONFIGURATION]`. Nothing is read yet.

    Raises:
        DataError: the file cannot be read.
    """
    if text.startswith(HUB):
        return Hub(text.removeprefix(HUB), model)
    path = Path(text)
    return Parquet(path, model) if is_parquet(path) else Source(path, model)


def first_row(text: str) -> dict[str, Any]:
    """The fields of an input's first record.

    Raises:
        DataError: there is none, it is no object, or the input is a pipe, which would not give it again.
    """
    if not text.startswith(HUB) and Path(text).is_fifo():
        raise DataError(
            f"{text}: a pipe is read only once, and its first record tells what it holds; write it to a file"
        )
    try:
        return next(iter(open_input(text, _Any))).model_extra or {}
    except StopIteration:
        raise DataError(f"{text}: no records") from None


class _Any(BaseModel):
    model_config = ConfigDict(extra="allow")


def is_parquet(path: Path) -> bool:
    """Whether a file begins as parquet does; a pipe never does.

    Raises:
        DataError: it cannot be read.
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(_PARQUET)) == _PARQUET
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


@dataclass(slots=True)
class Parquet(Generic[Checked]):
    """A parquet file whose columns are the model's fields; others are ignored."""

    path: Path
    model: type[Checked]
    rows: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[Checked]:
        """Raise DataError if the file is damaged, and at the first row that is not what `model` asks for."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self.path.open("rb") as file:
                while chunk := file.read(2**20):
                    self._hash.update(chunk)
                with pq.ParquetFile(file) as table:
                    for batch in table.iter_batches(_ROWS):
                        for row in batch.to_pylist():
                            self.rows += 1
                            yield _record(row, self.model, f"{self.path}: row {self.rows}")
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {self.path}: {' '.join(str(error).split())}") from error


@dataclass(slots=True)
class Hub(Generic[Checked]):
    """All splits of a data set of the hub (or of a folder that `datasets` can load), one after the other, streamed."""

    text: str
    model: type[Checked]
    rows: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    @property
    def name(self) -> str:
        name, colon, configuration = self.text.partition(":")
        return f"{HUB}{Path(name).name if Path(name).is_dir() else name}{colon}{configuration}"

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[Checked]:
        """Raise DataError where the data set cannot be read, and at the first row that is not what `model` asks for."""
        try:
            from datasets import load_dataset  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
        except ImportError as error:
            raise PrerequisiteError(
                f"{self.name} needs a package that is not installed ({error}): pip install datasets"
            ) from error
        name, _, configuration = self.text.partition(":")
        try:
            splits: Mapping[str, Any] = load_dataset(name, configuration or None, streaming=True)  # type: ignore[assignment]
        except Exception as error:  # the library's, pyarrow's, the network's
            raise DataError(f"{self.name}: cannot be loaded: {' '.join(str(error).split())}") from error
        for split, rows in splits.items():
            for number, row in enumerate(self._read(split, rows), start=1):
                self._hash.update(json.dumps(row, sort_keys=True, default=str).encode())
                self.rows += 1
                yield _record(row, self.model, f"{self.name}: {split}, row {number}")

    def _read(self, split: str, rows: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
        try:
            yield from rows
        except Exception as error:  # as above; files are opened only now
            raise DataError(f"{self.name}: {split} cannot be read: {' '.join(str(error).split())}") from error


def _record(row: Mapping[str, Any], model: type[Checked], where: str) -> Checked:
    try:
        return model.model_validate(row)
    except ValidationError as error:
        raise broken(error, where) from None
