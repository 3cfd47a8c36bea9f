"""Options that several commands have, each with its words once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

OUTPUT_PANEL = "Output"


class Format(StrEnum):
    """How a result is printed."""

    md = "md"
    json = "json"


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
