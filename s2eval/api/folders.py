"""For commands of other packages that evaluate: their folder's name and lock, their tasks checked before the work."""

from __future__ import annotations

from collections.abc import Sequence

from s2eval.config import default_name
from s2eval.run.local import locked, quiet_lm_eval

__all__ = ["check_tasks", "default_name", "locked", "quiet_lm_eval"]


def check_tasks(names: Sequence[str]) -> None:
    """Raise UnknownNameError for a task, group, tag or pattern that lm-eval does not have."""
    from s2eval.run import plan

    if names:
        plan.expand(names)
