"""`s2eval score METRIC FILE.jsonl`: a metric over a file of `{prediction, reference?}` records."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from s2eval import jsonl
from s2eval.errors import DataError
from s2eval.reasoning import split
from s2eval.records import Estimate


class Metric(StrEnum):
    """Families of metrics over texts."""

    rouge = "rouge"
    bertscore = "bertscore"
    readability = "readability"


class Format(StrEnum):
    """How to print."""

    md = "md"
    json = "json"


def score(
    metric: Annotated[Metric, typer.Argument(help="what to measure")],
    file: Annotated[Path, typer.Argument(help="JSON lines with `prediction` and, except for readability, `reference`")],
    format: Annotated[Format, typer.Option(help="md: a table; json: an object")] = Format.md,
    encoder: Annotated[str, typer.Option(help="of BERTScore: hub id, folder, or minilm")] = "roberta-large",
    num_layers: Annotated[int | None, typer.Option(help="of BERTScore")] = None,
) -> None:
    """Measure the texts of a file, with standard errors and 95% intervals."""
    from s2eval import scoring
    from s2eval.report.render.numbers import render_estimates

    records = read(file, needs_reference=metric is not Metric.readability)
    parts = [split(prediction) for prediction, _ in records]
    predictions = [part.answer for part in parts]
    if reasoned := sum(bool(part.reasoning) for part in parts):
        cut = sum(not part.closed for part in parts)
        unended = f" {cut} of them never ended: these have no answer." if cut else ""
        note = f"{reasoned} of {len(parts)} predictions have reasoning before the answer, which is not scored.{unended}"
        typer.echo(note, err=True)
    references = [reference for _, reference in records]
    if metric is Metric.bertscore:
        estimates, digest = scoring.score_bertscore(predictions, references, encoder, num_layers)
    else:
        estimates, digest = scoring.score_texts(metric.value, predictions, references), None
    why = scoring.why_not_scored(estimates)
    if format is Format.json:
        typer.echo(json.dumps(as_json(estimates) | ({"hash": digest} if digest else {}), indent=1))
        if why:
            typer.echo(why, err=True)
    else:
        typer.echo(render_estimates(estimates, note=digest or why))


def as_json(estimates: dict[str, Estimate]) -> dict[str, dict[str, float | int | str | None]]:
    """Metric → its numbers by name."""
    names = ("value", "stderr", "ci_low", "ci_high", "n", "n_valid", "method")
    return {metric: {name: getattr(one, name) for name in names} for metric, one in estimates.items()}


def read(file: Path, *, needs_reference: bool) -> list[tuple[str, str]]:
    """(prediction, reference) of each line.

    Raises:
        DataError: no such file, a broken line, a missing field; line and field are named.
    """
    records: list[tuple[str, str]] = []
    for number, record in jsonl.records(file):
        for field in ("prediction", "reference") if needs_reference else ("prediction",):
            if not isinstance(record, dict) or not isinstance(record.get(field), str):
                raise DataError(f"{file}, line {number}: {field}: missing, or no text")
        records.append((record["prediction"], record.get("reference") or ""))
    if not records:
        raise DataError(f"{file}: no records")
    return records
