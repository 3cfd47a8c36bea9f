"""`s2eval report DIR…`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """What a report can be written as."""

    md = "md"
    csv = "csv"


class Reference(StrEnum):
    """Published numbers that ship with the package."""

    paper = "paper"


def report(
    folders: Annotated[list[Path], typer.Argument(help="run folders, or folders of lm_eval --output_path")],
    format: Annotated[Format, typer.Option(help="md: the tables; csv: one row a number")] = Format.md,
    reference: Annotated[Reference | None, typer.Option(help="print the published number beside each of ours")] = None,
    mix_judges: Annotated[
        bool, typer.Option("--mix-judges", help="one table for several judges, with a warning")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="file to write; by default standard output")] = None,
) -> None:
    """Print the paper's tables from what lies in one or more folders."""
    from s2eval import store
    from s2eval.report import folders as sources
    from s2eval.report import render_markdown

    read = [sources.read(folder) for folder in folders]
    if format is Format.csv:
        rows = [row for source in read for row in source.rows]
        if out is None:
            store.print_scores(sys.stdout, rows)
            return
        with store.explain_os_errors(out):
            store.write_scores(out, rows)
        return
    text = render_markdown(sources.document(read, published=reference is not None, mix_judges=mix_judges))
    if out is None:
        typer.echo(text, nl=False)
        return
    with store.explain_os_errors(out), store.write_atomically(out) as file:
        file.write(text)
