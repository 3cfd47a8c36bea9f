"""What the tests of `s2eval run` share: its command line, and what stands in a run's folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from s2eval import store
from s2eval.records import Row
from s2eval.store import read_scores

FOUR = ("arc_challenge", "hellaswag", "mmlu", "truthfulqa_mc2")
TASKS = (*(f"s2demo_{name}" for name in FOUR), "s2demo_eli5")

Outcome = tuple[int, str, str]  # exit code, standard output, standard error
Command = Callable[..., Outcome]


def program(*arguments: object) -> list[str]:
    return [str(Path(sys.executable).parent / "s2eval"), *map(str, arguments)]


def write(path: Path, **settings: Any) -> Path:
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def samples(run: Path, task: str, model: str = "tiny") -> list[dict[str, Any]]:
    (path,) = (run / model / task).glob("samples_*.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rows(run: Path) -> dict[tuple[str, str, str], Row]:
    return {(row.task, row.subset, row.metric): row for row in read_scores(run / "scores.csv")}


def written(run: Path) -> dict[str, int]:
    """Whole unit → when it was written; what a killed process left half-done is none."""
    return {
        str(path.parent.relative_to(run)): path.stat().st_mtime_ns
        for path in run.glob("*/*/unit.json")
        if not path.parent.name.startswith(store.TEMPORARY)
    }
