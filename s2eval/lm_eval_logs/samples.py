"""lm-eval's `samples_*.jsonl` of every release since 0.4.0 → samples.

Since 0.4.6 a line names its metrics and its filter. Before, every field that is not one of lm-eval's own is a metric,
and a task with several filters wrote all its documents once a filter, one filter after the other. Before 0.4.3 a line
had no hashes, and the file was one JSON array.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s2eval.errors import DataError
from s2eval.files import Json, jsonl
from s2eval.lm_eval_logs.answers import answer_in, counts_of, is_ours, may_have_reasoning, values_of
from s2eval.records import Sample

NO_FILTER = "none"
PLACEHOLDER = "bypass"
"""The metric of `lm_eval --predict_only`, which scores nothing and prints 999."""
_FIELDS = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"}
_FIELDS |= {"doc_hash", "prompt_hash", "target_hash"}
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class SampleFile:
    """The samples of a file in document order, and metric → text of each value that is no number → how often."""

    samples: tuple[Sample, ...]
    invalid: Mapping[str, Mapping[str, int]]


def number_of(value: Json) -> float | None:
    """A number, a boolean, or the text of either (`0.5`, `True`: lm-eval writes NumPy's so); None for all else."""
    if isinstance(value, str):
        text = value.strip().casefold()
        if text in ("true", "false"):
            return float(text == "true")
        value = float(text) if _NUMBER.fullmatch(text) else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def metric_name(metric: str, filter_name: str) -> str:
    """`exact_match@strict-match`; without the filter where there is none."""
    return metric if filter_name == NO_FILTER else f"{metric}@{filter_name}"


def read_samples(path: Path, *, texts: bool = True, filters: Sequence[str] = (NO_FILTER,)) -> Iterator[Sample]:
    """The samples of one file; see `read_sample_file`."""
    return iter(read_sample_file(path, texts=texts, filters=filters).samples)


def read_sample_file(path: Path, *, texts: bool = True, filters: Sequence[str] = (NO_FILTER,)) -> SampleFile:
    """Read a file of samples. A document with several filters is one sample: the metrics of all, the first's answer.

    A value that is no number becomes NaN and is counted.

    Args:
        texts: without, question, answer and reference stay empty and are not parsed: two to three times faster. Lines
            that may hold reasoning are parsed all the same.
        filters: of a file whose lines do not name theirs, in the order of the task's results.

    Raises:
        DataError: a line is not JSON or lacks a field, or a document is a duplicate.
    """
    samples: dict[int, Sample] = {}
    passes: Counter[int] = Counter()
    invalid: dict[str, Counter[str]] = {}
    for number, line in sample_lines(path):
        try:
            fields: Mapping[str, Any] = jsonl.parse(line) if texts else _without_texts(line)
            if "filter" not in fields:  # that of the document's first line is the first, and so on
                doc_id = int(fields["doc_id"])
                passes[doc_id] += 1
                if passes[doc_id] > len(filters):
                    raise ValueError(f"document {doc_id} was met before")
                fields = {**fields, "filter": filters[passes[doc_id] - 1]}
            sample = _sample(fields, invalid)
            first = samples.setdefault(sample.doc_id, sample)
            if first is not sample:
                if not first.values.keys().isdisjoint(sample.values):
                    raise ValueError(f"document {sample.doc_id} was met before")
                samples[sample.doc_id] = replace(first, values={**first.values, **sample.values})
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise DataError(f"{path}, line {number}: not a sample of lm-eval ({error!r})") from error
    if len(set(passes.values())) > 1:
        few = next(doc_id for doc_id, times in passes.items() if times < max(passes.values()))
        raise DataError(f"{path}: document {few} lacks the line of a filter ({', '.join(filters)}). Evaluate again")
    return SampleFile(tuple(sorted(samples.values(), key=lambda sample: sample.doc_id)), invalid)


def sample_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The samples of a file as JSON on one line each, with line numbers; of an array, with the samples' positions."""
    for number, line in jsonl.lines(path):
        if number == 1 and line.lstrip().startswith(b"["):
            try:
                samples: list[Json] = jsonl.parse(path.read_bytes().removeprefix(jsonl.BOM))
            except ValueError as error:
                raise DataError(f"{path}, line 1: not a sample of lm-eval ({error})") from error
            for position, sample in enumerate(samples, 1):
                yield position, json.dumps(sample, ensure_ascii=False).encode("utf-8", "surrogatepass")
            return
        yield number, line


def _without_texts(line: bytes) -> Mapping[str, Any]:
    """A line's keys before `doc` and from `filter` (else `doc_hash`) on; all where they stand in another order.

    Quotes within a string are escaped, so the bytes sought are keys; such a key within `doc` leaves no valid JSON.
    """
    if not (reasoning := may_have_reasoning(line)):  # of which the values may have to be measured anew
        start, end = line.find(b'"doc": '), line.rfind(b'"filter": ')
        if end < 0:
            end = line.rfind(b'"doc_hash": ')
        if 0 < start < end:
            try:
                return jsonl.parse(line[:start] + line[end:])
            except ValueError:
                pass
    fields: Mapping[str, Any] = jsonl.parse(line)
    hashes = {name: _hash_of(fields, name) for name in ("doc_hash", "prompt_hash")}
    dropped = () if reasoning else ("doc", "target", "filtered_resps")
    return {name: value for name, value in fields.items() if name not in dropped} | hashes


def _hash_of(fields: Mapping[str, Any], name: str) -> str:
    """The field, or what lm-eval 0.4.3 and later would have written into it."""
    if name in fields or "metrics" in fields:
        return str(fields[name])
    if name == "doc_hash":
        text = json.dumps(fields["doc"], indent=2, ensure_ascii=False)
    else:
        calls = fields["arguments"]
        first = next(iter(calls.values())) if isinstance(calls, dict) else calls[0]
        text = str(next(iter(first.values())) if isinstance(first, dict) else first[0])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _sample(line: Mapping[str, Any], invalid: dict[str, Counter[str]]) -> Sample:
    values: dict[str, float] = {}
    stratum, counts = "", None
    for name in line["metrics"] if "metrics" in line else [name for name in line if name not in _FIELDS]:
        value: Json = line[name]
        if name == PLACEHOLDER:
            continue
        key = sys.intern(metric_name(name, line["filter"]))
        if name.startswith("s2_") and name.endswith("_corpus") and not isinstance(value, int | float):
            words, sentences, syllables = line[name]
            counts = (int(words), int(sentences), int(syllables))
        elif isinstance(value, list):
            if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int | float):
                stratum, values[key] = sys.intern(value[0]), _value(value[1], key, invalid)
        elif not isinstance(value, dict):
            values[key] = _value(value, key, invalid)
    answer = answer_in(line)
    if answer is not None and answer.answer != line["filtered_resps"][0].strip():
        values = values_of(values, answer, str(line.get("target", "")))
        counts = counts_of(answer) if counts or is_ours(values) else None
    doc = line["doc"] if isinstance(line.get("doc"), dict) else {}
    return Sample(
        doc_id=int(line["doc_id"]),
        doc_hash=sys.intern(_hash_of(line, "doc_hash")),  # of documents that other models answered too
        prompt_hash=sys.intern(_hash_of(line, "prompt_hash")),
        stratum=stratum,
        values=values,
        counts=counts,
        question=str(doc.get("question", doc.get("query", ""))),
        answer=None if answer is None else answer.answer.strip(),
        reference=None if answer is None else str(line.get("target", "")),
        reasoning="" if answer is None else answer.reasoning,
    )


def _value(value: Json, metric: str, invalid: dict[str, Counter[str]]) -> float:
    number = number_of(value)
    if number is None:
        invalid.setdefault(metric, Counter())["null" if value is None else str(value)] += 1
        return math.nan
    return number
