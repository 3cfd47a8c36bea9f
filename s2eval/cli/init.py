"""`s2eval init`."""

from pathlib import Path
from typing import Annotated

import typer

from s2eval.errors import UsageError
from s2eval.terminal import note, write_or_print
from s2eval.terminal.options import split_names

EXAMPLES = ("s2eval init", "s2eval init paper.yaml --model llama --model adapter:runs/sft --tasks s2_leaderboard,s2_qa")


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The file to write.")] = Path("run.yaml"),
    model: Annotated[list[str] | None, typer.Option(metavar="MODEL", help="A model; repeatable.")] = None,
    tasks: Annotated[str, typer.Option(metavar="T,T...", help="Tasks.")] = "s2_leaderboard,s2_qa",
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write a configuration with every key, its meaning and its default."""
    from s2eval.run.config_template import commented_config

    if file.exists() and not force:
        raise UsageError(f"{file} exists; name another file, or replace it with --force")
    write_or_print(commented_config(str(file), model or ["smollm2"], split_names([tasks])), file)
    typer.echo(str(file))
    note(f"To evaluate: s2eval run {file}")
