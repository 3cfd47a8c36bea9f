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
import sys
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
_BUFFER = 1 << 20  # bytes; a line of samples, with the shots of each choice, is tens of thousands


def key_of(inputs: Mapping[str, Any]) -> str:
    """16 hex digits of the SHA-256 over what determines a result; equal inputs give equal keys."""
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# --- writing ---------------------------------------------------------------------------------------------------


@contextmanager
def write_atomically(path: Path) -> Iterator[TextIO]:
    """A text file that replaces `path` when the block ends well, and leaves it alone otherwise.

    What is no file of its own (a link such as /dev/stdout, a pipe, a device) is written to, never replaced.
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
    """Turns a full disk, a missing permission or a name in use into a `PrerequisiteError` that names the place."""
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
        if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
            raise PrerequisiteError(
                f"{error.filename or where}: cannot be written: {error.strerror}. Choose another name with --out"
            ) from error
        raise


def clear_unfinished(run: Path) -> None:
    """Remove the folders and files that a killed process left; call it only while holding the run's lock."""
    for left in list(run.rglob(f"{TEMPORARY}*")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    with write_atomically(path) as file:
        json.dump(value, file, indent=1, ensure_ascii=False, default=str)
        file.write("\n")


def write_scores(path: Path, rows: Iterable[Row]) -> None:
    """Write `scores.csv`: one row a number; floats in full, absent values empty."""
    with write_atomically(path) as file:
        print_scores(file, rows)


def print_scores(file: TextIO, rows: Iterable[Row]) -> None:
    """The same to an open file."""
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
        try:
            if missing := {one.name for one in fields(Row)} - set(reader.fieldnames or ()):
                raise DataError(f"{path}: no column {', '.join(sorted(missing))}")
            rows.extend(_row(line) for line in reader)
        except (ValueError, csv.Error) as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}") from error
    return rows


def _row(line: Mapping[str, str]) -> Row:
    if None in line or None in line.values():  # how DictReader tells a line that is too long or too short
        raise ValueError("not as many fields as columns")
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
        facts: further facts for the report's notes (template, versions, limit, BERTScore's key and hash, …).
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
    except (OSError, ValueError, KeyError, TypeError):  # no JSON and no UTF-8 are ValueErrors
        return None


def read_unit(folder: Path, *, texts: bool = True) -> Unit:
    """Read a committed unit of a run folder; `texts` as of `read_samples`.

    Raises:
        DataError: a file of it is missing or broken, as no run leaves them.
    """
    try:
        facts = json.loads((folder / UNIT).read_text(encoding="utf-8"))
        (results,) = folder.glob("results_*.json")
        (unit,) = _units_of(results, facts["model"], texts)
        samples = unit.samples
        if (folder / BERTSCORE).is_file():
            encoded = json.loads((folder / BERTSCORE).read_text(encoding="utf-8"))
            samples = _with_bertscore(samples, encoded.pop("scores"))
            facts["bertscore"] = encoded
        return Unit(unit.model, unit.task, samples, unit.aggregates, unit.n, facts["key"], facts)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: a broken unit ({error!r}). Remove the folder and run again") from error


def _with_bertscore(samples: Sequence[Sample], scores: Sequence[Sequence[float]]) -> tuple[Sample, ...]:
    names = ("s2_bertscore_precision", "s2_bertscore_recall", "s2_bertscore_f1")
    joined: list[Sample] = []
    for sample, triple in zip(samples, scores, strict=True):
        values = {**sample.values, **dict(zip(names, triple, strict=True))}
        joined.append(replace(sample, values=values))
    return tuple(joined)


def find_lm_eval(folder: Path, *, texts: bool = True) -> list[Unit]:
    """Every task that plain `lm_eval --output_path` left below a folder; of a task that ran twice, the newer.

    The model's name is that of lm-eval's own folder for it; `texts` as of `read_samples`.
    """
    units: dict[tuple[str, str], Unit] = {}
    for results in sorted(folder.rglob("results_*.json"), key=lambda path: (path.name, path)):  # name: date
        if not (results.parent / UNIT).exists():
            for unit in _units_of(results, None, texts):
                units[unit.model, unit.task] = unit
    return list(units.values())


def _units_of(results: Path, model: str | None, texts: bool) -> Iterator[Unit]:
    try:
        content = json.loads(results.read_text(encoding="utf-8"))
        found = {task: _aggregates(content["results"].get(task, {})) for task in content["configs"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{results}: not a results file of lm-eval ({error!r})") from error
    date = results.stem.removeprefix("results_")
    for task, aggregates in found.items():
        path = results.parent / f"samples_{task}_{date}.jsonl"
        samples = tuple(read_samples(path, texts=texts)) if path.is_file() else ()
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
            stderr = float(error) if isinstance(error, int | float) else None
            found[_filtered(metric, filter_name)] = (float(value), stderr)
    return found


def _filtered(metric: str, filter_name: str) -> str:
    return metric if filter_name == "none" else f"{metric}@{filter_name}"


def read_samples(path: Path, *, texts: bool = True) -> Iterator[Sample]:
    """The samples of one `samples_*.jsonl` of lm-eval, in document order.

    Without `texts` question, answer and reference stay empty, and what was asked and answered, nearly all of a line, is
    not parsed: two to three times faster.

    A task with several filters has a line a filter and document; they make one sample, with the metrics of all
    (`exact_match@strict-match`) and the answer of the first.

    Raises:
        DataError: a line that is no JSON or lacks a field; file and line are named.
    """
    found: dict[int, Sample] = {}
    with path.open("rb", buffering=_BUFFER) as file:
        for number, line in enumerate(file, 1):
            try:
                sample = _sample(json.loads(line.decode("utf-8")) if texts else _without_texts(line))
                first = found.setdefault(sample.doc_id, sample)
                if first is not sample:
                    if not first.values.keys().isdisjoint(sample.values):
                        raise ValueError(f"document {sample.doc_id} was met before")
                    found[sample.doc_id] = replace(first, values={**first.values, **sample.values})
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise DataError(f"{path}, line {number}: not a sample of lm-eval ({error!r})") from error
    return iter(sorted(found.values(), key=lambda sample: sample.doc_id))


def _without_texts(line: bytes) -> Mapping[str, Any]:
    """A line's keys before `doc` and from `filter` on; all where they stand in another order.

    Quotes within a string are escaped, so that the bytes sought are keys; a key of that name within `doc` leaves a
    piece that is no JSON.
    """
    start, end = line.find(b'"doc": '), line.rfind(b'"filter": ')
    if 0 < start < end:
        try:
            return json.loads((line[:start] + line[end:]).decode("utf-8"))
        except ValueError:
            pass
    whole = json.loads(line.decode("utf-8"))
    return {name: value for name, value in whole.items() if name not in ("doc", "target", "filtered_resps")}


def _sample(line: Mapping[str, Any]) -> Sample:
    values: dict[str, float] = {}
    stratum, counts = "", None
    for name in line["metrics"]:
        value = line[name]
        key = sys.intern(_filtered(name, line.get("filter", "none")))
        if isinstance(value, int | float):
            values[key] = float(value)
        elif name.startswith("s2_") and name.endswith("_corpus"):
            words, sentences, syllables = value
            counts = (int(words), int(sentences), int(syllables))
        elif _is_stratified(value):
            stratum, values[key] = sys.intern(str(value[0])), float(value[1])
    answers = line.get("filtered_resps") or [None]
    answer = answers[0] if isinstance(answers[0], str) else None
    doc: Any = line.get("doc")
    doc = doc if isinstance(doc, dict) else {}
    return Sample(
        doc_id=int(line["doc_id"]),
        doc_hash=sys.intern(line["doc_hash"]),  # of documents that other models answered too
        prompt_hash=sys.intern(line["prompt_hash"]),
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
