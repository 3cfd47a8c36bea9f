"""`s2eval score METRIC FILE.jsonl`: a metric over a file of `{prediction, reference?}` records."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2eval.errors import DataError
from s2eval.terminal import note
from s2eval.terminal.options import FormatOption, JsonOption

if TYPE_CHECKING:
    from s2eval.records import Estimate

_BERTSCORE = "BERTScore"

EXAMPLES = (
    "s2eval score readability answers.jsonl",
    "s2eval score bertscore answers.jsonl --encoder minilm --json",
)


def score(
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="What to measure: see `s2eval ls metrics`.")],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.jsonl", help="Records with `prediction` and, where the metric compares, `reference`."
        ),
    ],
    encoder: Annotated[
        str, typer.Option(metavar="MODEL", help="Hub id, folder, or minilm.", rich_help_panel=_BERTSCORE)
    ] = "roberta-large",
    num_layers: Annotated[int | None, typer.Option(help="Layer to take.", rich_help_panel=_BERTSCORE)] = None,
    format: FormatOption = "md",
    as_json: JsonOption = False,
) -> None:
    """Measure the texts of a file, with standard errors and 95% intervals."""
    from s2eval import scoring
    from s2eval.api import scores
    from s2eval.metrics import METRICS
    from s2eval.report.render.numbers import render_estimates

    compares = METRICS.find(metric).references
    predictions, references = zip(*read(file, needs_reference=compares), strict=True)
    scored = scores.score(predictions, references if compares else None, metric, encoder=encoder, num_layers=num_layers)
    if scored.reasoned:
        unended = f" {scored.cut} of them never ended: these have no answer." if scored.cut else ""
        of = f"{scored.reasoned} of {len(predictions)} predictions have"
        note(f"{of} reasoning before the answer, which is not scored.{unended}")
    why = scoring.why_not_scored(scored.estimates)
    if as_json or format == "json":
        typer.echo(json.dumps(numbers(scored.estimates) | ({"hash": scored.digest} if scored.digest else {}), indent=1))
        if why:
            typer.echo(why, err=True)
    else:
        typer.echo(render_estimates(scored.estimates, note=scored.digest or why))


def numbers(estimates: "Mapping[str, Estimate]") -> dict[str, dict[str, float | int | str | None]]:
    """Metric → its numbers by name."""
    names = ("value", "stderr", "ci_low", "ci_high", "n", "n_valid", "method")
    return {metric: {name: getattr(estimate, name) for name in names} for metric, estimate in estimates.items()}


def read(file: Path, *, needs_reference: bool) -> list[tuple[str, str]]:
    """(prediction, reference) of each line.

    Raises:
        DataError: no such file, a broken line, a missing field; line and field are named.
    """
    from s2eval.files import jsonl

    records: list[tuple[str, str]] = []
    for number, record in jsonl.records(file):
        for field in ("prediction", "reference") if needs_reference else ("prediction",):
            if not isinstance(record, dict) or not isinstance(record.get(field), str):
                raise DataError(f"{file}, line {number}: {field}: missing, or no text")
        records.append((record["prediction"], record.get("reference") or ""))
    if not records:
        raise DataError(f"{file}: no records")
    return records
