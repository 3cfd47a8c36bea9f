"""What runs, and how long it will take: from the units that were finished before, in this run or an earlier one."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from s2eval import store
from s2eval.config import RunConfig
from s2eval.models.backend.backend_stats import remarks
from s2eval.run.plan import Unit

# Of a guess before anything was measured; `estimate` counts tokens instead.
_PARAMETERS = 135e6  # of the model that the seconds are of
_CHOICE = 0.3  # seconds a request on two cores
_ANSWER = 4.0  # seconds an answer, likewise
_ACCELERATOR = 50.0  # times as fast


class Progress:
    """Gives `log` a line for each unit as it starts and ends, with the time that remains as far as it can be known."""

    def __init__(self, units: Sequence[Unit], config: RunConfig, log: Callable[[str], None]) -> None:
        self._units, self._config, self._write = units, config, log
        self._seconds = {unit.name: float(seconds) for unit in units if (seconds := facts(unit).get("seconds"))}

    def log(self, line: str) -> None:
        """Report something else."""
        self._write(line)

    def start(self) -> None:
        """Report what is done already."""
        if done := sum(unit.done for unit in self._units):
            self.log(f"{done} of {len(self._units)} units are done already")

    def during(self, unit: Unit, work: Callable[[], None]) -> None:
        """Do the work of one unit."""
        title = f"[{self._units.index(unit) + 1}/{len(self._units)}] {unit.name}:"
        expected = self._expected(unit)
        about = f", about {duration(expected)}" if expected else ""
        self.log(f"{title} {unit.documents} documents, {unit.requests} requests{about}")
        started = time.monotonic()
        work()
        self._seconds[unit.name] = time.monotonic() - started
        stats = facts(unit).get("work")
        notes = "".join(f"; {remark}" for remark in remarks([stats] if stats else []))
        score = f"; {' '.join(scored)}" if (scored := headline_score(unit, self._config)) else ""
        self.log(f"{title} done in {duration(self._seconds[unit.name])}{score}{notes}{self._remaining()}")

    def judging(self, name: str, who: str, done: int, total: int) -> None:
        """A model and a judge have had so many of their calls answered."""

    def _remaining(self) -> str:
        pending = [self._expected(unit) for unit in self._units if not unit.done]
        if not pending:
            return ""
        known = [seconds for seconds in pending if seconds is not None]
        bound = "about" if len(known) == len(pending) else "more than"
        return f"; {len(pending)} units left, {bound} {duration(sum(known))}"

    def _expected(self, unit: Unit) -> float | None:
        """Seconds of the same task with another model; else by the requests of the same kind of task."""
        measured = [other for other in self._units if other.name in self._seconds]
        if same := [other for other in measured if other.task.task_name == unit.task.task_name]:
            return unit.documents * sum(self._seconds[other.name] / other.documents for other in same) / len(same)
        if kind := [other for other in measured if other.answers == unit.answers]:
            return unit.requests * sum(self._seconds[other.name] / other.requests for other in kind) / len(kind)
        return None


def facts(unit: Unit) -> dict[str, Any]:
    """The content of its `unit.json`; empty if it is not done."""
    return json.loads((unit.folder / store.UNIT).read_text(encoding="utf-8")) if unit.done else {}


def headline_score(unit: Unit, config: RunConfig) -> tuple[str, str] | None:
    """The headline metric of a unit that is done, of those that the run shows, and its value as text."""
    from s2eval.metrics.table import headline, metric_of, of_answers

    hidden = {name for family in of_answers().values() if family.name not in config.metrics for name in family.names}
    aggregates = store.read_unit(unit.folder).aggregates
    values = {name: value for name, (value, _) in aggregates.items() if name not in hidden and math.isfinite(value)}
    if not values:
        return None
    name = headline(list(values))
    metric = metric_of(name)
    return name, f"{values[name]:.{metric.digits if metric else 4}f}"


def rough_seconds(unit: Unit, config: RunConfig) -> float:
    """A guess of a unit's time, by the number of requests, the size of the weights' files and the device."""
    from s2eval.models.backend.hf import best_device

    seconds = unit.requests * (_ANSWER / config.batch_size * 2 if unit.answers else _CHOICE)
    device = unit.entry.device or best_device()
    files = Path(unit.spec.pretrained).expanduser().glob("*.safetensors")
    weights = sum(file.stat().st_size for file in files) or 2 * _PARAMETERS  # the common case of a hub id
    return seconds * max(weights / 2 / _PARAMETERS, 0.1) / (1.0 if device.startswith("cpu") else _ACCELERATOR)


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `2 h 05 min`."""
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"
