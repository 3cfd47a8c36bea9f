"""Commands that other packages add to `s2eval`.

    [project.entry-points."s2eval.commands"]
    name-of-the-command = "my_package.cli:app"    # a typer.Typer with a single command, or with several

A command is imported when it is called, or listed by `--help`.
"""

from __future__ import annotations

import functools
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

from s2eval.errors import PrerequisiteError

if TYPE_CHECKING:  # typer's copy of click
    from typer._click.core import Command, Context

GROUP = "s2eval.commands"
_HIDDEN = {"merge-effect"}  # s2train's name for a command until 0.1.0; listing it would import s2train


class PluginGroup(TyperGroup):
    """Our own commands, then those of entry points."""

    def list_commands(self, ctx: Context) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *sorted(_points().names - set(own) - _HIDDEN)]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        own = super().get_command(ctx, cmd_name)
        return own or next((_command(point) for point in _points().select(name=cmd_name)), None)


@functools.cache
def _points() -> EntryPoints:
    return entry_points(group=GROUP)


def _command(point: EntryPoint) -> Command:
    try:
        return typer.main.get_command(point.load())
    except Exception as error:
        raise PrerequisiteError(
            f"the command {point.name} ({point.value}) cannot be loaded ({type(error).__name__}: {error}). Update or "
            "uninstall its package"
        ) from error
