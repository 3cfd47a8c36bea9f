"""What a run shows while it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from s2eval.run.engine import RunPlan
from s2eval.run.progress import Progress
from s2eval.terminal.output import note


@contextmanager
def show_progress(run: RunPlan) -> Iterator[Progress]:
    """Lines on standard error."""
    yield Progress(run.chosen, note)
