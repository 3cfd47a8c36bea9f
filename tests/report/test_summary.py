"""The first screen: which model is best on how many columns, whether that was shown, and how the numbers came about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2eval import paths
from s2eval.records import Row, UnitFacts
from s2eval.report import provenance, sources
from s2eval.report.build import Report
from s2eval.report.document import Cell, Table, TableRow
from s2eval.report.tables.paper import build_tables
from s2eval.report.tables.scoreboard import scoreboard
from s2eval.report.tables.summary import summarise, verdict

BEST, TIED, DIFFERS = {"best": True}, {"tied": True}, {"differs": True}


def board(**models: list[dict[str, bool] | None]) -> Table:
    """A scoreboard; a cell's marks, or None without a value."""
    rows = [
        TableRow((name,), tuple(Cell() if marks is None else Cell(1.0, **marks) for marks in cells))  # pyright: ignore[reportArgumentType]
        for name, cells in models.items()
    ]
    return Table("scoreboard", "Scoreboard", ("model",), ("x", "y", "z")[: len(rows[0].cells)], tuple(rows))


@pytest.mark.parametrize(
    ("table", "sentences"),
    [
        (
            board(a=[BEST, BEST, TIED], b=[DIFFERS, TIED, BEST]),
            [
                "a is best in 2 of 3 columns, significantly in 1 of them.",
                "Its lead is significant on x; not significant on y.",
                "On z, b is best; the difference from a is not significant.",
            ],
        ),
        (
            board(a=[BEST, DIFFERS], b=[TIED, BEST]),
            ["a and b are each best in 1 of 2 columns.", "The lead over every other model is significant on y only."],
        ),
        (
            board(a=[BEST], b=[TIED], c=[DIFFERS], d=[{}]),
            ["a is best in x.", "Its lead is not significant on x (over b); not tested on x (over d)."],
        ),
        (board(a=[BEST], b=[BEST]), ["a and b are each best in x.", "No lead over every other model is significant."]),
        (board(a=[{}], b=[None]), ["Only a has numbers, so there is nothing to compare."]),
        (board(a=[{}], b=[{}]), []),
    ],
)
def test_a_verdict_says_what_was_shown_and_no_more(table: Table, sentences: list[str]) -> None:
    assert list(verdict(table)) == sentences


def row(model: str, task: str, metric: str, value: float) -> Row:
    return Row(model, model, None, task, "", "", "", metric, value, 1.0, value - 2, value + 2, 100, 100, "0")


def test_the_scoreboard_has_a_column_per_table_and_every_model() -> None:
    rows = [
        row("a", "s2_leaderboard", "leaderboard_pct", 50.0),
        row("a", "s2_arc_challenge", "leaderboard_pct", 40.0),
        row("a", "s2_eli5", "s2_rouge1", 0.3),
        row("b", "s2_eli5", "s2_rouge1", 0.2),
    ]
    models = ["a", "b", "without"]
    table = scoreboard(build_tables(rows, models), models)
    assert table is not None
    assert table.columns == ("Leaderboard", "ROUGE-1 (ELI5)")
    assert [(line.header[0], *(cell.text for cell in line.cells)) for line in table.rows] == [
        ("a", "50.00", "0.3000"),
        ("b", "–", "0.2000"),
        ("without", "–", "–"),
    ]


def test_the_leaderboard_alone_is_shown_whole() -> None:
    rows = [row("a", f"s2_{task}", "leaderboard_pct", 50.0) for task in ("leaderboard", "arc_challenge", "mmlu")]
    summary = summarise(build_tables(rows, ["a"]), ["a"], rows)
    assert summary.board is not None
    assert summary.board.columns == ("Average", "ARC", "MMLU")
    assert summary.compared == "a on s2_arc_challenge and s2_mmlu."


def test_significance_is_that_of_the_paired_tests() -> None:
    report = Report([sources.read(paths.references().parent / "produced" / "smollm2-qa")])
    assert report.document.summary is not None
    assert "smollm2 is best in 9 of 9 columns" in report.document.summary.verdict[0]


def test_a_run_records_how_it_came_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/venv/bin/s2eval", "run", "my config.yaml"])
    results = tmp_path / "a" / "s2_eli5" / "results_2026.json"
    results.parent.mkdir(parents=True)
    results.write_text(json.dumps({"config": {"model_dtype": "torch.bfloat16"}}))
    provenance.record(tmp_path)
    units = [
        UnitFacts(finished="2026-12-01T10:00:00+00:00", seconds=100.0, versions={"s2eval": "0.1.0"}),
        UnitFacts(finished="2026-12-01T11:30:00+00:00", seconds=7100.0, versions={"s2eval": "0.2.0"}),
    ]
    known = dict(provenance.facts(tmp_path, units))
    assert known["Finished"] == "2026-12-01 11:30 UTC"
    assert known["Computing time"] == "2 h 00 min"
    assert known["Command"] == "s2eval run 'my config.yaml'"
    assert known["dtype"] == "bfloat16"
    assert known["Versions"] == "s2eval 0.1.0 and 0.2.0"


def test_what_an_old_folder_does_not_say_is_left_out(tmp_path: Path) -> None:
    assert provenance.facts(tmp_path, []) == ()
