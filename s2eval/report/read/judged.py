"""Judgments in folders: what `s2eval mtbench` or the judges of a run left, and FastChat's files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from s2eval.judge import results
from s2eval.judge.verdicts.parsers import Parser
from s2eval.report.read import judgments, runs
from s2eval.report.read.items import Contests, Found, Scored
from s2eval.report.read.run_settings import RunModels
from s2eval.report.read.runs import text_of


def read_ours(path: Path, parser: Parser) -> Found:
    """Results of judges in a folder of ours."""
    return _joined(_judged(path, parser)) if path.is_dir() else Found()


def is_fastchat(path: Path) -> bool:
    """Whether a file may hold judgments, FastChat's or ours."""
    return path.suffix == ".jsonl"


def read_fastchat(path: Path, parser: Parser) -> Found:
    """A file of judgments; of a folder those that are named as FastChat names them."""
    if path.is_dir():
        named = (file for file in sorted(path.rglob("*.jsonl")) if file.name.endswith(("_single.jsonl", "_pair.jsonl")))
        return _joined(read_fastchat(file, parser) for file in named if file.is_file())
    if path.name.endswith("_pair.jsonl") or path.name.startswith("pairwise-"):
        return Found((), tuple(judgments.contests(path)))
    return Found(tuple(judgments.ratings(path, parser)))


def _joined(several: Iterable[Found]) -> Found:
    parts = list(several)
    return Found(
        tuple(one for part in parts for one in part.scored),
        tuple(one for part in parts for one in part.contests),
        tuple(remark for part in parts for remark in part.remarks),
    )


def judged_results(folder: Path) -> tuple[tuple[Scored, ...], tuple[Contests, ...]]:
    """Ratings and contests that judges left in a folder, as far as their judgments are there.

    Raises:
        UsageError: judgments that cannot be read, or a question judged with different prompts.
    """
    found = list(_judged(folder, "strict"))
    return tuple(one for each in found for one in each.scored), tuple(one for each in found for one in each.contests)


def _judged(folder: Path, parser: Parser) -> Iterator[Found]:
    """Results that `s2eval mtbench` or the judges of a run left: the judgments beside each JSON of numbers."""
    identity = (runs.configured(folder) if runs.has_run(folder) else RunModels(folder)).identity
    for path, facts in _facts(folder):
        if problem := results.problem(path) or ("" if facts else "not the numbers of a judge"):
            yield Found(remarks=(f"not compared: {path}: {problem}. Judge again",))
            continue
        task, label = f"s2_{facts['suite']}", facts["label"]
        conditions = {
            "questions": f"{facts['suite']} ({facts['hash']})",
            "judge's temperature": text_of(facts.get("temperature")),
        }
        ratings = path.parent / results.JUDGMENTS
        if path.name == "single.json" and ratings.is_file():
            read = judgments.ratings(ratings, cast("Parser", facts.get("parser", parser)), task, label)
            yield Found(
                tuple(
                    replace(
                        one,
                        conditions={**one.conditions, **conditions},
                        identity=identity(one.model, task, label, one.turn),
                    )
                    for one in read
                )
            )
        elif path.name.startswith("pairwise-") and (lines := path.with_suffix(".jsonl")).is_file():
            yield Found(
                (),
                tuple(
                    replace(
                        one,
                        identities=(
                            identity(one.model, task, label, f"against {one.against}"),
                            identity(one.against, task, label, f"for {one.model}"),
                        ),
                    )
                    for one in judgments.contests(lines, task, label)
                ),
            )


def _facts(folder: Path) -> Iterable[tuple[Path, Mapping[str, Any]]]:
    for path in results.paths(folder):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))["facts"]
            known = {"suite": facts["suite"]["name"], "hash": facts["suite"]["hash"], "label": facts["label"]}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            yield path, {}  # `results.problem` says why
            continue
        yield path, {**facts, **{name: str(value) for name, value in known.items()}}
