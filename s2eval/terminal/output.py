"""What a command prints besides its result, and how much of it."""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

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
    """Begin a command of the program, at the usual amount of output."""
    _settings.program = program
    _settings.verbose = _settings.quiet = False
    _settings.debug = bool(os.environ.get("S2EVAL_DEBUG"))


def configure(*, verbose: bool, quiet: bool, debug: bool) -> None:
    """Apply `-v`, `-q` and `--debug`, wherever in the command line they stand."""
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
    """The name of the program that runs."""
    return _settings.program


def is_quiet() -> bool:
    """Whether only results and errors are printed."""
    return _settings.quiet


def is_verbose() -> bool:
    """Whether what is logged is printed as well."""
    return _settings.verbose


def is_debug() -> bool:
    """Whether an error is shown with its traceback."""
    return _settings.debug


def note(line: str) -> None:
    """Print a line to standard error, unless `--quiet`."""
    if not _settings.quiet:
        typer.echo(line, err=True)


def echo_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def resume_command() -> str:
    """The command line of this process, to be repeated; passwords in URLs are masked."""
    from s2eval.llm.secrets import redact

    return redact(shlex.join([_settings.program, *sys.argv[1:]]))


@contextmanager
def resumable(kept: str) -> Iterator[None]:
    """Turn Ctrl-C into an error that says what is kept, and how to resume.

    Raises:
        InterruptedRunError: the user interrupted the block.
    """
    try:
        yield
    except KeyboardInterrupt:  # typer would end the command silently
        raise InterruptedRunError(f"interrupted; {kept}. To resume: {resume_command()}") from None
