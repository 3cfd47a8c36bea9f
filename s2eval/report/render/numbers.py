"""Estimates as a plain table: metric, value, standard error, interval, counts."""

from __future__ import annotations

from collections.abc import Mapping

from tabulate import tabulate

from s2eval.records import Estimate
from s2eval.report.document import MISSING, TOO_FEW


def render_estimates(estimates: Mapping[str, Estimate], note: str | None = None) -> str:
    """A Markdown table, one row a metric; `note` stands below it."""
    lines = [
        [
            metric,
            _number(estimate.value),
            _number(estimate.stderr),
            interval_text(estimate, ".4f"),
            f"{estimate.n_valid}/{estimate.n}",
        ]
        for metric, estimate in estimates.items()
    ]
    header = ["metric", "value", "stderr", "95% interval", "n_valid/n"]
    table = tabulate(lines, header, tablefmt="pipe", disable_numparse=True, colalign=("left", *["right"] * 4))
    return table + (f"\n\n{note}" if note else "")


def interval_text(estimate: Estimate, form: str) -> str:
    """`[0.1, 0.2]` with bounds in a format; `TOO_FEW`, or `MISSING` where no interval is computed of such a number."""
    if estimate.ci_low is not None and estimate.ci_high is not None:
        return f"[{estimate.ci_low:{form}}, {estimate.ci_high:{form}}]"
    few = estimate.value is not None and estimate.method in ("too-few", "constant")
    return TOO_FEW if few else MISSING


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.4f}"
