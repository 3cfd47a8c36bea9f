"""`s2eval mtbench score` and `s2eval mtbench agreement`: what is said by judgments that are there already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class ParserName(StrEnum):
    """How verdicts are read."""

    strict = "strict"
    fastchat = "fastchat"


class Format(StrEnum):
    """How to print."""

    md = "md"
    json = "json"


def score(
    judgments: Annotated[list[Path], typer.Option(help="judgment files, ours or FastChat's; repeatable")],
    parser: Annotated[ParserName, typer.Option(help="how verdicts are read")] = ParserName.strict,
    format: Annotated[Format, typer.Option(help="md: a table; json: an object")] = Format.md,
    mix: Annotated[bool, typer.Option("--mix", help="let different judges share a mean, with a warning")] = False,
) -> None:
    """First turn, second turn and average of stored judgments, read again."""
    from s2eval.judge.judgments import ModelSummary, TurnScore, read_single, summarize
    from s2eval.report.render.markdown import escape

    summaries = summarize([one for path in judgments for one in read_single(path)], parser.value, mix=mix)
    if format is Format.json:
        typer.echo(_as_json([asdict(one) for one in summaries]))
        return

    def cell(turn: TurnScore) -> str:
        return f"{'–' if turn.value is None else f'{turn.value:.4f}'} ({turn.n_valid}/{turn.n})"

    def row(one: ModelSummary) -> list[str]:
        return [escape(one.model), *map(cell, (one.first, one.second, one.average)), escape(", ".join(one.judges))]

    headers = ["model", "first turn (n_valid/n)", "second turn", "average", "judge"]
    typer.echo(_grid([row(one) for one in summaries], headers))
    typer.echo(f"\nRead by the parser {parser.value}: docs/verdicts.md.")
    for one in summaries:
        if problems := one.average.problems:
            why = ", ".join(f"{problem} {number}" for problem, number in problems.items())
            typer.echo(f"- {escape(one.model)}: without a rating: {why}")
        if len(one.judges) > 1:
            judges = escape(", ".join(one.judges))
            typer.echo(f"- {escape(one.model)}: a mean over the judges {judges}, which do not rate alike")


def agreement(
    files: Annotated[list[Path], typer.Argument(help="verdicts with human or gold choices")],
    format: Annotated[Format, typer.Option(help="md: a table; json: an object")] = Format.md,
) -> None:
    """Agreement of verdicts with human or gold choices."""
    from s2eval.judge import agreement as measured
    from s2eval.report.render.markdown import escape
    from s2eval.report.render.numbers import interval_text

    found = measured.agreements([one for path in files for one in measured.read_verdicts(path)])
    if format is Format.json:
        typer.echo(_as_json([asdict(one) for one in found]))
        return

    def number(x: float | None) -> str:
        return "–" if x is None else f"{x:.3f}"

    rows = [
        [
            escape(line.judge),
            escape(line.subset) or "all",
            line.measure,
            number(line.estimate.value),
            interval_text(line.estimate, ".3f"),
            f"{line.estimate.n_valid}/{line.estimate.n}",
        ]
        for line in measured.table(found)
    ]
    typer.echo(_grid(rows, ["judge", "subset", "measure", "value", "95% interval", "n_valid/n"]))


def _grid(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    from tabulate import tabulate

    return tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True)


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)
