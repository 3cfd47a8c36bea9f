"""Run folders: units committed by rename, samples read back, `scores.csv` written and read.

    RUN/run.yaml                      the resolved configuration
    RUN/<model>/<task>/unit.json      what determined this unit, and its key
    RUN/<model>/<task>/results_*.json, samples_*.jsonl     lm-eval's own files
    RUN/<model>/<task>/bertscore.json scores of the answers, made after the model was released
    RUN/scores.csv, RUN/report.md

A unit's folder appears by one rename, so it is either absent or whole, whenever the process is killed.
Folders written by plain `lm_eval --output_path DIR --log_samples` are read as well.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TextIO

from s2eval.errors import DataError, PrerequisiteError
from s2eval.records import Row, Sample

SCORES, RUN, REPORT, UNIT, BERTSCORE = "scores.csv", "run.yaml", "report.md", "unit.json", "bertscore.json"
TEMPORARY = ".unfinished-"


def key_of(inputs: Mapping[str, Any]) -> str:
    """16 hex digits of the SHA-256 over what determines a result; equal inputs give equal keys."""
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# --- writing ---------------------------------------------------------------------------------------------------


@contextmanager
def write_atomically(path: Path) -> Iterator[TextIO]:
    """A text file that replaces `path` when the block ends well, and leaves it alone otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
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
            if folder.exists():
                old = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{folder.name}-", dir=folder.parent))
                folder.rename(old / "replaced")
                temporary.rename(folder)
                shutil.rmtree(old, ignore_errors=True)
            else:
                temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def explain_os_errors(where: Path) -> Iterator[None]:
    """Turns a full disk or a missing permission into a `PrerequisiteError` that names the place."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise PrerequisiteError(
                f"{where}: no space left on the disk. Free some, then run the command again"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise PrerequisiteError(
                f"{error.filename or where}: no permission to write. Choose another folder with --out"
            ) from error
        raise


def clear_unfinished(run: Path) -> None:
    """Remove what a killed process left; call it only while holding the run's lock."""
    for left in run.glob(f"*/{TEMPORARY}*"):
        shutil.rmtree(left, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    with write_atomically(path) as file:
        json.dump(value, file, indent=1, ensure_ascii=False, default=str)
        file.write("\n")


def write_scores(path: Path, rows: Iterable[Row]) -> None:
    """Write `scores.csv`: one row a number; floats in full, absent values empty."""
    with write_atomically(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        names = [one.name for one in fields(Row)]
        writer.writerow(names)
        for row in rows:
            values = asdict(row)
            writer.writerow(["" if values[name] is None else values[name] for name in names])


# --- reading ---------------------------------------------------------------------------------------------------


def read_scores(path: Path) -> list[Row]:
    """Read `scores.csv`.

    Raises:
        DataError: a column is missing or a value is no number; file and line are named.
    """
    rows: list[Row] = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if missing := {one.name for one in fields(Row)} - set(reader.fieldnames or ()):
            raise DataError(f"{path}: no column {', '.join(sorted(missing))}")
        for number, line in enumerate(reader, 2):
            try:
                rows.append(_row(line))
            except (ValueError, TypeError) as error:
                raise DataError(f"{path}, line {number}: {error}") from error
    return rows


def _row(line: Mapping[str, str]) -> Row:
    numbers = {name: float(line[name]) if line[name] else None for name in ("value", "stderr", "ci_low", "ci_high")}
    texts = {name: line[name] for name in ("model", "group", "task", "subset", "judge", "turn", "metric", "provenance")}
    seed = int(line["seed"]) if line["seed"] else None
    return Row(seed=seed, n=int(line["n"]), n_valid=int(line["n_valid"]), **texts, **numbers)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Unit:
    """One model on one task, as read back from disk.

    Attributes:
        model, task: names.
        samples: one a document, in document order; empty where no samples were logged.
        aggregates: metric → (value, stderr) as lm-eval printed them; stderr None where it printed N/A.
        n: documents evaluated.
        provenance: the unit's key, or the hash of the results file of plain lm-eval.
        facts: further facts for the report's notes (template, versions, limit, …).
    """

    model: str
    task: str
    samples: tuple[Sample, ...]
    aggregates: Mapping[str, tuple[float, float | None]]
    n: int
    provenance: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


def is_done(folder: Path, key: str) -> bool:
    """Whether the unit was committed with the same inputs."""
    return key_in(folder / UNIT) == key


def key_in(path: Path) -> str | None:
    """The `key` of a unit's JSON file; None where there is no such file or it is unreadable."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["key"]
    except (OSError, json.JSONDecodeError, KeyError, TypeError):
        return None


def read_unit(folder: Path) -> Unit:
    """Read a committed unit of a run folder."""
    facts = json.loads((folder / UNIT).read_text(encoding="utf-8"))
    (unit,) = _units_of(next(folder.glob("results_*.json")), facts["model"])
    samples = unit.samples
    if (folder / BERTSCORE).is_file():
        samples = _with_bertscore(samples, json.loads((folder / BERTSCORE).read_text(encoding="utf-8"))["scores"])
    return Unit(unit.model, unit.task, samples, unit.aggregates, unit.n, facts["key"], facts)


def _with_bertscore(samples: Sequence[Sample], scores: Sequence[Sequence[float]]) -> tuple[Sample, ...]:
    names = ("s2_bertscore_precision", "s2_bertscore_recall", "s2_bertscore_f1")
    joined: list[Sample] = []
    for sample, triple in zip(samples, scores, strict=True):
        values = {**sample.values, **dict(zip(names, triple, strict=True))}
        joined.append(replace(sample, values=values))
    return tuple(joined)


def find_lm_eval(folder: Path) -> list[Unit]:
    """Every task that plain `lm_eval --output_path` left below a folder; of a task that ran twice, the newer.

    The model's name is that of lm-eval's own folder for it.
    """
    units: dict[tuple[str, str], Unit] = {}
    for results in sorted(folder.rglob("results_*.json")):
        if not (results.parent / UNIT).exists():
            for unit in _units_of(results, None):
                units[unit.model, unit.task] = unit
    return list(units.values())


def _units_of(results: Path, model: str | None) -> Iterator[Unit]:
    try:
        content = json.loads(results.read_text(encoding="utf-8"))
        configs = content["configs"]
    except (json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        raise DataError(f"{results}: not a results file of lm-eval ({error!r})") from error
    date = results.stem.removeprefix("results_")
    for task in configs:
        aggregates = _aggregates(content["results"].get(task, {}))
        path = results.parent / f"samples_{task}_{date}.jsonl"
        samples = tuple(read_samples(path)) if path.is_file() else ()
        n = content.get("n-samples", {}).get(task, {}).get("effective", len(samples))
        digest = key_of({"results": content["results"], "date": content.get("date"), "task": task})
        name = model or content.get("model_name_sanitized") or results.parent.name
        facts = {
            "versions": content.get("transformers_version"),
            "limit": content.get("config", {}).get("limit"),
        }
        yield Unit(name, task, samples, aggregates, n, digest, facts)


def _aggregates(results: Mapping[str, Any]) -> dict[str, tuple[float, float | None]]:
    found: dict[str, tuple[float, float | None]] = {}
    for key, value in results.items():
        metric, _, filter_name = key.partition(",")
        if filter_name and isinstance(value, int | float) and not metric.endswith("_stderr"):
            error = results.get(f"{metric}_stderr,{filter_name}")
            name = metric if filter_name == "none" else f"{metric}@{filter_name}"
            found[name] = (float(value), float(error) if isinstance(error, int | float) else None)
    return found


def read_samples(path: Path) -> Iterator[Sample]:
    """The samples of one `samples_*.jsonl` of lm-eval, in document order.

    Raises:
        DataError: a line that is no JSON or lacks a field; file and line are named.
    """
    found: list[Sample] = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                found.append(_sample(json.loads(line)))
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                raise DataError(f"{path}, line {number}: not a sample of lm-eval ({error!r})") from error
    return iter(sorted(found, key=lambda sample: sample.doc_id))


def _sample(line: Mapping[str, Any]) -> Sample:
    values: dict[str, float] = {}
    stratum, counts = "", None
    for name in line["metrics"]:
        value = line[name]
        if isinstance(value, int | float):
            values[name] = float(value)
        elif name.endswith("_corpus"):
            counts = (int(value[0]), int(value[1]), int(value[2]))
        elif _is_stratified(value):
            stratum, values[name] = str(value[0]), float(value[1])
    answers = line.get("filtered_resps") or [None]
    answer = answers[0] if isinstance(answers[0], str) else None
    doc = line["doc"] if isinstance(line["doc"], dict) else {}
    return Sample(
        doc_id=int(line["doc_id"]),
        doc_hash=line["doc_hash"],
        prompt_hash=line["prompt_hash"],
        stratum=stratum,
        values=values,
        counts=counts,
        question=str(doc.get("question", doc.get("query", ""))),
        answer=None if answer is None else answer.strip(),
        reference=None if answer is None else str(line.get("target", "")),
    )


def _is_stratified(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int | float)
    )
