"""`s2eval report DIR…`."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2eval.errors import UsageError
from s2eval.terminal import note
from s2eval.terminal.options import OutFile

if TYPE_CHECKING:
    from s2eval.report.render import ReportFormat
    from s2eval.report.sources import Source


EXAMPLES = (
    "s2eval report runs/paper",
    "s2eval report runs/paper --format html --out report.html",
    "s2eval report runs/a runs/b --format tex --reference paper > tables.tex",
)
_LATEX = "LaTeX"


class Style(StrEnum):
    """How a LaTeX table shows a number and its interval."""

    full = "full"
    compact = "compact"


class Reference(StrEnum):
    """Published numbers that ship with the package."""

    paper = "paper"


def _formats() -> "Mapping[str, ReportFormat]":
    from s2eval.report.render import REPORT_FORMATS

    return REPORT_FORMATS


def describe_formats() -> str:
    """The table of formats, for help."""
    return "; ".join(f"{entry.name}: {entry.summary}" for entry in _formats().values()) + "."


def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Run folders, or folders of lm_eval --output_path.")
    ],
    format: Annotated[
        str, typer.Option(metavar="FORMAT", autocompletion=lambda: list(_formats()), help="What to write.")
    ] = "md",
    reference: Annotated[Reference | None, typer.Option(help="Print the published number beside each of ours.")] = None,
    mix_judges: Annotated[
        bool, typer.Option("--mix-judges", help="One table for several judges, with a warning.")
    ] = False,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Model, or group of seeds, that others are compared with. Default: the first."
        ),
    ] = None,
    no_samples: Annotated[
        bool, typer.Option("--no-samples", help="html: leave out all text of data sets and answers, for publishing.")
    ] = False,
    digits: Annotated[int | None, typer.Option(min=0, max=9, help="Decimals of every number.")] = None,
    style: Annotated[
        Style, typer.Option(help="compact is 45.1 ± 3.2, half the interval's width.", rich_help_panel=_LATEX)
    ] = Style.full,
    fragment: Annotated[
        bool, typer.Option("--fragment", help="The tables only, for \\input.", rich_help_panel=_LATEX)
    ] = False,
    out: OutFile = None,
) -> None:
    """Print the paper's tables from what lies in one or more folders."""
    from s2eval import store
    from s2eval.report import sources
    from s2eval.report.build import Report
    from s2eval.report.render import REPORT_FORMATS, RenderOptions

    chosen = REPORT_FORMATS.find(format)
    options = RenderOptions(not no_samples, style.value, fragment, digits)
    chosen.check(options)
    if chosen.write and out is None:
        raise UsageError(f"--format {chosen.name} writes a file: add --out report.{chosen.name}")
    read = sources.read_all(folders)
    warn_of_broken(read)
    report = Report(read, published=reference is not None, mix_judges=mix_judges, baseline=baseline)
    if chosen.write and out is not None:
        chosen.write(out, report, options)
        typer.echo(str(out))
        return
    assert chosen.render is not None
    text = chosen.render(report, options)
    if out is None:
        typer.echo(text, nl=False)
        return
    with store.explain_os_errors(out), store.write_atomically(out) as file:
        file.write(text)


def warn_of_broken(sources: "Iterable[Source]") -> None:
    """Print to standard error what the tables lack because files are missing or changed."""
    for source in sources:
        for problem in source.broken:
            note(f"warning: left out: {problem}")
