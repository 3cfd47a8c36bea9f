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
    for model in board.rows:
        table.add_column(Text(model), justify="right")
    for at, (task, metric) in enumerate(board.columns):
        cells = [
            Text(board.text(cells[at]), style="bold" if board.best[at] == m else "") for m, cells in board.rows.items()
        ]
        table.add_row(Text(task), Text(metric), *cells)
    console = Console(file=sys.stderr, width=None if sys.stderr.isatty() else 1000)
    console.print(table, soft_wrap=True)
