"""`s2eval`: one file a command, wiring only. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from s2eval.cli import compare, doctor, init, ls, mtbench, report, run, score, view
from s2eval.cli.plugins import PluginGroup
from s2eval.terminal import add_command, new_app, run_app

EVALUATE, READ, SET_UP = "Evaluate", "Read results", "Set-up"

app = new_app(
    "s2eval", "Evaluate language models that answer simply and safely: tables with uncertainties.", cls=PluginGroup
)
add_command(app, run.run, "run", panel=EVALUATE, examples=run.EXAMPLES)
app.add_typer(mtbench.app, name="mtbench", rich_help_panel=EVALUATE)
add_command(app, score.score, "score", panel=EVALUATE, examples=score.EXAMPLES)
add_command(
    app,
    report.report,
    "report",
    panel=READ,
    examples=report.EXAMPLES,
    table_help={"format": report.describe_formats},
)
add_command(app, view.view, "view", panel=READ, examples=view.EXAMPLES)
add_command(app, compare.compare, "compare", panel=READ, examples=compare.EXAMPLES)
add_command(app, init.init, "init", panel=SET_UP, examples=init.EXAMPLES)
add_command(app, ls.ls, "ls", panel=SET_UP, examples=ls.EXAMPLES)
add_command(app, doctor.doctor, "doctor", panel=SET_UP, examples=doctor.EXAMPLES)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code: 0, 1, 2, 3 or 130 (see `s2eval.errors`)."""
    run_app(app, "s2eval", arguments)
