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
from s2eval.report.read.items import Contests, Found, Scored, renamed


def read(paths: Sequence[Path], parser: Parser = "strict") -> Found:
    """Everything in some folders or files; models are named as `s2eval.identity.name_models` decides.

    Raises:
        DataError: a broken file, or nothing to compare in one of the paths.
        UsageError: a form of log that cannot be read, with what to do.
    """
    each = [_read(path, parser) for path in {path.resolve(): path for path in paths}.values()]
    return named(
        [one for found in each for one in found.scored],
        [one for found in each for one in found.contests],
        list(dict.fromkeys(remark for found in each for remark in found.remarks)),
    )


def named(scored: Sequence[Scored], contests: Sequence[Contests], remarks: Sequence[str] = ()) -> Found:
    """The same under the names that tell their models apart."""
    sides = [identity for one in contests for identity in one.identities or ()]
    own = [one.identity for one in scored if one.identity]
    names = iter(name_models([*own, *sides]))
    return Found(
        tuple(renamed(one, next(names)) if one.identity else one for one in scored),
        tuple(replace(one, model=next(names), against=next(names)) if one.identities else one for one in contests),
        tuple(remarks),
    )


def contents(path: Path, parser: Parser = "strict") -> Found:
    """What lies in a folder or a file, of all formats; nothing where there is nothing."""
    if path.is_file():
        owners = [known for known in LOG_FORMATS.values() if known.is_file(path)]
        known = owners[-1] if owners else LOG_FORMATS["fastchat"]
        found = known.read(path, parser)
        if known.name == "fastchat":
            return found
        return replace(found, scored=tuple(_of_file(one, path) for one in found.scored))
    parts = [known.read(path, parser) for known in LOG_FORMATS.values()]
    return Found(
        tuple(one for part in parts for one in part.scored),
        tuple(one for part in parts for one in part.contests),
        tuple(remark for part in parts for remark in part.remarks),
    )


def _of_file(scored: Scored, path: Path) -> Scored:
    """Of a file that the user named: it is no repeat of another one."""
    return replace(scored, identity=scored.identity and replace(scored.identity, folder=str(path)))


def _read(path: Path, parser: Parser) -> Found:
    if not path.exists():
        raise DataError(f"{path}: no such folder or file")
    found = contents(path, parser)
    if not found.scored and not found.contests:
        if found.remarks:
            raise DataError("\n".join((f"{path}: nothing to compare:", *found.remarks)))
        if any(path.rglob("*.eval")):
            raise DataError(f"{path}: logs of Inspect in its binary form only; {inspect_log.CONVERT}")
        if (path / store.SCORES).is_file():
            raise DataError(
                f"{path}: averages only ({store.SCORES}): a comparison needs what each document scored. Name the "
                "folder of the run itself"
            )
        raise DataError(f"{path}: nothing to compare. Looked for {readable()}")
    return found


def readable() -> str:
    """What can be read, in words."""
    return ", ".join(known.description for known in LOG_FORMATS.values())
