"""`s2train sft`, `s2train reward`, `s2train dpo`, `s2train ppo`: a configuration becomes a checkpoint."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from s2eval.errors import InterruptedRunError

HELP = {
    "sft": "Fine-tune on questions and answers; a stopped training goes on where it was.",
    "reward": "Train a reward model on pairs of answers, and measure how far to believe it.",
    "dpo": "Optimise preferences directly on pairs of answers.",
    "ppo": "Let a policy answer, reward its answers by reward models, and learn from that.",
}


def command(name: str) -> Callable[..., None]:
    """The typer command of a stage."""

    def train(
        config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="see examples/recipes")],
        overrides: Annotated[
            list[str] | None, typer.Argument(metavar="[key=value]…", help="e.g. model.base=smollm2")
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="memory, steps, tokens and time; loads and writes nothing")
        ] = False,
        fresh: Annotated[bool, typer.Option("--fresh", help="begin anew, and replace what is there")] = False,
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
    try:
        measured = stage.run(job, fresh)
    except KeyboardInterrupt:
        again = shlex.join(["s2train", *sys.argv[1:]])
        raise InterruptedRunError(f"interrupted; {job.work} is kept. To go on: {again}") from None
    for key, value in measured.items():
        typer.echo(f"{key:32} {value:,.4g}")
    typer.echo(f"written: {job.out}")
