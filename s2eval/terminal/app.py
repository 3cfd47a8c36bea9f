"""The typer applications of s2eval and s2train: help in panels, examples, shared options, exit codes."""

from __future__ import annotations

import inspect
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, NoReturn, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import OptionInfo

from s2eval.errors import S2Error
from s2eval.terminal import output
from s2eval.terminal.options import DebugOption, QuietOption, VerboseOption

if TYPE_CHECKING:
    from typer._click.core import Context  # typer's copy of click

_METAVARS = {bool: "", int: "N", float: "X", Path: "FILE", str: "TEXT"}
_SHARED = {"verbose": VerboseOption, "quiet": QuietOption, "debug": DebugOption}


def _print_version(wanted: bool) -> None:
    if wanted:
        import s2eval

        typer.echo(f"{output.program()} {s2eval.__version__}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def new_app(name: str, summary: str, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """The application of a program: `--version`, `-h`, shell completion."""
    app = new_group(name, summary, cls)
    app.callback()(_with_shared_options(_program))
    return app


def new_group(name: str, summary: str, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(
        name=name,
        cls=cls,
        help=summary,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def add_command(
    app: typer.Typer,
    function: Callable[..., None],
    name: str,
    *,
    examples: Sequence[str],
    panel: str | None = None,
    table_help: Mapping[str, Callable[[], str]] = MappingProxyType({}),
) -> None:
    """Add a command with the shared options; its parameters are the function's, its help the docstring.

    Args:
        examples: command lines, printed below the help.
        panel: under which the command is listed.
        table_help: parameter → its help, made when help is printed, since tables load other packages' entries.
    """

    class Command(TyperCommand):
        def get_help(self, ctx: Context) -> str:
            for parameter in self.params:
                if parameter.name in table_help:
                    parameter.help = table_help[parameter.name]()  # pyright: ignore[reportAttributeAccessIssue]
            return super().get_help(ctx)

    epilog = "\n".join(["Examples:", *(f"  {line}" for line in examples)]).replace("[", "\\[")
    command = app.command(name, cls=Command, epilog=epilog, rich_help_panel=panel)
    command(_with_shared_options(function))


def _with_shared_options(function: Callable[..., None]) -> Callable[..., None]:
    @wraps(function)
    def command(*args: object, verbose: bool, quiet: bool, debug: bool, **options: object) -> None:
        output.configure(verbose=verbose, quiet=quiet, debug=debug)
        function(*args, **options)

    signature = inspect.signature(function, eval_str=True)
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in _SHARED.items()
    ]
    parameters = [*signature.parameters.values(), *shared]
    for parameter in parameters:
        _name_type(parameter.annotation)
    command.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportAttributeAccessIssue]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _name_type(annotation: object) -> None:
    """Give an option without a metavar that of its type, as `N` or `FILE`; a flag gets none."""
    if get_origin(annotation) is not Annotated:
        return
    kind, *extras = get_args(annotation)
    types = [part for part in (get_args(kind) or (kind,)) if part is not type(None)]
    for extra in extras:
        if isinstance(extra, OptionInfo) and extra.metavar is None and types[0] in _METAVARS:
            extra.metavar = _METAVARS[types[0]]


def run_app(app: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code: 0, 1, 2, 3 or 130 (see `s2eval.errors`)."""
    # A thread that waits for the others spins by default: beside any other busy process that takes several times as
    # long (docs/LOG.md). It must be set before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # on CPUs with AVX-512 its import asks for a faster kernel, which is not used here
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    output.reset(program)
    try:
        app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name=program)
    except S2Error as error:
        if output.is_debug():
            traceback.print_exc()
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except SystemExit as end:
        if end.code == 130:  # typer turns a KeyboardInterrupt into this and prints nothing
            typer.echo("interrupted", err=True)
        raise
    raise SystemExit(0)
