"""A chart of a report, for a notebook or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2eval.report.document import Chart


class Plot:
    """A chart.

    Attributes:
        title, description: one line; what it shows, in sentences.
    """

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self.title = chart.title
        self.description = chart.description

    def __repr__(self) -> str:
        return f"Plot({self.title!r})"

    def svg(self) -> str:
        """The picture as a document of its own."""
        from s2eval.report.charts.canvas import standalone

        return standalone(self._chart.svg)

    def savefig(self, path: str | Path) -> Path:
        """Write the picture as SVG, the one format; UsageError where the path does not end in .svg."""
        from s2eval import store
        from s2eval.errors import UsageError

        target = Path(path)
        if target.suffix != ".svg":
            raise UsageError(f"{target}: charts are written as SVG: savefig('{target.with_suffix('.svg')}')")
        with store.explain_os_errors(target), store.write_atomically(target) as file:
            file.write(self.svg())
        return target

    def _repr_html_(self) -> str:
        return self._chart.svg
