"""The command line: wiring only. What a command does stands in the module that it calls."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from s2eval.errors import InterruptedRunError, S2Error, UsageError
from s2train.data import eli5, wiki
from s2train.data.build import FILES, build
from s2train.data.full import build_full
from s2train.data.records import Funnel, Recipe
from s2train.data.split import DEFAULT_SEED, DEFAULT_SHARE

EVALUATED = 100  # pairs that s2_eli5, s2_wiki and s2_full sample from the validation side

_PLAIN: dict[str, Any] = {"pretty_exceptions_enable": False, "rich_markup_mode": None, "no_args_is_help": True}
app = typer.Typer(add_completion=False, help="Build data, train, and merge.", **_PLAIN)
data = typer.Typer(help="Build training and evaluation sets in the layout of S2_DATA_DIR.", **_PLAIN)
app.add_typer(data, name="data")

First = Annotated[list[Path] | None, typer.Option("--input", metavar="FILE...", help="JSONL file(s) to read.")]
More = Annotated[list[Path] | None, typer.Argument(metavar="FILE", hidden=True)]  # lets `--input *.jsonl` work
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the sets; usable as S2_DATA_DIR.")]
Share = Annotated[float, typer.Option(min=0, max=1, help="Share of the questions that go to validation.")]
Seed = Annotated[int, typer.Option(help="Another seed draws another split.")]


@app.callback()
def _app(  # pyright: ignore[reportUnusedFunction]
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    del debug  # main() looks for it, in any place of the command line


@data.command("eli5")
def data_eli5(
    out: Out,
    first: First = None,
    more: More = None,
    validation_share: Share = DEFAULT_SHARE,
    seed: Seed = DEFAULT_SEED,
) -> None:
    """ELI5: each question (title and body) with its best-voted answer, from records of the ELI5 schema."""
    _build(eli5.RECIPE, [*(first or []), *(more or [])], out, validation_share, seed)


@data.command("wiki")
def data_wiki(
    out: Out,
    first: First = None,
    more: More = None,
    validation_share: Share = DEFAULT_SHARE,
    seed: Seed = DEFAULT_SEED,
) -> None:
    """Simple Wikipedia: `What is {title}?` with the article's lead, from {title, text} or SWiPE's pairs."""
    _build(wiki.RECIPE, [*(first or []), *(more or [])], out, validation_share, seed)


def _build(recipe: Recipe[Any], inputs: Sequence[Path], out: Path, share: float, seed: int) -> None:
    if not inputs:
        raise UsageError(f"no input; name it with --input FILE. See: s2train data {recipe.name} --help")
    try:
        _show(build(recipe, inputs, out, share=share, seed=seed), out)
        if full := build_full(out):
            _show(full, out)
    except KeyboardInterrupt:  # typer would end the command in silence
        raise InterruptedRunError("interrupted; no file is half-written, the same command builds again") from None


def _show(funnel: Funnel, out: Path) -> None:
    for line in funnel.lines():
        typer.echo(line)
    if funnel.validation < EVALUATED:
        typer.echo(
            f"  note: s2_{funnel.name} samples {EVALUATED} validation pairs, here are {funnel.validation}; "
            "a larger --validation-share gives more"
        )
    typer.echo(f"  written: {out / funnel.name}/{{{','.join(FILES)}}}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; an error that a user can meet is told in one paragraph and by its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        app([argument for argument in arguments if argument != "--debug"], prog_name="s2train")
    except S2Error as error:
        if "--debug" in arguments:
            traceback.print_exc()
        typer.echo(f"error: {error}", err=True)
        return error.exit_code
    except KeyboardInterrupt:
        return InterruptedRunError.exit_code
    return 0
