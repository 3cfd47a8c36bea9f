"""`s2eval report DIR…`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from s2eval.errors import UsageError
from s2eval.terminal import note, write_or_print
from s2eval.terminal.options import OutFile

if TYPE_CHECKING:
    from s2eval.report.sources import Source


EXAMPLES = (
    "s2eval report runs/paper",
    "s2eval report runs/paper --format html --out report.html",
    "s2eval report runs/a runs/b --format tex --reference paper > tables.tex",
)
_LATEX = "LaTeX"


Folders = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Run folders, or folders of lm_eval --output_path.")
]
ReferenceOption = Annotated[
    Literal["paper"] | None, typer.Option(help="Print the published number beside each of ours.")
]
MixJudges = Annotated[bool, typer.Option("--mix-judges", help="One table for several judges, with a warning.")]


def _format_names() -> list[str]:
    from s2eval.report.render import REPORT_FORMATS

    return list(REPORT_FORMATS)


def describe_formats() -> str:
    """The table of formats, for help."""
    from s2eval.report.render import REPORT_FORMATS

    return "; ".join(f"{entry.name}: {entry.summary}" for entry in REPORT_FORMATS.values()) + "."


def report(
    folders: Folders,
    format: Annotated[str, typer.Option(metavar="FORMAT", autocompletion=_format_names, help="What to write.")] = "md",
    reference: ReferenceOption = None,
    mix_judges: MixJudges = False,
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
        Literal["full", "compact"],
        typer.Option(help="compact is 45.1 ± 3.2, half the interval's width.", rich_help_panel=_LATEX),
    ] = "full",
    fragment: Annotated[
        bool, typer.Option("--fragment", help="The tables only, for \\input.", rich_help_panel=_LATEX)
    ] = False,
    out: OutFile = None,
) -> None:
    """Print the paper's tables from what lies in one or more folders."""
    from s2eval.report import sources
    from s2eval.report.build import Report
    from s2eval.report.render import REPORT_FORMATS, RenderOptions

    chosen = REPORT_FORMATS.find(format)
    options = RenderOptions(not no_samples, style, fragment, digits)
    chosen.check(options)
    if chosen.write and out is None:
        raise UsageError(f"--format {chosen.name} writes a file: add --out report.{chosen.name}")
    read = sources.read_all(folders)
    warn_of_broken(read)
    report = Report(read, published=reference is not None, mix_judges=mix_judges, baseline=baseline)
    if chosen.write and out is not None:
        chosen.write(out, report, options)
        typer.echo(str(out))
    elif chosen.render:
        write_or_print(chosen.render(report, options), out)


def warn_of_broken(sources: "Iterable[Source]") -> None:
    """Note what the tables lack because files are missing or changed."""
    for source in sources:
        for problem in source.broken:
            note(f"warning: left out: {problem}")
