"""`s2eval compare DIR…`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2eval.cli.judgments import ParserName
from s2eval.errors import IncompleteError, UnknownNameError, UsageError
from s2eval.terminal.options import Format, FormatOption, JsonOption, OutFile

if TYPE_CHECKING:
    from s2eval.report.comparisons import Side
    from s2eval.report.scored_folders import Found


EXAMPLES = (
    "s2eval compare runs/paper --baseline Llama-2-7b",
    "s2eval compare runs/a runs/b --baseline base --model sft --json",
)


def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="Run folders, lm_eval --output_path … --log_samples, FastChat's judgments, Inspect's logs (JSON).",
        ),
    ],
    baseline: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Model, or group of seeds, that others are compared with.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="MODEL", help="Model, or group of seeds; repeatable. Default: all.")
    ] = None,
    mix_prompts: Annotated[
        bool, typer.Option("--mix-prompts", help="Compare answers to differently put questions, with a note.")
    ] = False,
    parser: Annotated[ParserName, typer.Option(help="How FastChat's judgments are read.")] = ParserName.strict,
    format: FormatOption = Format.md,
    as_json: JsonOption = False,
    out: OutFile = None,
) -> None:
    """Differences between models, document by document: intervals, tests, and what they show.

    Without --baseline every model is compared with every other.
    """
    from s2eval import store
    from s2eval.report import scored_folders
    from s2eval.report.compare import compare as compared
    from s2eval.report.render.comparison import comparison_json, render_comparison
    from s2eval.report.scored import whatever_the_prompt

    found = scored_folders.read(paths, parser.value)
    pairs = sides(found, baseline, model or [])
    scored = [whatever_the_prompt(one) for one in found.scored] if mix_prompts else found.scored
    result = compared(scored, pairs, found.contests, found.remarks)
    if not result.tables:
        raise UsageError("nothing can be compared:" + "".join(f"\n  {reason}" for reason in result.refused))
    if as_json or format is Format.json:
        text = json.dumps(comparison_json(result), indent=1, ensure_ascii=False) + "\n"
    else:
        text = render_comparison(result)
    if out is None:
        typer.echo(text, nl=False)
    else:
        with store.explain_os_errors(out), store.write_atomically(out) as file:
            file.write(text)
    if result.refused:
        number = len(result.refused)
        raise IncompleteError(f"{number} comparison{'s' * (number > 1)} refused; see 'Not compared'")


def sides(found: Found, baseline: str | None, models: Sequence[str]) -> list[tuple[Side, Side]]:
    """(baseline, model) of each comparison that was asked for.

    Raises:
        UnknownNameError: no model and no group of that name.
        UsageError: fewer than two models, or a name of several.
    """
    from s2eval.identity import choose
    from s2eval.report.comparisons import Side
    from s2eval.report.scored import recorded_names

    known = dict.fromkeys([*(one.model for one in found.scored), *_contestants(found)])
    groups: dict[str, dict[str, None]] = {}
    for one in found.scored:
        if one.group:
            groups.setdefault(one.group, {})[one.model] = None

    recorded = recorded_names(found.scored, found.contests)

    def side(name: str) -> Side:
        if name not in known and name in groups:
            return Side(name, tuple(groups[name]))
        model = choose(name, recorded)
        if model in known:
            return Side(model, (model,))
        for remark in found.remarks:  # perhaps that is why it is unknown
            typer.echo(remark, err=True)
        raise UnknownNameError("model", name, [*known, *groups])

    if baseline is not None:
        first = side(baseline)
        others = [side(name) for name in models or known]
        pairs = [
            (first, other)
            for other in others
            if other.name != first.name and (models or other.name not in first.members)
        ]
    else:
        pairs = list(combinations([side(name) for name in dict.fromkeys(models or known)], 2))
    if not pairs:
        reasons = "".join(f"\n  {remark}" for remark in found.remarks)
        raise UsageError(f"a comparison needs two models; found {', '.join(known)}{reasons}")
    return pairs


def _contestants(found: Found) -> Iterable[str]:
    return (name for one in found.contests for name in (one.against, one.model))
