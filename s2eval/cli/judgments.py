"""`s2eval mtbench score` and `s2eval mtbench agreement`: scores and agreement of stored judgments."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from s2eval.terminal import echo_json
from s2eval.terminal.options import FormatOption, JsonOption, ParserName

SCORE_EXAMPLES = ("s2eval mtbench score --judgments runs/mtsbench/MODEL/mtbench/gpt-4/judgments.jsonl",)
AGREEMENT_EXAMPLES = ("s2eval mtbench agreement verdicts.jsonl --json",)


def score(
    judgments: Annotated[list[Path], typer.Option(metavar="FILE", help="Judgments, ours or FastChat's; repeatable.")],
    parser: Annotated[ParserName, typer.Option(help="How verdicts are read.")] = "strict",
    mix: Annotated[bool, typer.Option("--mix", help="Let different judges share a mean, with a warning.")] = False,
    format: FormatOption = "md",
    as_json: JsonOption = False,
) -> None:
    """Read stored judgments again: first turn, second turn, average."""
    from s2eval.judge.judgments import TurnScore, read_single, summarize
    from s2eval.report.render.markdown import escape

    summaries = summarize([judgment for path in judgments for judgment in read_single(path)], parser, mix=mix)
    if as_json or format == "json":
        echo_json([asdict(summary) for summary in summaries])
        return

    def cell(turn: TurnScore) -> str:
        return f"{'–' if turn.value is None else f'{turn.value:.4f}'} ({turn.n_valid}/{turn.n})"

    rows = [
        [escape(summary.model), cell(summary.first), cell(summary.second), cell(summary.average),
         escape(", ".join(summary.judges))]
        for summary in summaries
    ]  # fmt: skip
    typer.echo(_grid(rows, ["model", "first turn (n_valid/n)", "second turn", "average", "judge"]))
    typer.echo(f"\nRead by the parser {parser}: docs/verdicts.md.")
    for summary in summaries:
        if problems := summary.average.problems:
            why = ", ".join(f"{problem} {number}" for problem, number in problems.items())
            typer.echo(f"- {escape(summary.model)}: without a rating: {why}")
        if len(summary.judges) > 1:
            judges = escape(", ".join(summary.judges))
            typer.echo(f"- {escape(summary.model)}: a mean over the judges {judges}, which do not rate alike")


def agreement(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Verdicts with human or gold choices.")],
    format: FormatOption = "md",
    as_json: JsonOption = False,
) -> None:
    """Measure how far verdicts agree with human or gold choices."""
    from s2eval.judge.scores import agreement as measured
    from s2eval.report.render.markdown import escape
    from s2eval.report.render.numbers import interval_text

    agreements = measured.agreements([verdict for path in files for verdict in measured.read_verdicts(path)])
    if as_json or format == "json":
        echo_json([asdict(entry) for entry in agreements])
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
        for line in measured.table(agreements)
    ]
    typer.echo(_grid(rows, ["judge", "subset", "measure", "value", "95% interval", "n_valid/n"]))


def _grid(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    from tabulate import tabulate

    return tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True)
