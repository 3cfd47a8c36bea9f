"""The command line: wiring only. What a command does stands in the module that it calls."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from s2eval.errors import InterruptedRunError, S2Error
from s2train.cli import data, label, merge, merge_effect, train

app = typer.Typer(
    add_completion=False,
    help="Build data, train, and merge.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.add_typer(data.app, name="data")
app.command("merge")(merge.merge)
app.command("merge-effect")(merge_effect.merge_effect)
app.command("label")(label.label)
for _stage in train.HELP:
    app.command(_stage)(train.command(_stage))


@app.callback()
def _app(  # pyright: ignore[reportUnusedFunction]
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    del debug  # main() looks for it, in any place of the command line


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; an error that a user can meet is told in one paragraph and by its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # on CPUs with AVX-512 its import asks for a faster kernel, which is not used here (s2eval.models.quantized)
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
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
