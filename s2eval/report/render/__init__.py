"""The formats of a report, one entry each: help, allowed values and errors of `--format` read this table.

A format of another package is an entry point whose value is a `ReportFormat`:

    [project.entry-points."s2eval.report_formats"]
    rst = "my_package:RST"

    RST = ReportFormat("rst", "reStructuredText", render=lambda report, options: as_rst(report.document))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from s2eval.errors import UsageError
from s2eval.registry import Registry

if TYPE_CHECKING:
    from s2eval.report.build import Report

TableStyle = Literal["full", "compact"]


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a report is written; a format names the options that it takes.

    Attributes:
        samples: with the text of data sets and answers.
        style: `compact` = `45.1 ± 3.2` on one line, half the 95% interval's width.
        fragment: tables only, to be included in a document.
        digits: decimals of every number; None = the column's own.
    """

    samples: bool = True
    style: TableStyle = "full"
    fragment: bool = False
    digits: int | None = None


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """A format of a report: text, or files that are written side by side.

    Attributes:
        name: of `--format`, and the usual ending of its files.
        summary: for help.
        render: returns the text.
        write: writes the file and those beside it; in place of `render`.
        options: names of the `RenderOptions` that it takes.
    """

    name: str
    summary: str
    render: Callable[[Report, RenderOptions], str] | None = None
    write: Callable[[Path, Report, RenderOptions], None] | None = None
    options: tuple[str, ...] = ()

    def check(self, options: RenderOptions) -> None:
        """Raise a `UsageError`, which names the formats that do, if the format does not take an option that is set."""
        for option in fields(RenderOptions):
            if getattr(options, option.name) == option.default or option.name in self.options:
                continue
            takers = ", ".join(entry.name for entry in REPORT_FORMATS.values() if option.name in entry.options)
            flag = f"--no-{option.name}" if option.default is True else f"--{option.name}"
            raise UsageError(f"--format {self.name} does not take {flag}; these do: {takers}")


def _markdown(report: Report, options: RenderOptions) -> str:
    from s2eval.report.render.markdown import render_markdown

    return render_markdown(report.document.with_digits(options.digits))


def _html(path: Path, report: Report, options: RenderOptions) -> None:
    from s2eval.report.html import write_page

    write_page(path, report.illustrated.with_digits(options.digits), report.scored if options.samples else [])


def _latex(report: Report, options: RenderOptions) -> str:
    from s2eval.report.render.latex import render_latex

    document = report.document.with_digits(options.digits)
    return render_latex(document, compact=options.style == "compact", fragment=options.fragment)


def _csv(report: Report, _: RenderOptions) -> str:
    from s2eval.report.render.csv import render_csv

    return render_csv(report.rows, report.references)


def _json(report: Report, _: RenderOptions) -> str:
    from s2eval.report.render.json import render_json

    return render_json(report.document)


REPORT_FORMATS = Registry(
    "report format",
    [
        ReportFormat("md", "the tables, to paste into an issue", render=_markdown, options=("digits",)),
        ReportFormat("html", "a page with charts and every sample", write=_html, options=("samples", "digits")),
        ReportFormat("tex", "tables for LaTeX", render=_latex, options=("style", "fragment", "digits")),
        ReportFormat("csv", "a row per number", render=_csv),
        ReportFormat("json", "the tables as data", render=_json),
    ],
    group="s2eval.report_formats",
    see="s2eval ls formats",
)
