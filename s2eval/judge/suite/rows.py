"""JSON Lines files read strictly; all errors of a file are reported together, by line and field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from s2eval.data import describe
from s2eval.errors import DataError
from s2eval.files import jsonl

QuestionId = int | str
_SHOWN = 10  # problems of a file, and ids in one of them


class Problems:
    """The errors of a file, collected to be reported together."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._problems: list[tuple[float, str]] = []

    def __bool__(self) -> bool:
        return bool(self._problems)

    def add(self, line: int | None, problem: str) -> None:
        """`line` counts from 1; None stands for the complete file."""
        self._problems.append((line or float("inf"), f"line {line}: {problem}" if line else problem))

    def check(self) -> None:
        """Raise a DataError with the first ten, in the order of the lines, if there are any."""
        if not self._problems:
            return
        ordered = [text for _, text in sorted(self._problems, key=lambda problem: problem[0])]
        shown, hidden = ordered[:_SHOWN], len(ordered) - _SHOWN
        if hidden > 0:
            shown.append(f"and {hidden} more")
        noun = "error" if len(ordered) == 1 else "errors"
        raise DataError(f"{self.path}: {len(ordered)} {noun}" + "".join(f"\n  {text}" for text in shown))


class FileRow(BaseModel):
    """A line of a file: types as JSON has them (`"7"` is not a number), other fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


def _question_id(value: object) -> QuestionId:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ValueError("must be a number or a text")
    return _encodable(value) if isinstance(value, str) else value


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON's "\ud83d" alone: nothing could be sent or stored
        raise ValueError(f"half a character at {error.start}") from error
    return text


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


Id = Annotated[int | str, BeforeValidator(_question_id)]
Text = Annotated[str, AfterValidator(_encodable)]
Filled = Annotated[Text, AfterValidator(_filled)]

R = TypeVar("R", bound=FileRow)


def read_rows(path: Path, row: type[R], problems: Problems) -> list[tuple[int, R]]:
    """The valid lines of a JSON Lines file with their numbers, from 1; errors of the others are added to `problems`.

    Raises:
        DataError: the file cannot be read, or has no lines.
    """
    rows: list[tuple[int, R]] = []
    for number, line in jsonl.lines(path):
        try:
            rows.append((number, row.model_validate(jsonl.parse(line))))
        except ValidationError as error:
            problems.add(number, describe(error))
        except ValueError as error:
            problems.add(number, str(error))
    if not rows and not problems:
        raise DataError(f"{path}: no lines")
    return rows


def listed(ids: Sequence[QuestionId]) -> str:
    """The first ten ids, and dots where there are more.

    >>> listed(range(81, 161))
    '81, 82, 83, 84, 85, 86, 87, 88, 89, 90, …'
    """
    return ", ".join([*map(str, ids[:_SHOWN]), *(["…"] if len(ids) > _SHOWN else [])])
