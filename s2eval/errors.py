"""Every exception that a user can meet, on one page, with the exit code that it ends a command with.

    S2Error (1)
    ├── UsageError (2)           the call, the configuration or the data is wrong
    │   ├── ConfigError          one or more keys of a configuration; all of them at once
    │   ├── DataError            a data file: missing, or a broken line
    │   └── UnknownNameError     no task, model, metric … of that name; says the nearest one
    ├── PrerequisiteError (1)    something that must be there first: an extra, weights, disk space
    ├── ServiceError (1)         a language model behind an API: key refused, quota exhausted, no such model
    ├── DisagreementError (1)    two ways of computing a number differ: neither is reported
    ├── IncompleteError (3)      the run finished, some items failed; says which and how to resume
    │   └── BudgetError          the limit on calls or cost was reached
    └── InterruptedRunError (130) stopped by the user; the same command resumes

A message says what is wrong, where, and what to do about it. `s2eval` and `s2train` print it as one
paragraph without a traceback; `--debug` shows the traceback too.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class S2Error(Exception):
    """Base of all; ends a command with `exit_code`."""

    exit_code = 1


class UsageError(S2Error):
    """The call, the configuration or the data is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """All errors of a configuration file; `problems` has a line for each, `key: what is wrong`."""

    def __init__(self, where: str, problems: Iterable[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        noun = "error" if len(self.problems) == 1 else "errors"
        super().__init__(f"{where}: {len(self.problems)} {noun}{lines}")


class DataError(UsageError):
    """A data file is missing, or one of its lines is broken."""


class UnknownNameError(UsageError):
    """Nothing of that kind has that name.

    >>> str(UnknownNameError("task", "s2_elli5", ["s2_eli5", "s2_wiki"], see="s2eval ls tasks"))
    "unknown task 's2_elli5'; did you mean 's2_eli5'? See: s2eval ls tasks"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], see: str | None = None) -> None:
        self.name = name
        close = nearest(name, known)
        hint = f"; did you mean {close!r}?" if close else "."
        super().__init__(f"unknown {kind} {name!r}{hint}" + (f" See: {see}" if see else ""))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The closest of `known` to `name`, whatever its case; None where none is close.

    >>> nearest("llama-2-7b-eli5", ["Llama-2-7b-wiki", "Llama-2-7b-ELI5"])
    'Llama-2-7b-ELI5'
    """
    folded = {other.casefold(): other for other in known}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.5)
    return folded[close[0]] if close else None


class PrerequisiteError(S2Error):
    """Something that is needed first is missing: an extra, a model's weights, disk space, a permission."""


class ServiceError(S2Error):
    """A language model behind an API no longer answers: the key is refused, the quota exhausted, no such model."""


class DisagreementError(S2Error):
    """Two ways of computing a number differ by more than rounding: neither is reported."""


class IncompleteError(S2Error):
    """The work is finished, but some items failed; nothing that succeeded is lost."""

    exit_code = 3


class BudgetError(IncompleteError):
    """The limit on calls or cost is reached; what was answered is kept, the rest waits for a higher limit."""


class InterruptedRunError(S2Error):
    """Stopped by the user; the same command resumes."""

    exit_code = 130
