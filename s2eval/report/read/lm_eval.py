"""Results of plain `lm_eval --output_path … --log_samples`, item by item."""

from __future__ import annotations

from pathlib import Path

from s2eval.judge.verdicts.parsers import Parser
from s2eval.lm_eval_logs.evaluations import find_evaluations, read_evaluation
from s2eval.lm_eval_logs.results import is_results
from s2eval.report.read import runs
from s2eval.report.read.items import LogContents, of_unit


def is_file(path: Path) -> bool:
    """Whether a file is lm-eval's results."""
    return path.suffix == ".json" and is_results(path)


def read_scored(path: Path, parser: Parser) -> LogContents:
    """Every evaluation in a folder, or of a file of results, by model and task; a run's own are read as its units."""
    del parser
    if path.is_dir() and runs.has_run(path):
        return LogContents()
    contents = read(path)
    scored = sorted(contents.scored, key=lambda samples: (samples.model, samples.task))
    return LogContents(tuple(scored), remarks=contents.remarks)


def read(path: Path, *, texts: bool = True) -> LogContents:
    """The same in the order of the files; without `texts` nothing is read that tables do not need."""
    evaluations = find_evaluations(path)
    scored = (
        of_unit(read_evaluation(used, used.identity.model, texts=texts), str(path), used.identity)
        for used in evaluations.used
    )
    return LogContents(tuple(scored), remarks=tuple(note.removesuffix(".") for note in evaluations.notes))
