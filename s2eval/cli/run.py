"""`s2eval run CONFIG.yaml`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2eval.errors import InterruptedRunError, PrerequisiteError

if TYPE_CHECKING:
    from s2eval.config import Checks, RunConfig
    from s2eval.models import ModelSpec
    from s2eval.run.plan import Unit
    from s2eval.run.stored_plan import PlannedUnit


def run(
    config: Annotated[Path, typer.Argument(help="the run's YAML; see docs/running.md")],
    out: Annotated[Path | None, typer.Option(help="run folder; by default the config's `out`, else runs/NAME")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="documents per task; overrides the config")] = None,
    only: Annotated[list[str] | None, typer.Option(help="pattern over model/task, model or task; repeatable")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="evaluate again what is done")] = False,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="go on after a unit that failed (exit 3)")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what it would take: tokens, time, memory")] = False,
    status: Annotated[bool, typer.Option("--status", help="say what is done and what is not")] = False,
) -> None:
    """Evaluate every model on every task of a configuration, resume where it stopped, then report."""
    from s2eval import config as configuration

    settings = configuration.load(config, None if status else checks())
    if limit is not None:
        settings = settings.model_copy(update={"limit": limit})
    folder = out or Path(settings.out or f"runs/{settings.name}")
    if settings.data_dir is not None:
        os.environ["S2_DATA_DIR"] = settings.data_dir
    if status and print_stored(folder, settings, only or ()):
        return
    if status:  # what is new must be right
        configuration.load(config, checks())

    from s2eval.llm import prices
    from s2eval.run import judges, local, plan, stored_plan

    local.quiet_lm_eval()
    specs = parse_models(settings, config)
    units = plan.plan(settings, specs, folder)
    plan.check_chat_arguments(units, settings)
    all_judged = judges.plan(settings)
    picked = plan.select([*units, *all_judged], only or ())
    chosen = [part for part in picked if isinstance(part, plan.Unit)]
    judged = [part for part in picked if isinstance(part, judges.Judged)]
    if dry_run or status:
        if dry_run:
            describe(units, [unit for unit in chosen if fresh or not unit.done], settings)
        else:
            print_units(chosen, settings)
            stored_plan.write(folder, settings, units, all_judged)
        for one, asked in judges.pending(judged, folder):
            problem = judges.problem(one, folder)
            state = "broken" if problem else "to do" if asked.calls else "done"
            broken = f"; {problem}, so it is judged again" if problem else ""
            money = f", {prices.describe(asked)}" if asked.calls and one.how.judge.remote else ""
            typer.echo(
                f"{state:6} {one.name}: {len(one.suite.questions)} questions, {asked.calls} calls{money}{broken}"
            )
        typer.echo(f"{sum(unit.done for unit in chosen)} of {len(chosen)} units done in {folder}")
        if dry_run:
            judges.check(judged, folder)
        return
    judges.check(judged, folder)

    options: list[str] = [f"--out={out}"] if out else []
    options += [f"--limit={limit}"] if limit else []
    options += [f"--only={pattern}" for pattern in only or ()]
    options += ["--keep-going"] if keep_going else []
    resume = shlex.join(["s2eval", "run", str(config), *options])

    def tell(line: str) -> None:
        typer.echo(line, err=True)

    try:
        with local.locked(folder):
            local.report_broken(chosen, tell)
            if fresh:
                local.forget(chosen)
            local.check_larger_results(chosen)
            # before the first unit, so that a report of a killed run tells what is missing
            write_config(settings, folder, units)
            stored_plan.write(folder, settings, units, all_judged)
            try:
                failures = local.evaluate(chosen, settings, keep_going=keep_going, say=tell)
                if judged:
                    failures += judges.judge(judged, folder, keep_going=keep_going, say=tell)
            finally:
                write_config(settings, folder, units)
                stored_plan.write(folder, settings, units, all_judged)
            if failures and not any(unit.done for unit in units):  # nothing to report
                raise local.incomplete(failures, resume)
            report = finish(folder)
    except KeyboardInterrupt:
        done = sum(unit.done for unit in units)
        raise InterruptedRunError(f"interrupted; {done} of {len(units)} units are kept. To go on: {resume}") from None
    typer.echo(str(report))
    if failures:
        raise local.incomplete(failures, resume)


def print_stored(folder: Path, settings: RunConfig, only: Sequence[str]) -> bool:
    """Print the state of a run from the plan in its folder; whether that could tell it."""
    from s2eval.run import stored_plan

    planned = stored_plan.read(folder, settings)
    if planned is None:
        return False
    if only:
        from s2eval.run import plan

        planned = plan.select(planned, only)
    units = [one for one in planned if isinstance(one, stored_plan.PlannedUnit)]
    judged = [one for one in planned if isinstance(one, stored_plan.PlannedJudge)]
    print_units(units, settings)
    for one in judged:  # how many calls are left, only a new plan knows
        state, rest = ("done", ", 0 calls") if one.done else ("to do", "; --dry-run counts the calls")
        if problem := one.problem:
            state, rest = "broken", f"; {one.path.name}: {problem}, so it is judged again"
        typer.echo(f"{state:6} {one.name}: {one.questions} questions{rest}")
    typer.echo(f"{sum(unit.done for unit in units)} of {len(units)} units done in {folder}")
    return True


def print_units(units: Sequence[Unit | PlannedUnit], settings: RunConfig) -> None:
    """Print which units are done, and what is wrong with those that are broken."""
    for unit in units:
        state = "done" if unit.done else "to do"
        counts = f"{unit.documents} documents, {unit.requests} requests"
        problem = f"; {broken}, so it is evaluated again" if (broken := problem_of(unit, settings)) else ""
        typer.echo(f"{'broken' if problem else state:6} {unit.name}: {counts}{problem}")


def problem_of(unit: Unit | PlannedUnit, settings: RunConfig) -> str:
    """What is broken of a unit's result, its BERTScore included."""
    from s2eval import store

    scored = "bertscore" in settings.metrics and unit.answers and (unit.folder / store.BERTSCORE).exists()
    return unit.problem or (store.bertscore_problem(unit.folder) if scored else "")


def checks() -> Checks:
    """What knows the names that a configuration may hold, so that its errors can be told at once."""
    from s2eval import prompts
    from s2eval.models import EMBEDDED, parse
    from s2eval.report import load_references
    from s2eval.run import plan

    def model(name: str) -> None:
        if name in EMBEDDED:  # made when all the rest is known to be right
            return
        try:
            parse(name)
        except PrerequisiteError:  # no error of the configuration; `parse_models` tells it
            return

    def template(name: str) -> None:
        if name != "chat":  # that needs a tokenizer
            prompts.get(name)

    def task(name: str) -> None:
        plan.expand([name])

    return {"task": task, "model": model, "template": template, "reference": load_references().check}


def parse_models(settings: RunConfig, path: Path) -> list[ModelSpec]:
    """Every MODEL of the configuration, parsed and checked; embedded ones are made.

    Raises:
        PrerequisiteError: with all models that are not there or not whole.
    """
    from s2eval.models import parse

    specs: list[ModelSpec] = []
    missing: list[str] = []
    for number, entry in enumerate(settings.models):
        try:
            specs.append(parse(entry.model))
            check_whole(specs[-1], entry.args.get("gguf_file"))
        except PrerequisiteError as error:
            missing.append(f"\n  models.{number}: {error}")
    if missing:
        raise PrerequisiteError(f"{path}: cannot use{''.join(missing)}")
    return specs


def check_whole(spec: ModelSpec, gguf: str | None) -> None:
    """Raise PrerequisiteError if a file of a local model or adapter is truncated, by its head."""
    from s2eval.weights import check_files

    for name, file in ((spec.pretrained, gguf), (spec.peft, None)):
        if name is not None and (folder := Path(name).expanduser()).is_dir():
            check_files(folder, f"model {spec.text}", file)


def describe(units: Sequence[Unit], chosen: Sequence[Unit], settings: RunConfig) -> None:
    """Print what the chosen units would take."""
    from s2eval.run import estimate, forecast

    if chosen:
        besides = estimate.memory_besides()
        typer.echo(forecast.describe(list(estimate.estimate(units, chosen, settings)), besides))
        typer.echo()


def write_config(settings: RunConfig, folder: Path, units: Sequence[Unit]) -> None:
    """Write `run.yaml`: the configuration, its tasks resolved to leaf tasks, and the units that are not done."""
    from s2eval import store, yamltext
    from s2eval.llm.secrets import redact

    content = settings.model_dump(mode="json", exclude_none=True)
    for judge in content.get("judges", []):
        if "base_url" in judge:  # it may hold a password
            judge["base_url"] = redact(judge["base_url"])
    content["tasks"] = list(dict.fromkeys(unit.task.task_name for unit in units))
    unfinished = [unit.name for unit in units if not unit.done]
    if unfinished:
        content["unfinished"] = unfinished
    with store.explain_os_errors(folder), store.write_atomically(folder / store.RUN) as file:
        yamltext.dump(content, file)


def finish(folder: Path) -> Path:
    """Write `scores.csv`, `report.md` and `report.html` of what is done; gives the page's path."""
    from s2eval import store
    from s2eval.report import folders, render_markdown
    from s2eval.report.build import Report
    from s2eval.report.charts.files import write_radars
    from s2eval.report.html import write_page

    source = folders.read(folder)
    page = (folder / store.REPORT).with_suffix(".html")
    with store.explain_os_errors(folder):
        store.write_scores(folder / store.SCORES, source.rows)
        report = Report([source], published=bool(source.references))
        with store.write_atomically(folder / store.REPORT) as file:
            file.write(render_markdown(report.document))
        write_radars(folder, source.rows)
        write_page(page, report.illustrated, source.scored)
    return page
