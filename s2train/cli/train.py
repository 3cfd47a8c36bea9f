"""A command for each stage of training: a configuration becomes a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from s2eval.terminal import resumable
from s2train.stages import Stage, load, training_for


def examples(name: str) -> Sequence[str]:
    """Command lines of a stage."""
    return (
        f"s2train {name} examples/recipes/smollm2-{name}.yaml --dry-run",
        f"s2train {name} examples/recipes/smollm2-{name}.yaml out=runs/{name} arguments.learning_rate=1e-4",
    )


def command(stage: Stage) -> Callable[..., None]:
    """The typer command of a stage."""

    def train(
        config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="A configuration; see examples/recipes.")],
        overrides: Annotated[
            list[str] | None, typer.Argument(metavar="[key=value...]", help="Keys to set, such as model.base=smollm2.")
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Print memory, steps, tokens and time; load and write nothing.")
        ] = False,
        fresh: Annotated[bool, typer.Option("--fresh", help="Start again, and replace what exists.")] = False,
    ) -> None:
        _train(stage, config, overrides or [], dry_run, fresh)

    train.__doc__ = stage.help
    return train


def _train(stage: Stage, config: Path, overrides: list[str], dry_run: bool, fresh: bool) -> None:
    settings = load(stage, config, overrides)
    training = training_for(stage, getattr(settings, "algorithm", None))
    job = training.prepare(settings, str(config))
    for line in training.forecast(job) if dry_run else job.lines():
        typer.echo(line)
    if dry_run:
        return
    with resumable(f"{job.work} is kept"):
        measured = training.run(job, fresh)
    for key, value in measured.items():
        typer.echo(f"{key:32} {value:,.4g}")
    typer.echo(f"written: {job.out}")
