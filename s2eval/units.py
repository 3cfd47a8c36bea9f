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
from s2eval.lm_eval_logs.evaluations import UNIT, read_evaluation
from s2eval.lm_eval_logs.results import evaluations_of
from s2eval.lm_eval_logs.settings import text_of
from s2eval.metrics.bertscore import BERTSCORE as BERTSCORE_METRICS
from s2eval.records import Encoder, Sample, Unit, UnitFacts

BERTSCORE = "bertscore.json"
_SCORES = "metric_"
FILES = "files"
"""The field of `unit.json` that lists the unit's other files; units of version 0.1.0 have none."""
WITHOUT_REASONING = "without_reasoning"
"""The field of `bertscore.json` where answers had reasoning, and it was left out."""


def is_done(folder: Path, key: str) -> bool:
    """Whether the unit was committed with the same inputs, and its files are as they were then."""
    return key_in(folder / UNIT) == key and not unit_problem(folder)


def key_in(path: Path) -> str | None:
    """The `key` of a unit's JSON file; None where there is no such file, or it is unreadable or was changed."""
    try:
        return _content(path)["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def unit_problem(folder: Path) -> str:
    """What is missing or changed of a committed unit, in a sentence's part; "" where it is as it was written."""
    try:
        content = _content(folder / UNIT)
    except (OSError, ValueError, TypeError) as error:
        return _unreadable(UNIT, error)
    try:
        if FILES in content:
            return integrity.problem(folder, content[FILES])
        if "documents" not in content:
            return ""
        # version 0.1.0: each document has a line, or several filters a line each
        logs, documents = sorted(folder.glob("samples_*.jsonl")), int(content["documents"])
        if len(logs) != 1 or len(list(folder.glob("results_*.json"))) != 1:
            return "one samples_*.jsonl and one results_*.json are needed"
        lines = integrity.fingerprint(logs[0]).lines
        return "" if lines and lines % documents == 0 else f"{logs[0].name} has {lines} lines for {documents} documents"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{UNIT} is not what a run writes"


def bertscore_problem(folder: Path) -> str:
    """The same of the BERTScore of a unit's answers."""
    try:
        return "" if {"key", "scores"} <= _content(folder / BERTSCORE).keys() else f"{BERTSCORE} cannot be read"
    except (OSError, ValueError, TypeError) as error:
        return _unreadable(BERTSCORE, error)


def scores_file(family: str) -> str:
    """The file of a family of metrics that was measured on a unit's answers later."""
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
        content = _content(folder / UNIT)
        if FILES in content:
            (results,) = [folder / name for name in content[FILES] if name.startswith("results_")]
        else:
            (results,) = folder.glob("results_*.json")
        (evaluation,) = evaluations_of(results)
        unit = read_evaluation(evaluation, content["model"], texts=texts)
        samples = unit.samples
        facts = _facts(content, unit.facts)
        if scores and os.path.lexists(folder / BERTSCORE):
            if problem := bertscore_problem(folder):
                raise _broken(folder, problem)
            bertscore = _content(folder / BERTSCORE)
            if bertscore.get(WITHOUT_REASONING) or not any(sample.reasoning for sample in samples):
                names = BERTSCORE_METRICS.names
                samples = _with_scores(samples, [dict(zip(names, s, strict=True)) for s in bertscore["scores"]])
                encoder, digest = (str(bertscore.get(name, "unknown")) for name in ("encoder", "hash"))
                facts = replace(facts, encoder=Encoder(encoder, digest, str(bertscore["key"])))
            else:
                facts = replace(facts, bertscore_with_reasoning=True)
        for path in sorted(folder.glob(f"{_SCORES}*.json")) if scores else ():
            samples = _with_scores(samples, _content(path)["scores"])
        return replace(unit, samples=samples, provenance=content["key"], facts=facts)
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(folder, repr(error)) from error


def _facts(content: Mapping[str, Any], logged: UnitFacts) -> UnitFacts:
    """Of `unit.json`, and what was noticed when lm-eval's files were read."""
    inputs = content.get("inputs") or {}
    decoding = dict(inputs.get("decoding") or {})
    decoding.pop("until", None)  # what ends an answer belongs to the template
    digest = content.get("template_hash")
    return UnitFacts(
        template=" ".join(filter(None, (content.get("template"), digest and f"({digest})"))),
        documents=str(inputs.get("documents") or ""),
        version=text_of(inputs.get("version")),
        shots=text_of(inputs.get("shots")),
        decoding=json.dumps(decoding, sort_keys=True) if decoding else "",
        limit=text_of(content.get("limit")),
        versions=content.get("versions") or {},
        work=content.get("work"),
        finished=str(content.get("finished") or ""),
        seconds=float(content.get("seconds") or 0),
        invalid=logged.invalid,
        invalid_aggregates=logged.invalid_aggregates,
        unverified=FILES not in content and "documents" in content,
    )


class _ChangedError(ValueError):
    """A JSON file is not what its own hash says."""


def _content(path: Path) -> dict[str, Any]:
    """A JSON object that holds its own hash (none in version 0.1.0); OSError, ValueError, TypeError where not."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path.name} is nested too deeply") from error
    if not isinstance(content, dict):
        raise TypeError(f"{path.name} is no JSON object")
    if not integrity.seal_holds(content) or (FILES in content and integrity.SEAL not in content):
        raise _ChangedError(f"{path.name} was changed since it was written")
    return content


def _unreadable(name: str, error: Exception) -> str:
    if isinstance(error, _ChangedError):
        return str(error)
    return f"{name} is missing" if isinstance(error, FileNotFoundError) else f"{name} cannot be read"


def _broken(folder: Path, problem: str) -> DataError:
    return DataError(f"{folder}: a broken unit: {problem}. `s2eval run` with its configuration evaluates it again")


def _with_scores(samples: Sequence[Sample], scores: Sequence[Mapping[str, float]]) -> tuple[Sample, ...]:
    return tuple(
        replace(sample, values={**sample.values, **values}) for sample, values in zip(samples, scores, strict=True)
    )
