"""Comparisons as Markdown to paste, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tabulate import tabulate

from s2eval.report.compare import Compared, Comparison, ComparisonTable, SeedRow
from s2eval.report.document import MISSING
from s2eval.report.render.markdown import escape
from s2eval.report.render.numbers import interval_text

LEGEND = (
    "Difference: model less baseline, over the documents that both have, with its 95% interval. p: Holm's, over all "
    "tests of the table; a difference is shown where it is at most 0.05. Would have been detected: with 80% power, at "
    "the level that the smallest p of the table must meet."
)
_TESTS = {
    "mcnemar-mid-p": "McNemar's mid-p test and Tango's interval",
    "sign-flip": "sign-flip test and interval of a mean of differences",
    "swap": "exchange test and jackknife t interval",
    "student": "t over questions and seeds",
}


def render_comparison(compared: Compared) -> str:
    """Tables with their notes, what was not compared, notes; ends with a line break."""
    parts = ["# Comparison", LEGEND]
    parts += [_table(table) for table in compared.tables]
    if compared.seeds:
        parts += ["## Seeds", _seeds(compared.seeds)]
    if compared.refused:
        parts += ["## Not compared", _bullets(compared.refused)]
    if compared.notes:
        parts += ["## Notes", _bullets(compared.notes)]
    return "\n\n".join(parts) + "\n"


def comparison_json(compared: Compared) -> dict[str, object]:
    """The same as plain values: every number in full, with its verdict."""
    return {
        "tables": [
            {
                "key": table.key,
                "title": table.title,
                "rows": [{**asdict(row), "verdict": row.verdict} for row in table.rows],
                "notes": list(table.notes),
            }
            for table in compared.tables
        ],
        "seeds": [asdict(row) for row in compared.seeds],
        "not_compared": list(compared.refused),
        "notes": list(compared.notes),
    }


def _table(table: ComparisonTable) -> str:
    header = ["", "model", "baseline", "model's", "baseline's", "difference", "95% interval", "p", "n", "verdict"]
    rows = [_row(row) for row in table.rows]
    if not any(name for name, *_ in rows):
        header, rows = header[1:], [row[1:] for row in rows]
    grid = tabulate(rows, header, tablefmt="pipe", disable_numparse=True)
    methods = dict.fromkeys(_TESTS[row.difference.test] for row in table.rows if row.difference.test in _TESTS)
    notes = [*([f"By {'; '.join(methods)}."] if methods else []), *table.notes]
    return "\n\n".join([f"## {escape(table.title)}", grid, *([_bullets(notes)] if notes else [])])


def _row(row: Comparison) -> list[str]:
    estimate = row.difference.estimate
    counts = f"{estimate.n_valid}" if estimate.n_valid == estimate.n else f"{estimate.n_valid}/{estimate.n}"
    return [
        escape(row.what),
        escape(row.model),
        escape(row.baseline),
        *(_number(score, row.digits) for score in reversed(row.scores)),
        MISSING if estimate.value is None else f"{estimate.value:+.{row.digits}f}",
        interval_text(estimate, f"+.{row.digits}f"),
        MISSING if row.adjusted is None else "< 0.001" if row.adjusted < 0.001 else f"{row.adjusted:.3f}",
        counts,
        row.verdict,
    ]


def _seeds(rows: Sequence[SeedRow]) -> str:
    header = ["recipe", "metric", "seeds", "mean", "95% interval over seeds", "standard deviation: seeds", "questions"]
    lines: list[list[str]] = []
    for row in rows:
        group, estimate = row.seeds, row.seeds.estimate
        spreads = [MISSING if part is None else f"{part**0.5:.2g}" for part in (group.between, group.within)]
        names = escape(row.name), escape(f"{row.task}, {row.metric}")
        interval = interval_text(estimate, f".{row.digits}f")
        lines.append([*names, str(group.seeds), _number(estimate.value, row.digits), interval, *spreads])
    return tabulate(lines, header, tablefmt="pipe", disable_numparse=True)


def _number(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:z.{digits}f}"


def _bullets(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)
