"""Estimates as a plain table: metric, value, standard error, interval, counts."""

from __future__ import annotations

from collections.abc import Mapping

from tabulate import tabulate

from s2eval.records import Estimate


def render_estimates(estimates: Mapping[str, Estimate], note: str | None = None) -> str:
    """A Markdown table, one row a metric; `note` stands below it."""
    lines = [
        [
            metric,
            _number(one.value),
            _number(one.stderr),
            f"[{_number(one.ci_low)}, {_number(one.ci_high)}]" if one.ci_low is not None else "–",
            f"{one.n_valid}/{one.n}",
        ]
        for metric, one in estimates.items()
    ]
    header = ["metric", "value", "stderr", "95% interval", "n_valid/n"]
    table = tabulate(lines, header, tablefmt="pipe", disable_numparse=True, colalign=("left", *["right"] * 4))
    return table + (f"\n\n{note}" if note else "")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
