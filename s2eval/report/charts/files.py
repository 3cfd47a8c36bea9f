"""Scores by category as a radar chart, in an SVG file beside the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from s2eval.records import Row
from s2eval.report.charts.canvas import standalone
from s2eval.store import write_atomically


def radar(rows: Sequence[Row], judge: str) -> str | None:
    """The chart of one judge: an axis a category from 0 to 10, a line a model; None for fewer than three categories.

    Args:
        rows: of `scores.csv`.
        judge: its label.
    """
    from s2eval.report.charts.report_charts import categories  # matplotlib

    chart = categories(rows, judge)
    return None if chart is None else standalone(chart.svg)


def write_radars(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """One `radar-<judge>.svg` in the folder for each judge that has categories enough."""
    written: list[Path] = []
    for judge in dict.fromkeys(row.judge for row in rows if row.judge):
        chart = radar(rows, judge)
        if chart is not None:
            path = folder / f"radar-{judge.replace('/', '-').replace('@', '-')}.svg"
            with write_atomically(path) as file:
                file.write(chart)
            written.append(path)
    return written
