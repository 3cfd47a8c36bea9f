"""The scoreboard that a run ends with."""

from __future__ import annotations

import sys
from pathlib import Path

from s2eval.terminal import output


def print_scoreboard(folder: Path) -> None:
    """Print models × tasks to standard error, unless `--quiet`."""
    if output.is_quiet():
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from s2eval.api.run import Run

    board = Run([folder]).scoreboard
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("task")
    table.add_column("metric", style="dim")
    for row in board.rows:
        table.add_column(Text(row.header[0]), justify="right")
    for task, cells in zip(board.columns, zip(*(row.cells for row in board.rows), strict=True), strict=True):
        metric = next((cell.row.metric for cell in cells if cell.row), "")
        texts = [Text(cell.with_interval, style="bold" if cell.best else "") for cell in cells]
        table.add_row(Text(task), Text(metric), *texts)
    console = Console(file=sys.stderr, width=None if sys.stderr.isatty() else 1000)
    console.print(table, soft_wrap=True)
