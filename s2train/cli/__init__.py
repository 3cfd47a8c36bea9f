"""`s2train`: one file a command, wiring only. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from s2eval.terminal import add_command, new_app, run_app
from s2train.cli import data, label, merge, merge_effect, train
from s2train.stages import commands

DATA, TRAIN, MERGE = "Data", "Train", "Merge"

app = new_app("s2train", "Build data, train, and merge the small models that s2eval evaluates.")
app.add_typer(data.app, name="data", rich_help_panel=DATA)
add_command(app, label.label, "label", panel=DATA, examples=label.EXAMPLES)
for _stage in commands():
    add_command(app, train.command(_stage), _stage.name, panel=TRAIN, examples=train.examples(_stage.name))
add_command(app, merge.merge, "merge", panel=MERGE, examples=merge.EXAMPLES)
add_command(app, merge_effect.merge_effect, "merge-effect", panel=MERGE, examples=merge_effect.EXAMPLES)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code: 0, 1, 2, 3 or 130 (see `s2eval.errors`)."""
    run_app(app, "s2train", arguments)
