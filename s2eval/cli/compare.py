"""`s2eval compare DIR…`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from s2eval.errors import IncompleteError
from s2eval.terminal import write_or_print
from s2eval.terminal.options import FormatOption, JsonOption, OutFile, ParserName

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
    parser: Annotated[ParserName, typer.Option(help="How FastChat's judgments are read.")] = "strict",
    format: FormatOption = "md",
    as_json: JsonOption = False,
    out: OutFile = None,
) -> None:
    """Differences between models, document by document: intervals, tests, and what they show.

    Without --baseline every model is compared with every other.
    """
    from s2eval.api import comparison

    result = comparison.compare(paths, baseline, model, mix_prompts=mix_prompts, parser=parser)
    if as_json or format == "json":
        text = json.dumps(result.to_dict(), indent=1, ensure_ascii=False) + "\n"
    else:
        text = result.to_markdown()
    write_or_print(text, out)
    if number := len(result.not_compared):
        raise IncompleteError(f"{number} comparison{'s' * (number > 1)} refused; see 'Not compared'")
