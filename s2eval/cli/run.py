"""`s2eval run CONFIG.yaml` and `s2eval run MODEL… --tasks T`."""

import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2eval.terminal import echo_json
from s2eval.terminal.options import OUTPUT_PANEL, JsonOption, split_names

if TYPE_CHECKING:
    from s2eval.run.engine import RunPlan
    from s2eval.run.status import RunStatus

EXAMPLES = (
    "s2eval run smollm2 --tasks s2demo_qa --limit 8",
    "s2eval run base adapter:runs/sft --tasks s2_leaderboard,s2_qa --out runs/sft-effect",
    "s2eval run paper.yaml batch_size=16 --only 'llama/*'",
    "s2eval run paper.yaml --status --json",
)
_WHAT, _HOW = "What is evaluated", "How"


def run(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG.yaml|MODEL... [key=value...]",
            help="A configuration, or one or more models; then keys of the configuration to set, such as limit=8.",
        ),
    ],
    tasks: Annotated[
        list[str] | None,
        typer.Option(metavar="T,T...", help="Tasks, groups, tags or patterns; repeatable.", rich_help_panel=_WHAT),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Documents per task.", rich_help_panel=_WHAT)
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Units by model/task, model or task; repeatable.", rich_help_panel=_WHAT),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Run folder. Default: the configuration's `out`, else runs/NAME.", rich_help_panel=_HOW
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Evaluate again what is done.", rich_help_panel=_HOW)] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Continue after a unit that failed (exit 3).", rich_help_panel=_HOW)
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print tokens, time and memory; evaluate nothing.", rich_help_panel=_HOW)
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Print what is done and what is not.", rich_help_panel=OUTPUT_PANEL)
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Evaluate every model on every task, then report.

    The same command resumes where it was stopped: what is done is not evaluated again.
    """
    from s2eval.run import settings as run_settings

    config, models, overrides = run_settings.split_arguments(targets)
    names = split_names(tasks or ())
    options = {"tasks": names or None, "limit": limit}
    # --status of an unchanged run needs no lookup of names
    settings = run_settings.load(config, models, options, overrides, None if status else run_settings.checks())
    folder = out or Path(settings.out or f"runs/{settings.name}")
    if settings.data_dir is not None:
        os.environ["S2_DATA_DIR"] = settings.data_dir
    if status:
        from s2eval.run.status import stored_status

        if stored := stored_status(folder, settings, only or ()):
            _print_status(stored, as_json)
            return
        run_settings.load(config, models, options, overrides, run_settings.checks())

    from s2eval.run import engine

    planned = engine.plan_run(settings, folder, only or (), str(config or "command line"))
    if status:
        from s2eval.run import stored_plan
        from s2eval.run.status import planned_status

        stored_plan.write(folder, settings, planned.units, planned.judged)
        _print_status(planned_status(planned), as_json)
    elif dry_run:
        _print_forecast(planned, fresh)
    else:
        resume = ["s2eval", "run", *targets]
        resume += [f"--tasks={','.join(names)}"] if names else []
        resume += [f"--out={out}"] if out else []
        resume += [f"--limit={limit}"] if limit else []
        resume += [f"--only={pattern}" for pattern in only or ()]
        resume += ["--keep-going"] if keep_going else []
        _execute(planned, fresh, keep_going, shlex.join(resume), as_json)


def _execute(planned: "RunPlan", fresh: bool, keep_going: bool, resume: str, as_json: bool) -> None:
    from s2eval.run import engine, local
    from s2eval.terminal.live import show_progress
    from s2eval.terminal.scoreboard import print_scoreboard

    with show_progress(planned) as progress:
        finished = engine.execute(planned, progress, fresh=fresh, keep_going=keep_going, resume=resume)
    print_scoreboard(planned.folder)
    if as_json:
        echo_json({"out": planned.folder, "report": finished.page, "failures": finished.failures})
    else:
        typer.echo(str(finished.page))
    if finished.failures:
        raise local.incomplete(finished.failures, resume)


def _print_status(status: "RunStatus", as_json: bool) -> None:
    if as_json:
        echo_json({"out": status.folder, "parts": [asdict(part) for part in status.parts]})
        return
    for part in status.parts:
        typer.echo(str(part))
    typer.echo(status.summary)


def _print_forecast(planned: "RunPlan", fresh: bool) -> None:
    """Print the cost of the units that are not done, and check the judges' servers."""
    from s2eval.run import estimate, forecast, judges
    from s2eval.run.status import judged_status

    pending = [unit for unit in planned.chosen if fresh or not unit.done]
    if pending:
        besides = estimate.memory_besides()
        estimates = list(estimate.estimate(planned.units, pending, planned.settings))
        typer.echo(forecast.describe(estimates, besides))
        typer.echo()
    for part in judged_status(planned):
        typer.echo(str(part))
    typer.echo(f"{planned.done} of {len(planned.chosen)} units done in {planned.folder}")
    judges.check(planned.chosen_judged, planned.folder)
