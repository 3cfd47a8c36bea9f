"""`s2train sft`, `s2train reward`, `s2train dpo`, `s2train ppo`: a configuration becomes a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from s2eval.terminal import resumable

HELP = {
    "sft": "Fine-tune on questions and answers; the same command resumes.",
    "reward": "Train a reward model on pairs of answers, and measure how far to believe it.",
    "dpo": "Optimise preferences directly on pairs of answers.",
    "ppo": "Let a policy answer, reward its answers by reward models, and learn from that.",
}


def examples(name: str) -> Sequence[str]:
    """Command lines of a stage."""
    return (
        f"s2train {name} examples/recipes/smollm2-{name}.yaml --dry-run",
        f"s2train {name} examples/recipes/smollm2-{name}.yaml out=runs/{name} arguments.learning_rate=1e-4",
    )


def command(name: str) -> Callable[..., None]:
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
        _train(name, config, overrides or [], dry_run, fresh)

    train.__doc__ = HELP[name]
    return train


def _train(name: str, config: Path, overrides: list[str], dry_run: bool, fresh: bool) -> None:
    from s2train.training.stages import STAGES, load

    settings = load(STAGES[name], config, overrides)
    stage = STAGES[name].of(getattr(settings, "algorithm", None))
    job = stage.prepare(settings, str(config))
    for line in stage.forecast(job) if dry_run else job.lines():
        typer.echo(line)
    if dry_run:
        return
    with resumable(f"{job.work} is kept"):
        measured = stage.run(job, fresh)
    for key, value in measured.items():
        typer.echo(f"{key:32} {value:,.4g}")
    typer.echo(f"written: {job.out}")
