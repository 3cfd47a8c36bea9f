"""`s2eval mtbench score` and `s2eval mtbench agreement`: scores and agreement of stored judgments."""

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from s2eval.terminal import echo_json
from s2eval.terminal.options import Format, FormatOption, JsonOption


class ParserName(StrEnum):
    """How verdicts are read."""

    strict = "strict"
    fastchat = "fastchat"


SCORE_EXAMPLES = ("s2eval mtbench score --judgments runs/mtsbench/MODEL/mtbench/gpt-4/judgments.jsonl",)
AGREEMENT_EXAMPLES = ("s2eval mtbench agreement verdicts.jsonl --json",)


def score(
    judgments: Annotated[list[Path], typer.Option(metavar="FILE", help="Judgments, ours or FastChat's; repeatable.")],
    parser: Annotated[ParserName, typer.Option(help="How verdicts are read.")] = ParserName.strict,
    mix: Annotated[bool, typer.Option("--mix", help="Let different judges share a mean, with a warning.")] = False,
    format: FormatOption = Format.md,
    as_json: JsonOption = False,
) -> None:
    """Read stored judgments again: first turn, second turn, average."""
    from s2eval.judge.judgments import ModelSummary, TurnScore, read_single, summarize
    from s2eval.report.render.markdown import escape

    summaries = summarize([one for path in judgments for one in read_single(path)], parser.value, mix=mix)
    if as_json or format is Format.json:
        echo_json([asdict(one) for one in summaries])
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
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Verdicts with human or gold choices.")],
    format: FormatOption = Format.md,
    as_json: JsonOption = False,
) -> None:
    """Measure how far verdicts agree with human or gold choices."""
    from s2eval.judge.scores import agreement as measured
    from s2eval.report.render.markdown import escape
    from s2eval.report.render.numbers import interval_text

    found = measured.agreements([one for path in files for one in measured.read_verdicts(path)])
    if as_json or format is Format.json:
        echo_json([asdict(one) for one in found])
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
