"""A whole run: planned, evaluated unit by unit, judged, reported. `s2eval run` and `s2eval.evaluate` call it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from s2eval.config import RunConfig
from s2eval.errors import InterruptedRunError

if TYPE_CHECKING:
    from s2eval.run.judges import Judged
    from s2eval.run.plan import Unit
    from s2eval.run.progress import Progress


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run consists of: all units and judges, and those that `--only` left."""

    settings: RunConfig
    folder: Path
    units: Sequence[Unit]
    judged: Sequence[Judged]
    chosen: Sequence[Unit]
    chosen_judged: Sequence[Judged]

    @property
    def done(self) -> int:
        """How many of the chosen units have their results."""
        return sum(unit.done for unit in self.chosen)


@dataclass(frozen=True, slots=True)
class Finished:
    """The report's page, and `model/task: why` of each unit that failed."""

    page: Path
    failures: Sequence[str]


def plan_run(settings: RunConfig, folder: Path, only: Sequence[str] = (), where: str = "configuration") -> RunPlan:
    """Plan a run without loading or evaluating; `only` are patterns over `model/task`, model or task, `where` is the
    configuration's place for messages. Raises UsageError or PrerequisiteError if a model, task or judge is missing."""
    from s2eval.run import judges, local, plan
    from s2eval.run.settings import parse_models

    local.quiet_lm_eval()
    units = plan.plan(settings, parse_models(settings, where), folder)
    judged = judges.plan(settings)
    parts = plan.select([*units, *judged], only)
    chosen = [part for part in parts if isinstance(part, plan.Unit)]
    chosen_judged = [part for part in parts if isinstance(part, judges.Judged)]
    return RunPlan(settings, folder, units, judged, chosen, chosen_judged)


def execute(
    run: RunPlan, progress: Progress, *, fresh: bool = False, keep_going: bool = False, resume: str
) -> Finished:
    """Evaluate and judge what is not done (with `fresh` also what is), then write the report; `resume` is the
    command for messages. Raises InterruptedRunError, IncompleteError if everything failed, and unless `keep_going`
    the first S2Error."""
    from s2eval import store
    from s2eval.run import judges, local

    judges.check(run.chosen_judged, run.folder)
    try:
        with local.locked(run.folder):
            for unit in run.chosen:
                if problem := unit.problem:
                    progress.log(f"{unit.name} is broken: {problem}; it is evaluated again")
                if fresh:  # the old result is kept until the new one replaces it
                    (unit.folder / store.UNIT).unlink(missing_ok=True)
            local.check_larger_results(run.chosen)
            write_plan(run)  # before the first unit, so that a report of a killed run shows what is missing
            try:
                failures = local.evaluate(run.chosen, run.settings, keep_going=keep_going, progress=progress)
                if run.chosen_judged:
                    failures += judges.judge(run.chosen_judged, run.folder, keep_going=keep_going, progress=progress)
            finally:
                write_plan(run)
            if failures and not any(unit.done for unit in run.units):  # nothing to report
                raise local.incomplete(failures, resume)
            return Finished(write_report(run.folder), failures)
    except KeyboardInterrupt:
        kept = f"{sum(unit.done for unit in run.units)} of {len(run.units)} units are kept"
        raise InterruptedRunError(f"interrupted; {kept}. To resume: {resume}") from None


def write_plan(run: RunPlan) -> None:
    """Write `run.yaml` (the configuration, its tasks resolved to leaf tasks, and the units that are not done), and the
    plan that `--status` reads."""
    from s2eval import store
    from s2eval.files import yamltext
    from s2eval.llm.secrets import redact
    from s2eval.run import stored_plan

    content = run.settings.model_dump(mode="json", exclude_none=True)
    for judge in content.get("judges", []):
        if "base_url" in judge:  # it may hold a password
            judge["base_url"] = redact(judge["base_url"])
    content["tasks"] = list(dict.fromkeys(unit.task.task_name for unit in run.units))
    if unfinished := [unit.name for unit in run.units if not unit.done]:
        content["unfinished"] = unfinished
    with store.explain_os_errors(run.folder), store.write_atomically(run.folder / store.RUN) as file:
        file.write(yamltext.dump(content))
    stored_plan.write(run.folder, run.settings, run.units, run.judged)


def write_report(folder: Path) -> Path:
    """Write `scores.csv`, `report.md` and `report.html` of what is done; gives the page's path."""
    from s2eval import store
    from s2eval.report import provenance, render_markdown, sources
    from s2eval.report.build import Report
    from s2eval.report.charts.report_charts import write_radars
    from s2eval.report.html import write_page

    with store.explain_os_errors(folder):
        provenance.record(folder)
    source = sources.read(folder)
    page = (folder / store.REPORT).with_suffix(".html")
    with store.explain_os_errors(folder):
        store.write_scores(folder / store.SCORES, source.rows)
        report = Report([source], published=bool(source.references))
        with store.write_atomically(folder / store.REPORT) as file:
            file.write(render_markdown(report.document))
        write_radars(folder, source.rows)
        write_page(page, report.illustrated, source.scored)
    return page
