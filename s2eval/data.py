"""Where documents come from: the folder `S2_DATA_DIR`, or the Hugging Face hub; nothing falls back silently.

Layout and field names are those of the hub data sets (docs/data.md); each benchmark's rows are in `s2eval.tasks`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from s2eval.errors import DataError, PrerequisiteError
from s2eval.files import jsonl

VARIABLE = "S2_DATA_DIR"

Text = Annotated[str, StringConstraints(min_length=1)]


class Row(BaseModel):
    """One line of a data set, checked."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    def texts(self) -> tuple[str, ...]:
        """The question, then what answers it correctly: what training data must not contain."""
        raise NotImplementedError


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Source(Generic[R]):
    """A data set: its folder below `S2_DATA_DIR`, the model of its lines, its repository and configuration on the hub.

    `hint` says how to get the files where the hub has none.
    """

    folder: str
    row: type[R]
    hub: str | None = None
    hub_config: str | None = None
    hint: str = ""

    def part(self, name: str) -> Source[R]:
        """The source of one part, e.g. an MMLU subject; its hub configuration has the part's name."""
        return Source(f"{self.folder}/{name}", self.row, self.hub, name, self.hint)


def directory() -> Path | None:
    """The folder that `S2_DATA_DIR` names, else DataError; None for the hub."""
    value = os.environ.get(VARIABLE)
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.is_dir():
        raise DataError(f"{VARIABLE}={value}: no such folder. Unset it to read from the hub")
    return path


def load(source: Source[R], split: str, root: Path | None) -> list[R]:
    """All rows of one split (`train`, `validation`, `test` or `dev`), checked; `root` None reads from the hub.

    Raises:
        DataError: no such file, or an invalid line: file, line number and field.
        PrerequisiteError: the hub cannot be reached.
    """
    if root is None:
        return _load_hub(source, split)
    path = root / source.folder / f"{split}.jsonl"
    if not path.is_file():
        config = f", configuration {source.hub_config}" if source.hub_config else ""
        instead = f"without it the hub's {source.hub}{config} is read" if source.hub else source.hint
        raise DataError(f"{path}: no such file (the folder is what {VARIABLE} says; {instead})")
    rows = [_parse(source, f"{path}, line {number}", record) for number, record in jsonl.records(path)]
    if not rows:
        raise DataError(f"{path}: no rows")
    return rows


def _parse(source: Source[R], where: str, record: object) -> R:
    try:
        return source.row.model_validate(record)
    except ValidationError as error:
        raise DataError(f"{where}: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """A pydantic error in a line: `field: what is wrong`, several separated by semicolons."""
    parts: list[str] = []
    for item in error.errors(include_url=False):
        field = ".".join(str(step) for step in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        parts.append(f"{field}: {message}" if field else message)
    return "; ".join(parts)


def _load_hub(source: Source[R], split: str) -> list[R]:
    if source.hub is None:
        raise DataError(f"the data set {source.folder!r} is not on the hub: set {VARIABLE}=DIR; {source.hint}")
    import datasets

    try:
        rows = datasets.load_dataset(source.hub, source.hub_config, split=split)
    except Exception as error:  # the library raises a dozen unrelated classes when offline
        raise PrerequisiteError(
            f"cannot read {source.hub} ({split}) from the Hugging Face hub: {error}. "
            f"Check the network, or set {VARIABLE} to a folder with {source.folder}/{split}.jsonl"
        ) from error
    plain = map(json.loads, map(json.dumps, rows))  # the types that a file has
    return [_parse(source, f"{source.hub} {split}, row {number}", row) for number, row in enumerate(plain)]
