"""What records are read from: JSON lines (plain, gzip, zstd), parquet, or a data set of the Hugging Face hub."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from s2eval.errors import DataError, PrerequisiteError
from s2train.data.files.jsonl import Input, Source, broken

Model = TypeVar("Model", bound=BaseModel)

HUB = "hub:"

_PARQUET = b"PAR1"
_ROWS = 1000  # of parquet at a time


def open_input(text: str, model: type[Model]) -> Input[Model]:
    """A file, whose first bytes and not its name tell what it is, or `hub:NAME[:CONFIGURATION]`. Nothing is read yet.

    Raises:
        DataError: the file cannot be read.
    """
    if text.startswith(HUB):
        return Hub(text.removeprefix(HUB), model)
    path = Path(text)
    return Parquet(path, model) if is_parquet(path) else Source(path, model)


class _AnyRecord(BaseModel):
    model_config = ConfigDict(extra="allow")


def first_row(text: str) -> dict[str, object]:
    """The fields of an input's first record.

    Raises:
        DataError: there is none, it is no object, or the input is a pipe, which would not give it again.
    """
    if not text.startswith(HUB) and Path(text).is_fifo():
        raise DataError(
            f"{text}: a pipe is read only once, and its first record tells what it holds; write it to a file"
        )
    for record in open_input(text, _AnyRecord):
        return record.model_extra or {}
    raise DataError(f"{text}: no records")


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
class Parquet(Input[Model]):
    """A parquet file whose columns are the model's fields; others are ignored."""

    path: Path
    model: type[Model]

    @property
    def name(self) -> str:
        return self.path.name

    def __iter__(self) -> Iterator[Model]:
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
class Hub(Input[Model]):
    """All splits of a data set of the hub (or of a folder that `datasets` can load), one after the other, streamed."""

    text: str
    model: type[Model]

    @property
    def name(self) -> str:
        name, colon, configuration = self.text.partition(":")
        return f"{HUB}{Path(name).name if Path(name).is_dir() else name}{colon}{configuration}"

    def __iter__(self) -> Iterator[Model]:
        """Raise DataError where the data set cannot be read, and at the first row that is not what `model` asks for."""
        try:
            from datasets import load_dataset  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
        except ImportError as error:
            raise PrerequisiteError(
                f"{self.name} needs a package that is not installed ({error}): pip install datasets"
            ) from error
        name, _, configuration = self.text.partition(":")
        splits: Mapping[str, Iterable[Mapping[str, object]]]
        try:
            splits = load_dataset(name, configuration or None, streaming=True)  # type: ignore[assignment]
        except Exception as error:  # the library's, pyarrow's, the network's
            raise DataError(f"{self.name}: cannot be loaded: {' '.join(str(error).split())}") from error
        for split, rows in splits.items():
            for number, row in enumerate(self._read(split, rows), start=1):
                self._hash.update(json.dumps(row, sort_keys=True, default=str).encode())
                self.rows += 1
                yield _record(row, self.model, f"{self.name}: {split}, row {number}")

    def _read(self, split: str, rows: Iterable[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
        try:
            yield from rows
        except Exception as error:  # as above; files are opened only now
            raise DataError(f"{self.name}: {split} cannot be read: {' '.join(str(error).split())}") from error


def _record(row: Mapping[str, object], model: type[Model], where: str) -> Model:
    try:
        return model.model_validate(row)
    except ValidationError as error:
        raise broken(error, where) from None
