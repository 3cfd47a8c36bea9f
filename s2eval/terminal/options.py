"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer

OUTPUT_PANEL = "Output"


Format = Literal["md", "json"]
ParserName = Literal["strict", "fastchat"]
"""How a judge's verdicts are read."""

FormatOption = Annotated[
    Format, typer.Option("--format", help="md: tables; json: an object.", rich_help_panel=OUTPUT_PANEL)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=OUTPUT_PANEL)]
OutFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write to a file instead of standard output.", rich_help_panel=OUTPUT_PANEL),
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also print what is logged for debugging.", rich_help_panel=OUTPUT_PANEL)
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print results and errors only.", rich_help_panel=OUTPUT_PANEL)
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=OUTPUT_PANEL)
]


def split_names(texts: Iterable[str]) -> list[str]:
    """The names in the texts of a repeatable option, each a name or several between commas."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]
