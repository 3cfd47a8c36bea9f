"""What runs, and how long it will take: from the units that were finished before, in this run or an earlier one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from s2eval import store
from s2eval.models.backend.backend_stats import remarks
from s2eval.run.plan import Unit


class Progress:
    """Reports each unit as it starts and ends, with the time that remains as far as it can be known.

    Args:
        units: of the run.
        say: is given each line.
    """

    def __init__(self, units: Sequence[Unit], say: Callable[[str], None]) -> None:
        self._units, self._print = units, say
        self._seconds = {unit.name: seconds for unit in units if (seconds := _taken(unit)) is not None}

    def say(self, line: str) -> None:
        """Report something else."""
        self._print(line)

    def start(self) -> None:
        """Report what is done already."""
        if done := sum(unit.done for unit in self._units):
            self.say(f"{done} of {len(self._units)} units are done already")

    def during(self, unit: Unit, work: Callable[[], None]) -> None:
        """Do the work of one unit."""
        number = self._units.index(unit) + 1
        expected = self._expected(unit)
        about = f", about {duration(expected)}" if expected else ""
        self.say(
            f"[{number}/{len(self._units)}] {unit.name}: {unit.documents} documents, {unit.requests} requests{about}"
        )
        started = time.monotonic()
        work()
        self._seconds[unit.name] = time.monotonic() - started
        taken = duration(self._seconds[unit.name])
        done = facts(unit)
        known = "".join(f"; {remark}" for remark in remarks([done["work"]] if "work" in done else []))
        self.say(f"[{number}/{len(self._units)}] {unit.name}: done in {taken}{known}{self._remaining()}")

    def judging(self, name: str, who: str, done: int, total: int) -> None:
        """A model and a judge have had so many of their calls answered."""

    def _remaining(self) -> str:
        pending = [unit for unit in self._units if not unit.done]
        if not pending:
            return ""
        expected = [self._expected(unit) for unit in pending]
        if any(one is None for one in expected):
            known = duration(sum(one for one in expected if one is not None))
            return f"; {len(pending)} units left, more than {known}"
        return f"; {len(pending)} units left, about {duration(sum(one or 0.0 for one in expected))}"

    def _expected(self, unit: Unit) -> float | None:
        """Seconds of the same task with another model; else by the requests of the same kind of task."""
        same = [self._seconds[other.name] / other.documents for other in self._others(unit, same_task=True)]
        if same:
            return unit.documents * sum(same) / len(same)
        kind = [self._seconds[other.name] / other.requests for other in self._others(unit, same_task=False)]
        return unit.requests * sum(kind) / len(kind) if kind else None

    def _others(self, unit: Unit, *, same_task: bool) -> list[Unit]:
        return [
            other
            for other in self._units
            if other.name in self._seconds
            and (other.task.task_name == unit.task.task_name if same_task else other.answers == unit.answers)
        ]


def facts(unit: Unit) -> dict[str, Any]:
    """What its `unit.json` says; nothing, if it is not done."""
    return json.loads((unit.folder / store.UNIT).read_text(encoding="utf-8")) if unit.done else {}


def _taken(unit: Unit) -> float | None:
    return float(facts(unit).get("seconds", 0)) or None


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
