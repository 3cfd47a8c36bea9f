"""The log formats that can be read, one entry each; `s2eval.readers` is the entry point of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from s2eval.judge.verdicts.parsers import Parser
from s2eval.registry import Registry
from s2eval.report.read import inspect_log, judgment_reader, lm_eval, runs
from s2eval.report.read.items import LogContents


@dataclass(frozen=True)
class LogFormat:
    """A format of results, of ours or of another tool.

        TALLY = LogFormat("tally", "tallies (….tally.json)", lambda path: path.name.endswith(".tally.json"), read_tally)

    Attributes:
        description: what to look for, as the error lists it that finds nothing.
        is_file: whether a file that a user named is of this format.
        read: a file of the format, or all of the format below a folder; nothing where there is none. The parser is for
            judges' verdicts. Each model on each task is an `s2eval.report.read.items.Scored`.
    """

    name: str
    description: str
    is_file: Callable[[Path], bool]
    read: Callable[[Path, Parser], LogContents]


def _never(_: Path) -> bool:
    return False


LOG_FORMATS = Registry(
    "log format",
    [
        LogFormat("s2eval", "run.yaml", _never, runs.read_scored),
        LogFormat(
            "lm-eval", "results_*.json of lm_eval --output_path … --log_samples", lm_eval.is_file, lm_eval.read_scored
        ),
        LogFormat("mtbench", "judgments.jsonl", _never, judgment_reader.read_ours),
        LogFormat(
            "fastchat",
            "judgments (…_single.jsonl, …_pair.jsonl)",
            judgment_reader.is_fastchat,
            judgment_reader.read_fastchat,
        ),
        LogFormat("inspect", "logs of Inspect (.json)", inspect_log.is_file, inspect_log.read_scored),
    ],
    group="s2eval.readers",
    see="s2eval ls logs",
)
"""In the order in which a folder is read. A file that several take for theirs is of the last one."""
