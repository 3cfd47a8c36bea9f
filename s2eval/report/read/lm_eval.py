"""What plain `lm_eval --output_path … --log_samples` wrote, as items to compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2eval.judge.verdicts.parsers import Parser
from s2eval.lm_eval_logs import evaluations as lm_eval_logs
from s2eval.lm_eval_logs.results import is_results
from s2eval.report.read import runs
from s2eval.report.read.items import TEMPLATE, Found, of_unit
from s2eval.report.read.runs import text_of


def is_file(path: Path) -> bool:
    """Whether a file is lm-eval's results."""
    return path.suffix == ".json" and is_results(path)


def read_scored(path: Path, parser: Parser) -> Found:
    """Every evaluation in a folder, or of a file of results; a run's own are read as its units."""
    del parser
    if path.is_dir() and runs.has_run(path):
        return Found()
    evaluations = lm_eval_logs.find_evaluations(path)
    scored = (
        of_unit(
            lm_eval_logs.read_evaluation(one, one.identity.model),
            conditions(one.facts),
            str(path),
            identity=one.identity,
        )
        for one in sorted(evaluations.used, key=lambda one: (one.identity.model, one.task))
    )
    return Found(tuple(scored), (), tuple(note.removesuffix(".") for note in evaluations.notes))


def conditions(facts: Mapping[str, Any]) -> dict[str, str]:
    """Of an evaluation: its task's version and shots, and the chat template."""
    known = {
        "task version": text_of(facts.get("version")),
        "shots": text_of(facts.get("shots")),
        TEMPLATE: text_of(facts.get("chat_template_sha")),
    }
    return {name: value for name, value in known.items() if value}
