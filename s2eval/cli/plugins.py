"""Commands that other packages add to `s2eval`.

    [project.entry-points."s2eval.commands"]
    name-of-the-command = "my_package.cli:app"    # a typer.Typer with a single command, or with several

A command is imported when it is called, or listed by `--help`.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

from s2eval.errors import PrerequisiteError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

    from typer._click.core import Command, Context  # typer's copy of click

GROUP = "s2eval.commands"
_HIDDEN = {"merge-effect"}  # s2train's name for a command until 0.1.0; listing it would import s2train


class PluginGroup(TyperGroup):
    """Our own commands, then those of entry points."""

    def list_commands(self, ctx: Context) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *sorted(_names() - set(own) - _HIDDEN)]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        own = super().get_command(ctx, cmd_name)
        return own or next((_command(point) for point in _points().select(name=cmd_name)), None)


def _names() -> set[str]:
    """The names of the group in all installed packages, for `--help`: importing importlib.metadata takes longer."""
    names: set[str] = set()
    for folder in sys.path:
        for path in Path(folder).glob("*-info/entry_points.txt"):
            section = path.read_text("utf-8").partition(f"[{GROUP}]\n")[2].partition("\n[")[0]
            names |= {line.partition("=")[0].strip() for line in section.splitlines() if "=" in line}
    return names


@functools.cache
def _points() -> EntryPoints:
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def _command(point: EntryPoint) -> Command:
    try:
        return typer.main.get_command(point.load())
    except Exception as error:
        raise PrerequisiteError(
            f"the command {point.name} ({point.value}) cannot be loaded ({type(error).__name__}: {error}). Update or "
            "uninstall its package"
        ) from error
