"""Folders and files of any format → what models scored, item by item, under names that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from s2eval import store
from s2eval.errors import DataError
from s2eval.identity import name_models
from s2eval.judge.verdicts.parsers import Parser
from s2eval.report.read import inspect_log
from s2eval.report.read.formats import LOG_FORMATS
from s2eval.report.read.items import LogContents, joined


def read(paths: Sequence[Path], parser: Parser = "strict") -> LogContents:
    """Everything in some folders or files; models are named as `s2eval.identity.name_models` decides.

    Raises:
        DataError: a broken file, or nothing to compare in one of the paths.
        UsageError: a form of log that cannot be read, with what to do.
    """
    distinct = {path.resolve(): path for path in paths}.values()
    logs = joined(_comparable(path, parser) for path in distinct)
    own = [scored.identity for scored in logs.scored if scored.identity]
    sides = [identity for contest in logs.contests for identity in contest.identities or ()]
    names = iter(name_models([*own, *sides]))
    return LogContents(
        tuple(scored.renamed(next(names)) if scored.identity else scored for scored in logs.scored),
        tuple(
            replace(contest, model=next(names), against=next(names)) if contest.identities else contest
            for contest in logs.contests
        ),
        logs.remarks,
    )


def contents(path: Path, parser: Parser = "strict") -> LogContents:
    """What a folder or a file holds, of all formats; may be nothing."""
    if not path.is_file():
        return joined(format.read(path, parser) for format in LOG_FORMATS.values())
    owners = [format for format in LOG_FORMATS.values() if format.is_file(path)]
    owner = owners[-1] if owners else LOG_FORMATS["fastchat"]
    logs = owner.read(path, parser)
    if owner.name == "fastchat":
        return logs
    return replace(  # a file that the user named is no repeat of another one
        logs,
        scored=tuple(
            replace(scored, identity=scored.identity and replace(scored.identity, folder=str(path)))
            for scored in logs.scored
        ),
    )


def _comparable(path: Path, parser: Parser) -> LogContents:
    if not path.exists():
        raise DataError(f"{path}: no such folder or file")
    logs = contents(path, parser)
    if logs.scored or logs.contests:
        return logs
    if logs.remarks:
        raise DataError("\n".join((f"{path}: nothing to compare:", *logs.remarks)))
    if any(path.rglob("*.eval")):
        raise DataError(f"{path}: logs of Inspect in its binary form only; {inspect_log.CONVERT}")
    if (path / store.SCORES).is_file():
        raise DataError(
            f"{path}: averages only ({store.SCORES}): a comparison needs what each document scored. Name the "
            "folder of the run itself"
        )
    raise DataError(f"{path}: nothing to compare. Looked for {readable()}")


def readable() -> str:
    """What can be read, in words."""
    return ", ".join(format.description for format in LOG_FORMATS.values())
