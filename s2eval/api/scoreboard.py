"""Models × tasks at a glance: of each task its first metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from s2eval.records import Row
from s2eval.report.document import MISSING


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """A table.

    Attributes:
        columns: (task, metric) of each.
        rows: model → cells; None where it was not evaluated.
        best: the best cell of each column by model; "" where there is none.
    """

    columns: Sequence[tuple[str, str]]
    rows: Mapping[str, Sequence[Row | None]]
    best: Sequence[str]

    def text(self, row: Row | None) -> str:
        """`45.10 [40.2, 50.0]`."""
        if row is None or row.value is None:
            return MISSING
        from s2eval.metrics.table import metric_of

        metric = metric_of(row.metric)
        digits = metric.digits if metric else 4
        interval = ""
        if row.ci_low is not None and row.ci_high is not None:
            interval = f" [{row.ci_low:.{digits}f}, {row.ci_high:.{digits}f}]"
        return f"{row.value:.{digits}f}{interval}"

    def to_html(self) -> str:
        """For a notebook."""
        head = "".join(f"<th>{escape(task)}<br><small>{escape(metric)}</small></th>" for task, metric in self.columns)
        lines: list[str] = []
        for model, cells in self.rows.items():
            texts = [escape(self.text(cell)) for cell in cells]
            marked = [f"<b>{text}</b>" if best == model else text for text, best in zip(texts, self.best, strict=True)]
            lines.append(f"<tr><th>{escape(model)}</th>{''.join(f'<td>{text}</td>' for text in marked)}</tr>")
        return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def scoreboard(rows: Sequence[Row]) -> Scoreboard:
    """Of the rows of whole tasks."""
    from s2eval.metrics.table import headline, metric_of

    whole = [row for row in rows if not row.subset and not row.turn]
    columns: list[tuple[str, str]] = []
    judged = {row.task for row in whole if row.judge}
    for task, judge in dict.fromkeys((row.task, row.judge) for row in whole):
        if task in judged and not judge:  # what is measured on answers beside the judge's score
            continue
        metrics = list(dict.fromkeys(row.metric for row in whole if (row.task, row.judge) == (task, judge)))
        columns.append((f"{task} ({judge})" if judge else task, headline(metrics)))
    cells = {(row.model, f"{row.task} ({row.judge})" if row.judge else row.task, row.metric): row for row in whole}
    models = list(dict.fromkeys(row.model for row in whole))
    best: list[str] = []
    for task, metric in columns:
        known = metric_of(metric)
        values = {
            model: row.value for model in models if (row := cells.get((model, task, metric))) and row.value is not None
        }
        end = known.best if known else "high"
        best.append(
            "" if len(values) < 2 or end is None else (max if end == "high" else min)(values, key=lambda m: values[m])
        )
    return Scoreboard(columns, {model: [cells.get((model, *column)) for column in columns] for model in models}, best)
