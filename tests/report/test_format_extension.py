"""A report format of another package: listed, suggested and written, without a change of s2eval."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2eval.cli import app
from s2eval.errors import UnknownNameError, UsageError
from s2eval.report.render import REPORT_FORMATS, RenderOptions, ReportFormat
from tests import packages

PRODUCED = Path(__file__).parents[2] / "results" / "produced" / "smollm2-qa"
PACKAGE = """
from s2eval.report.render import ReportFormat

def render(report, options):
    return f"{report.document.title}, {len(report.rows)} rows, {options.digits} digits\\n"

OUTLINE = ReportFormat("outline", "a title", render=render, options=("digits",))
"""


@pytest.fixture
def outline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReportFormat]:
    """An installed package with a format."""
    packages.install(tmp_path, monkeypatch, "outliner", PACKAGE, s2eval__report_formats="outline = outliner:OUTLINE")
    monkeypatch.setattr(REPORT_FORMATS, "_complete", False)
    yield REPORT_FORMATS["outline"]
    REPORT_FORMATS.remove("outline")
    sys.modules.pop("outliner")


def test_it_is_written_with_its_options(outline: ReportFormat) -> None:
    result = CliRunner().invoke(app, ["report", str(PRODUCED), "--format", outline.name, "--digits", "1"])
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("rows, 1 digits\n")


def test_it_is_listed_and_suggested(outline: ReportFormat) -> None:
    assert "outline: a title" in " ".join(CliRunner().invoke(app, ["report", "--help"]).stdout.replace("│", "").split())
    assert "outline: a title" in CliRunner().invoke(app, ["ls", "formats"]).stdout.splitlines()
    with pytest.raises(UnknownNameError, match="unknown report format 'outlin'; did you mean 'outline'"):
        REPORT_FORMATS.find("outlin")
    with pytest.raises(UsageError, match="--format csv does not take --digits; these do: md, html, tex, outline"):
        REPORT_FORMATS["csv"].check(RenderOptions(digits=1))
    with pytest.raises(UsageError, match="--format outline does not take --no-samples; these do: html"):
        outline.check(RenderOptions(samples=False))


def test_json_has_every_number_of_the_tables() -> None:
    import json

    result = CliRunner().invoke(app, ["report", str(PRODUCED), "--format", "json"])
    content = json.loads(result.stdout)
    assert {table["key"] for table in content["tables"]} >= {"s2_rouge"}
    cell = content["tables"][0]["rows"][0]["cells"][0]
    assert cell["ci_low"] < cell["value"] < cell["ci_high"]
