"""`s2eval report DIR…`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2eval.errors import UsageError

if TYPE_CHECKING:
    from s2eval.report.folders import Source


class Format(StrEnum):
    """What a report can be written as."""

    md = "md"
    csv = "csv"
    tex = "tex"
    html = "html"


class Reference(StrEnum):
    """Published numbers that ship with the package."""

    paper = "paper"


def report(
    folders: Annotated[list[Path], typer.Argument(help="run folders, or folders of lm_eval --output_path")],
    format: Annotated[
        Format,
        typer.Option(
            help="md: the tables; csv: one row a number; tex: tables for LaTeX; html: a page with every sample"
        ),
    ] = Format.md,
    reference: Annotated[Reference | None, typer.Option(help="print the published number beside each of ours")] = None,
    mix_judges: Annotated[
        bool, typer.Option("--mix-judges", help="one table for several judges, with a warning")
    ] = False,
    baseline: Annotated[
        str | None, typer.Option(help="model, or group of seeds, that the others are compared with; default: the first")
    ] = None,
    no_samples: Annotated[
        bool, typer.Option("--no-samples", help="html: leave out all text of data sets and answers, for publishing")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="file to write; by default standard output; needed for html")] = None,
) -> None:
    """Print the paper's tables from what lies in one or more folders."""
    from s2eval import store
    from s2eval.report import folders as sources

    if format is Format.html and out is None:
        raise UsageError("a page is written to a file: add --out report.html")
    if no_samples and format is not Format.html:
        raise UsageError(f"--no-samples is for --format html; {format.value} has no samples")
    read = sources.read_all(folders)
    warn_of_broken(read)
    if format is Format.csv:
        from s2eval.report.render.csv import print_csv

        rows = [row for source in read for row in source.rows]
        references = {model: row for source in read for model, row in source.references.items()}
        beside = None if reference is None else references
        if out is None:
            print_csv(sys.stdout, rows, beside)
            return
        with store.explain_os_errors(out), store.write_atomically(out) as file:
            print_csv(file, rows, beside)
        return
    document = sources.document(
        read,
        published=reference is not None,
        mix_judges=mix_judges,
        baseline=baseline,
        pictures=format is Format.html,
    )
    if format is Format.html and out is not None:
        from s2eval.report.html import write_page

        scored = [] if no_samples else [one for source in read for one in source.scored]
        typer.echo(str(write_page(out, document, scored)))
        return
    if format is Format.tex:
        from s2eval.report.render.latex import render_latex as render
    else:
        from s2eval.report import render_markdown as render
    text = render(document)
    if out is None:
        typer.echo(text, nl=False)
        return
    with store.explain_os_errors(out), store.write_atomically(out) as file:
        file.write(text)


def warn_of_broken(sources: Iterable[Source]) -> None:
    """Print to standard error what the tables lack because files are missing or changed."""
    for source in sources:
        for problem in source.broken:
            typer.echo(f"warning: left out: {problem}", err=True)
