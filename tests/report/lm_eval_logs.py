"""Folders as `lm_eval --output_path … --log_samples` leaves them, for tests of what reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DATE = "2026-01-01T00-00-00.000000"


def line(doc_id: int, *, document: str = "", prompt: str = "", **values: Any) -> dict[str, Any]:
    """A line of samples_*.jsonl; a document's hash and its prompt's follow its number unless they are given."""
    return {
        "doc_id": doc_id,
        "doc": {"query": f"Q{doc_id}"},
        "target": "0",
        "filtered_resps": [["-1.0", "True"]],
        "filter": "none",
        "metrics": list(values),
        "doc_hash": document or f"d{doc_id}",
        "prompt_hash": prompt or f"p{doc_id}",
        **values,
    }


def lines(metric: str, values: Sequence[Any], **more: Any) -> list[dict[str, Any]]:
    """One line a value."""
    return [line(number, **{metric: value}, **more) for number, value in enumerate(values)]


def points(metric: str, values: Sequence[float], stratum: str = "") -> list[dict[str, Any]]:
    """One line a value, with what the leaderboard counts beside it; in a stratum if one is named."""

    def told(value: float) -> Any:
        return [stratum, value] if stratum else value

    return [
        line(number, **{metric: told(value), "leaderboard_pct": told(100 * value)})
        for number, value in enumerate(values)
    ]


def write(
    folder: Path,
    model: str,
    tasks: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    version: float = 1.0,
    log_samples: bool = True,
    **content: Any,
) -> Path:
    """What a model leaves in `folder`."""
    own = folder / model
    own.mkdir(parents=True)
    results = {
        "results": {task: {"alias": task, "acc,none": 0.5} for task in tasks},
        "configs": {task: {"task": task} for task in tasks},
        "versions": dict.fromkeys(tasks, version),
        "n-shot": dict.fromkeys(tasks, 0),
        "n-samples": {task: {"effective": len(rows)} for task, rows in tasks.items()},
        "model_name_sanitized": model,
        **content,
    }
    (own / f"results_{DATE}.json").write_text(json.dumps(results))
    for task, rows in tasks.items() if log_samples else ():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (own / f"samples_{task}_{DATE}.jsonl").write_text(text)
    return folder
