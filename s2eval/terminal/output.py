"""What a command prints, and how much besides its result."""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from s2eval.errors import InterruptedRunError

_LOGGERS = ("s2eval", "s2train")


@dataclass(slots=True)
class _Settings:
    program: str = "s2eval"
    verbose: bool = False
    quiet: bool = False
    debug: bool = False


_settings = _Settings()


def reset(program: str) -> None:
    """Set the program and its usual amount of output."""
    _settings.program = program
    _settings.verbose = _settings.quiet = False
    _settings.debug = bool(os.environ.get("S2EVAL_DEBUG"))


def configure(*, verbose: bool, quiet: bool, debug: bool) -> None:
    """Apply `-v`, `-q` and `--debug`, of the program or of its command."""
    _settings.verbose |= verbose
    _settings.quiet |= quiet
    _settings.debug |= debug
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if _settings.verbose:
            logger.setLevel(logging.DEBUG)
            if not logger.handlers:
                handler = logging.StreamHandler()
                handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
                logger.addHandler(handler)
        elif _settings.quiet:
            logger.setLevel(logging.ERROR)


def program() -> str:
    return _settings.program


def is_quiet() -> bool:
    return _settings.quiet


def is_verbose() -> bool:
    return _settings.verbose


def is_debug() -> bool:
    return _settings.debug


def note(line: str) -> None:
    """Print a line to standard error, unless `--quiet`."""
    if not _settings.quiet:
        typer.echo(line, err=True)


def echo_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def write_or_print(text: str, out: Path | None) -> None:
    """Write a result to a file, else to standard output."""
    from s2eval import store

    if out is None:
        typer.echo(text, nl=False)
        return
    with store.explain_os_errors(out), store.write_atomically(out) as file:
        file.write(text)


def resume_command() -> str:
    """The command line of this process, to be repeated; passwords in URLs are masked."""
    from s2eval.llm.secrets import redact

    return redact(shlex.join([_settings.program, *sys.argv[1:]]))


@contextmanager
def resumable(state: str) -> Iterator[None]:
    """Turn Ctrl-C into an error on what is kept and how to resume.

    Raises:
        InterruptedRunError: the user interrupted the block.
    """
    try:
        yield
    except KeyboardInterrupt:  # typer would end the command silently
        raise InterruptedRunError(f"interrupted; {state}. To resume: {resume_command()}") from None
