"""Units of a run folder: read back, and checked to be what was written.

`unit.json` lists every other file of its unit with lines and SHA-256, and carries its own hash; `bertscore.json`, which
is written later, carries its own. A unit that differs from them is broken: it has no score until it is evaluated again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from s2eval.errors import DataError
from s2eval.files import integrity
from s2eval.lm_eval_logs.evaluations import UNIT, units_of
from s2eval.metrics.bertscore import BERTSCORE as BERTSCORE_METRICS
from s2eval.records import Sample, Unit

BERTSCORE = "bertscore.json"
_SCORES = "metric_"
FILES = "files"
"""The field of `unit.json` that lists the unit's other files; units of version 0.1.0 have none."""
WITHOUT_REASONING = "without_reasoning"
"""The field of `bertscore.json` where answers had reasoning, and it was left out."""
WITH_REASONING = "bertscore_with_reasoning"
"""The fact of a unit whose BERTScore an earlier version measured with the reasoning; it is not read."""
UNVERIFIED = "unverified"
"""The fact of a unit whose files could not be compared with hashes."""


def is_done(folder: Path, key: str) -> bool:
    """Whether the unit was committed with the same inputs, and its files are as they were then."""
    return key_in(folder / UNIT) == key and not unit_problem(folder)


def key_in(path: Path) -> str | None:
    """The `key` of a unit's JSON file; None where there is no such file, or it is unreadable or was changed."""
    try:
        content = _content(path)
        return content["key"]
    except (OSError, ValueError, KeyError, TypeError):  # no JSON and no UTF-8 are ValueErrors
        return None


def unit_problem(folder: Path) -> str:
    """What is missing or changed of a committed unit, in a sentence's part; "" where it is as it was written."""
    try:
        facts = _content(folder / UNIT)
    except FileNotFoundError:
        return f"{UNIT} is missing"
    except (OSError, ValueError, TypeError) as error:
        return str(error) if isinstance(error, _ChangedError) else f"{UNIT} cannot be read"
    try:
        if FILES in facts:
            return integrity.problem(folder, facts[FILES])
        return _problem_without_hashes(folder, int(facts["documents"])) if "documents" in facts else ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{UNIT} is not what a run writes"


def bertscore_problem(folder: Path) -> str:
    """The same of the BERTScore of a unit's answers."""
    try:
        return "" if {"key", "scores"} <= _content(folder / BERTSCORE).keys() else f"{BERTSCORE} cannot be read"
    except FileNotFoundError:
        return f"{BERTSCORE} is missing"
    except (OSError, ValueError, TypeError) as error:
        return str(error) if isinstance(error, _ChangedError) else f"{BERTSCORE} cannot be read"


def scores_file(family: str) -> str:
    """Of a family of metrics that was measured on a unit's answers later."""
    return f"{_SCORES}{family}.json"


def read_unit(folder: Path, *, texts: bool = True, scores: bool = True) -> Unit:
    """Read a committed unit of a run folder.

    Args:
        texts: as of `read_samples`.
        scores: whether to add what was measured on its answers later: BERTScore, metrics of other packages.

    Raises:
        DataError: a file of it is missing or changed.
    """
    if problem := unit_problem(folder):
        raise _broken(folder, problem)
    try:
        facts = _content(folder / UNIT)
        if FILES in facts:
            (name,) = [name for name in facts[FILES] if name.startswith("results_")]
            results = folder / name
        else:
            (results,) = folder.glob("results_*.json")
            facts[UNVERIFIED] = "documents" in facts
        (unit,) = units_of(results, facts["model"], texts)
        samples = unit.samples
        if scores and os.path.lexists(folder / BERTSCORE):
            if problem := bertscore_problem(folder):
                raise _broken(folder, problem)
            encoded = _content(folder / BERTSCORE)
            triples = encoded.pop("scores")
            if encoded.get(WITHOUT_REASONING) or not any(sample.reasoning for sample in samples):
                samples = _with_scores(
                    samples, [dict(zip(BERTSCORE_METRICS.names, triple, strict=True)) for triple in triples]
                )
                facts["bertscore"] = {"encoder": "unknown", "hash": "unknown", **encoded}
            else:
                facts[WITH_REASONING] = True
        for path in sorted(folder.glob(f"{_SCORES}*.json")) if scores else ():
            samples = _with_scores(samples, _content(path)["scores"])
        facts |= {name: unit.facts[name] for name in ("invalid", "invalid_aggregates") if name in unit.facts}
        return replace(unit, samples=samples, provenance=facts["key"], facts=facts)
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(folder, repr(error)) from error


class _ChangedError(ValueError):
    """A JSON file is not what its own hash says."""


def _content(path: Path) -> dict[str, Any]:
    """A JSON object that holds its own hash, unless version 0.1.0 wrote it.

    Raises:
        OSError, ValueError, TypeError: it cannot be read, or was changed.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path.name} is nested too deeply") from error
    if not isinstance(content, dict):
        raise TypeError(f"{path.name} is no JSON object")
    if not integrity.seal_holds(content) or (FILES in content and integrity.SEAL not in content):
        raise _ChangedError(f"{path.name} was changed since it was written")
    return content


def _broken(folder: Path, problem: str) -> DataError:
    return DataError(f"{folder}: a broken unit: {problem}. `s2eval run` with its configuration evaluates it again")


def _problem_without_hashes(folder: Path, documents: int) -> str:
    """Of a unit of version 0.1.0: each document has a line, or several filters a line each."""
    logs = sorted(folder.glob("samples_*.jsonl"))
    if len(logs) != 1 or len(list(folder.glob("results_*.json"))) != 1:
        return "one samples_*.jsonl and one results_*.json are needed"
    lines = integrity.fingerprint(logs[0]).lines
    return "" if lines and lines % documents == 0 else f"{logs[0].name} has {lines} lines for {documents} documents"


def _with_scores(samples: Sequence[Sample], scores: Sequence[Mapping[str, float]]) -> tuple[Sample, ...]:
    return tuple(
        replace(sample, values={**sample.values, **values}) for sample, values in zip(samples, scores, strict=True)
    )
