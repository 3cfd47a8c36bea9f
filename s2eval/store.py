"""Run folders: units committed by rename, samples read back, `scores.csv` written and read.

    RUN/run.yaml                      the resolved configuration
    RUN/<model>/<task>/unit.json      what determined this unit, and its key
    RUN/<model>/<task>/results_*.json, samples_*.jsonl     lm-eval's own files
    RUN/<model>/<task>/bertscore.json scores of the answers, made after the model was released
    RUN/scores.csv, RUN/report.md

A unit's folder appears and is replaced in one step, so it is absent or complete whenever the process is killed.
"""

from __future__ import annotations

import csv
import errno
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from typing import TextIO

from s2eval.errors import DataError, PrerequisiteError
from s2eval.files import integrity
from s2eval.files.replacement import TEMPORARY, recover, recover_below, replace_folder
from s2eval.identity import key_of
from s2eval.lm_eval_logs.evaluations import UNIT, find_lm_eval
from s2eval.lm_eval_logs.samples import read_samples
from s2eval.records import Row, Unit
from s2eval.units import (
    BERTSCORE,
    FILES,
    WITHOUT_REASONING,
    bertscore_problem,
    is_done,
    key_in,
    read_unit,
    scores_file,
    unit_problem,
)

__all__ = [
    "BERTSCORE",
    "REPORT",
    "RUN",
    "SCORES",
    "TEMPORARY",
    "UNIT",
    "WITHOUT_REASONING",
    "Unit",
    "bertscore_problem",
    "clear_unfinished",
    "csv_cell",
    "explain_os_errors",
    "find_lm_eval",
    "is_done",
    "key_in",
    "key_of",
    "new_unit",
    "print_scores",
    "read_samples",
    "read_scores",
    "read_unit",
    "recover",
    "replace_folder",
    "scores_file",
    "unit_problem",
    "write_atomically",
    "write_json",
    "write_scores",
    "write_sealed",
    "write_unit",
]

SCORES, RUN, REPORT = "scores.csv", "run.yaml", "report.md"
# Full-width forms count in some languages. Apostrophes before them belong to the text, so that reading is exact.
_FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠]|[\t\r\n])")


# --- writing ---------------------------------------------------------------------------------------------------


@contextmanager
def write_atomically(path: Path) -> Iterator[TextIO]:
    """A text file that replaces `path` when the block ends well, and leaves it unchanged otherwise.

    A link such as /dev/stdout, a pipe or a device is written to, never replaced.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{TEMPORARY}{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def new_unit(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends well; an older `folder` is replaced.

    Raises:
        PrerequisiteError: no space or no permission, with the path.
    """
    with explain_os_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{folder.name}-", dir=folder.parent))
        temporary.chmod(0o755)
    try:
        with explain_os_errors(folder):
            yield temporary
            replace_folder(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def explain_os_errors(where: Path) -> Iterator[None]:
    """Turns a full disk, a missing permission or a name in use into a `PrerequisiteError` with the path."""
    try:
        yield
    except OSError as error:
        path = error.filename or where
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"{where}: no space left on the disk. Free some, then run the command again"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            message = f"{path}: no permission to write. Choose another folder with --out"
        elif error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
            message = f"{path}: cannot be written: {error.strerror}. Choose another name with --out"
        else:
            raise
        raise PrerequisiteError(message) from error


def clear_unfinished(run: Path) -> None:
    """Complete or undo what a killed process left half-done; call it only while holding the run's lock."""
    recover_below(run)
    for left in list(run.rglob(f"{TEMPORARY}*")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write a JSON file atomically."""
    with write_atomically(path) as file:
        json.dump(value, file, indent=1, ensure_ascii=False, default=str)
        file.write("\n")


def write_sealed(path: Path, value: Mapping[str, object]) -> None:
    """Write a JSON file atomically, with the hash of its content in it."""
    write_json(path, integrity.sealed(value))


def write_unit(folder: Path, facts: Mapping[str, object]) -> None:
    """Write the unit's UNIT after all its other files, which it lists with lines and SHA-256."""
    files = [path for path in folder.iterdir() if path.is_file() and path.name != UNIT]
    write_sealed(folder / UNIT, {**facts, FILES: integrity.record(files)})


def write_scores(path: Path, rows: Iterable[Row]) -> None:
    """Write `scores.csv`: one row a number; floats in full, absent values empty."""
    with write_atomically(path) as file:
        print_scores(file, rows)


def print_scores(file: TextIO, rows: Iterable[Row]) -> None:
    """The same to an open file."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([column.name for column in fields(Row)])
    for row in rows:
        writer.writerow([csv_cell(value) for value in astuple(row)])


def csv_cell(value: object) -> object:
    """A value as a cell: numbers in full, "" for None, and an apostrophe before text that begins like a formula.

    A spreadsheet would run such a text; `read_scores` removes the apostrophe.

    >>> csv_cell("=HYPERLINK(1)"), csv_cell("llama")
    ("'=HYPERLINK(1)", 'llama')
    """
    if isinstance(value, str):
        return f"'{value}" if _FORMULA.match(value) else value
    return "" if value is None else value


# --- reading ---------------------------------------------------------------------------------------------------


def read_scores(path: Path) -> list[Row]:
    """Read `scores.csv`; DataError, with file and line, where a column is missing or a value is no number."""
    rows: list[Row] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            if missing := {column.name for column in fields(Row)} - set(reader.fieldnames or ()):
                raise DataError(f"{path}: no column {', '.join(sorted(missing))}")
            rows.extend(_row(line) for line in reader)
        except (ValueError, csv.Error) as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}") from error
    return rows


def _row(line: Mapping[str, str]) -> Row:
    if None in line or None in line.values():  # from DictReader, where a line is too long or too short
        raise ValueError("not as many fields as columns")

    def text(column: str) -> str:
        cell = line[column]
        return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell

    n_valid = int(line["n_valid"])
    numbers = [float(line[name]) if line[name] else None for name in ("value", "stderr", "ci_low", "ci_high")]
    if any(number is not None and not math.isfinite(number) for number in numbers):
        numbers, n_valid = [None] * 4, 0  # `nan` or `inf`, as an aggregate of lm-eval can be: no score
    value, stderr, ci_low, ci_high = numbers
    return Row(
        model=text("model"),
        group=text("group"),
        seed=int(line["seed"]) if line["seed"] else None,
        task=text("task"),
        subset=text("subset"),
        judge=text("judge"),
        turn=text("turn"),
        metric=text("metric"),
        value=value,
        stderr=stderr,
        ci_low=ci_low,
        ci_high=ci_high,
        n=int(line["n"]),
        n_valid=n_valid,
        provenance=text("provenance"),
    )
