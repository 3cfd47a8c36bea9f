"""What is done of a run and what is not: from a stored plan where that still holds, else from a new one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2eval import store
from s2eval.config import RunConfig
from s2eval.run import stored_plan
from s2eval.run.engine import RunPlan
from s2eval.run.stored_plan import PlannedUnit


@dataclass(frozen=True, slots=True)
class PartStatus:
    """The state (done, to do or broken) of `model/task` or `model/mtbench/judge`, with its size in words and what is
    broken."""

    state: str
    name: str
    size: str
    problem: str = ""
    unit: bool = True

    def __str__(self) -> str:
        again = "evaluated" if self.unit else "judged"
        consequence = f"; {self.problem}, so it is {again} again" if self.problem else ""
        return f"{self.state:6} {self.name}: {self.size}{consequence}"


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The parts of a run, and how many of its units are done."""

    folder: Path
    parts: Sequence[PartStatus]

    @property
    def summary(self) -> str:
        """`7 of 14 units done in runs/demo`."""
        units = [part for part in self.parts if part.unit]
        return f"{sum(part.state == 'done' for part in units)} of {len(units)} units done in {self.folder}"


def stored_status(folder: Path, settings: RunConfig, only: Sequence[str]) -> RunStatus | None:
    """The state from the plan stored in the folder; None where that holds no longer."""
    planned = stored_plan.read(folder, settings)
    if planned is None:
        return None
    if only:
        from s2eval.run import plan

        planned = plan.select(planned, only)
    parts: list[PartStatus] = []
    for part in planned:
        if isinstance(part, PlannedUnit):
            parts.append(_unit_status(part, settings))
            continue
        # how many calls are left, only a new plan knows
        problem = f"{part.path.name}: {part.problem}" if part.problem else ""
        left = "" if problem else ", 0 calls" if part.done else "; --dry-run counts the calls"
        state = "broken" if problem else "done" if part.done else "to do"
        parts.append(PartStatus(state, part.name, f"{part.questions} questions{left}", problem, unit=False))
    return RunStatus(folder, parts)


def planned_status(run: RunPlan) -> RunStatus:
    """The state from a plan that was just made."""
    return RunStatus(run.folder, [*(_unit_status(unit, run.settings) for unit in run.chosen), *judged_status(run)])


def judged_status(run: RunPlan) -> Iterator[PartStatus]:
    """The judges of a plan, with the calls that are left."""
    from s2eval.llm import prices
    from s2eval.run import judges

    for judged, left in judges.pending(run.chosen_judged, run.folder):
        problem = judges.problem(judged, run.folder)
        state = "broken" if problem else "to do" if left.calls else "done"
        cost = f", {prices.describe(left)}" if left.calls and judged.settings.judge.remote else ""
        size = f"{len(judged.suite.questions)} questions, {left.calls} calls{cost}"
        yield PartStatus(state, judged.name, size, problem, unit=False)


def _unit_status(unit: PlannedUnit, settings: RunConfig) -> PartStatus:
    scored = "bertscore" in settings.metrics and unit.answers and (unit.folder / store.BERTSCORE).exists()
    problem = unit.problem or (store.bertscore_problem(unit.folder) if scored else "")
    state = "broken" if problem else "done" if unit.done else "to do"
    return PartStatus(state, unit.name, f"{unit.documents} documents, {unit.requests} requests", problem)
