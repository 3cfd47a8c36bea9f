"""Another package's log format: an entry point, and reports, comparisons and the Python interface read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import s2eval
from s2eval.cli import main
from s2eval.report.read.formats import LOG_FORMATS
from tests import packages

MODULE = """
import json
from s2eval.report.read.formats import LogFormat
from s2eval.report.read.items import LogContents, Item, Scored

def read(path, parser):
    files = [path] if path.is_file() else sorted(path.rglob("*.tally.json"))
    return LogContents(tuple(scored(file) for file in files))

def scored(file):
    tally = json.loads(file.read_text())
    items = tuple(Item(key, key, "", {"leaderboard_pct": 100.0 * right}) for key, right in tally["right"].items())
    return Scored(tally["model"], "s2_arc_challenge", items, source=str(file.parent))

TALLY = LogFormat("tally", "tallies (….tally.json)", lambda path: path.name.endswith(".tally.json"), read)
"""


@pytest.fixture
def tallies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with a format, and a folder of two models in it."""
    site = tmp_path / "site"
    site.mkdir()
    packages.install(site, monkeypatch, "tallies", MODULE, s2eval__readers="tally = tallies:TALLY")
    monkeypatch.setattr(LOG_FORMATS, "_complete", False)
    folder = tmp_path / "logs"
    folder.mkdir()
    for model, right in {"a": 6, "b": 2}.items():
        tally = {"model": model, "right": {f"q{number}": number < right for number in range(8)}}
        (folder / f"{model}.tally.json").write_text(json.dumps(tally))
    yield folder
    LOG_FORMATS.remove("tally")


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    assert left.value.code == 0
    return capsys.readouterr().out


def test_a_report_and_a_comparison_read_it(tallies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "75.00" in printed(capsys, "report", tallies)  # 6 of 8
    compared = json.loads(printed(capsys, "compare", tallies, "--baseline", "b", "--model", "a", "--json"))
    (row,) = (row for table in compared["tables"] for row in table["rows"])
    assert row["difference"]["estimate"]["value"] == pytest.approx(50.0)  # (6 - 2) / 8


def test_python_opens_it(tallies: Path) -> None:
    run = s2eval.open_run(tallies)
    assert run.models == ["a", "b"]
    assert len(run.samples("s2_arc_challenge")) == 16


def test_a_file_of_it_is_read(tallies: Path) -> None:
    assert s2eval.open_run(tallies / "a.tally.json").models == ["a"]


def test_ls_lists_it_and_errors_say_it_was_looked_for(
    tallies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "tally: tallies (….tally.json)" in printed(capsys, "ls", "logs")
    (tmp_path / "empty").mkdir()
    for command in ("report", "compare"):
        with pytest.raises(SystemExit):
            main([command, str(tmp_path / "empty")])
        assert "tallies (….tally.json)" in capsys.readouterr().err
