"""`s2eval`: one function a command, wiring only. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

import typer

from s2eval.cli import compare, doctor, ls, mtbench, report, run, score, view
from s2eval.cli.plugins import PluginGroup
from s2eval.errors import S2Error

app = typer.Typer(
    name="s2eval",
    cls=PluginGroup,
    help="Evaluate language models that answer simply and safely: tables with uncertainties, ready to paste.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.run)
app.add_typer(mtbench.app, name="mtbench")
app.command("report")(report.report)
app.command("view")(view.view)
app.command("compare")(compare.compare)
app.command("score")(score.score)
app.command("ls")(ls.ls)
app.command("doctor")(doctor.doctor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code: 0, 1, 2, 3 or 130 (see `s2eval.errors`)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments or bool(os.environ.get("S2EVAL_DEBUG"))
    if "--debug" in arguments:
        arguments.remove("--debug")
    # A thread that waits for the others spins by default: beside any other busy process that takes several times as
    # long (docs/LOG.md). It must be said before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # on CPUs with AVX-512 its import asks for a faster kernel, which is not used here (s2eval.models.quantized)
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    try:
        code = app(args=arguments, prog_name="s2eval", standalone_mode=False)
    except S2Error as error:
        if debug:
            raise
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except typer.Exit as leave:
        code = leave.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        show = getattr(error, "show", None)  # a usage error of the command line
        if show is None:
            raise
        show()
        raise SystemExit(getattr(error, "exit_code", 2)) from None
    if code == 130:  # typer turns a KeyboardInterrupt into this and says nothing
        typer.echo("interrupted", err=True)
    raise SystemExit(code if isinstance(code, int) else 0)
