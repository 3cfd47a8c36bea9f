"""`s2eval run CONFIG.yaml`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s2eval.errors import ConfigError, InterruptedRunError, S2Error

if TYPE_CHECKING:
    from s2eval.config import RunConfig
    from s2eval.models import ModelSpec
    from s2eval.run.plan import Unit


def run(
    config: Annotated[Path, typer.Argument(help="the run's YAML; see docs/running.md")],
    out: Annotated[Path | None, typer.Option(help="run folder; by default the config's `out`, else runs/NAME")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="documents per task; overrides the config")] = None,
    only: Annotated[list[str] | None, typer.Option(help="pattern over model/task, model or task; repeatable")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="evaluate again what is done")] = False,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="go on after a unit that failed (exit 3)")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be evaluated, load no model")] = False,
    status: Annotated[bool, typer.Option("--status", help="say what is done and what is not")] = False,
) -> None:
    """Evaluate every model on every task of a configuration, resume where it stopped, then report."""
    from s2eval import config as configuration

    settings = configuration.load(config)
    if limit is not None:
        settings = settings.model_copy(update={"limit": limit})
    folder = out or Path(settings.out or f"runs/{settings.name}")
    if settings.data_dir is not None:
        os.environ["S2_DATA_DIR"] = settings.data_dir
    check(settings, config)

    from s2eval.run import local, plan

    local.quiet_lm_eval()
    specs = parse_models(settings, config)
    units = plan.plan(settings, specs, folder)
    chosen = plan.select(units, only or ())
    if dry_run or status:
        for unit in chosen:
            state = "done" if unit.done else "to do"
            typer.echo(f"{state:6} {unit.name}: {unit.documents} documents, {unit.requests} requests")
        typer.echo(f"{sum(unit.done for unit in chosen)} of {len(chosen)} units done in {folder}")
        return

    resume = " ".join(
        ["s2eval run", str(config), *(["--out", str(out)] if out else []), *(["--limit", str(limit)] if limit else [])]
    )
    try:
        with local.locked(folder):
            if fresh:
                local.forget(chosen)
            # before the first unit, so that a report of a killed run tells what is missing
            write_config(settings, folder, units)
            failures = local.evaluate(
                chosen, settings, keep_going=keep_going, say=lambda line: typer.echo(line, err=True)
            )
            write_config(settings, folder, units)
            report = finish(folder)
    except KeyboardInterrupt:
        done = sum(unit.done for unit in units)
        raise InterruptedRunError(f"interrupted; {done} of {len(units)} units are kept. To go on: {resume}") from None
    typer.echo(str(report))
    if failures:
        raise local.incomplete(failures, resume)


def check(settings: RunConfig, path: Path) -> None:
    """What the schema cannot know: task, template and reference names. All errors at once.

    Raises:
        ConfigError: with the nearest right name of each.
    """
    from s2eval import prompts
    from s2eval.report import load_references
    from s2eval.run import plan

    problems: list[str] = []

    def attempt(where: str, action: Callable[..., Any], *arguments: Any) -> None:
        try:
            action(*arguments)
        except S2Error as error:
            problems.append(f"{where}: {error}")

    for number, task in enumerate(settings.tasks):
        attempt(f"tasks.{number}", plan.expand, [task])
    for number, entry in enumerate(settings.models):
        if entry.reference is not None:
            attempt(f"models.{number}.reference", load_references().check, entry.reference)
        if entry.template not in (None, "chat"):
            attempt(f"models.{number}.template", prompts.get, entry.template)
    if settings.template not in (None, "chat"):
        attempt("template", prompts.get, settings.template)
    if problems:
        raise ConfigError(str(path), problems)


def parse_models(settings: RunConfig, path: Path) -> list[ModelSpec]:
    """Every MODEL of the configuration, parsed and checked; embedded ones are made."""
    from s2eval.models import spec

    specs = []
    for number, entry in enumerate(settings.models):
        try:
            specs.append(spec.parse(entry.model))
        except S2Error as error:
            raise type(error)(f"{path}, models.{number}: {error}") from error
    return specs


def write_config(settings: RunConfig, folder: Path, units: Sequence[Unit]) -> None:
    """Write `run.yaml`: the configuration, its tasks resolved to leaf tasks, and the units that are not done."""
    import yaml

    from s2eval import store

    content = settings.model_dump(mode="json", exclude_none=True)
    content["tasks"] = list(dict.fromkeys(unit.task.task_name for unit in units))
    unfinished = [unit.name for unit in units if not unit.done]
    if unfinished:
        content["unfinished"] = unfinished
    with store.explain_os_errors(folder), store.write_atomically(folder / store.RUN) as file:
        yaml.safe_dump(content, file, sort_keys=False, allow_unicode=True)


def finish(folder: Path) -> Path:
    """Write `scores.csv` and `report.md` of what is done; gives the report's path."""
    from s2eval import store
    from s2eval.report import folders, render_markdown

    source = folders.read(folder)
    with store.explain_os_errors(folder):
        store.write_scores(folder / store.SCORES, source.rows)
        document = folders.document([source], published=bool(source.references))
        with store.write_atomically(folder / store.REPORT) as file:
            file.write(render_markdown(document))
    return folder / store.REPORT
