"""lm-eval's own files: `results_*.json` and `samples_*.jsonl` → units and samples."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from s2eval import jsonl
from s2eval.errors import DataError
from s2eval.identity import key_of
from s2eval.records import Sample, Unit

UNIT = "unit.json"
"""What marks the folder of a unit of a run; its files belong to `s2eval.store.read_unit`."""


def find_lm_eval(folder: Path, *, texts: bool = True) -> list[Unit]:
    """Every task that plain `lm_eval --output_path` left below a folder; of a task that ran twice, the newer.

    The model's name is that of lm-eval's own folder for it; `texts` as of `read_samples`.
    """
    units: dict[tuple[str, str], Unit] = {}
    for results in sorted(folder.rglob("results_*.json"), key=lambda path: (path.name, path)):  # name: date
        if not (results.parent / UNIT).exists():
            for unit in units_of(results, None, texts):
                units[unit.model, unit.task] = unit
    return list(units.values())


def units_of(results: Path, model: str | None, texts: bool) -> Iterator[Unit]:
    """The tasks of one results file, under the name `model` or else lm-eval's own.

    Raises:
        DataError: not a results file of lm-eval, or a broken line of samples.
    """
    try:
        content = json.loads(results.read_bytes())
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
    for number, line in jsonl.lines(path):
        try:
            sample = _sample(jsonl.parse(line) if texts else _without_texts(line))
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
    whole = jsonl.parse(line)
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
