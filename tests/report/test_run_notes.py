"""Notes that the report writes by itself: half-written runs, mixed versions, fewer documents, what is there twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2eval import store
from s2eval.errors import DataError
from s2eval.records import Row, Sample, Unit
from s2eval.report import sources
from s2eval.report.build import Report
from s2eval.report.tables import run_notes
from tests.report import lm_eval_logs as logs

RIGHT = [1.0] * 6


def run_folder(
    folder: Path, lines: dict[str, list[dict[str, Any]]], facts: dict[str, dict[str, Any]] | None = None, **more: Any
) -> Path:
    """A run of `s2_arc_challenge`; `facts` are added to a model's unit."""
    for name, own_lines in lines.items():
        logs.write(folder / "made", name, {"s2_arc_challenge": own_lines})
        own = folder / name / "s2_arc_challenge"
        own.parent.mkdir(parents=True)
        (folder / "made" / name).rename(own)
        unit = {
            "key": f"key-{name}",
            "model": name,
            "versions": {"torch": "2.13.0"},
            "inputs": {"documents": "7455e7a6", "version": 1.0, "shots": 25},
            **(facts or {}).get(name, {}),
        }
        (own / store.UNIT).write_text(json.dumps(unit))
    config = {
        "name": "run",
        "models": [{"name": name, "model": f"./{name}"} for name in lines],
        "tasks": ["s2_arc_challenge"],
        **more,
    }
    (folder / store.RUN).write_text(yaml.safe_dump(config))
    return folder


def notes(folder: Path) -> list[str]:
    return list(Report([sources.read(folder)]).document.notes)


LINES = logs.points("acc_norm", RIGHT)


def test_tasks_models_and_versions(tmp_path: Path) -> None:
    models = [{"name": "a", "model": "./a", "group": "x", "seed": 3}]
    found = notes(run_folder(tmp_path, {"a": LINES}, models=models))
    assert found == [
        "a is `./a` (group x, seed 3).",
        "Tasks: s2_arc_challenge (data 7455e7a6, version 1, 25 shots).",
        "Evaluated with torch 2.13.0.",
    ]


def test_mixed_versions_are_told_with_their_models(tmp_path: Path) -> None:
    facts = {"b": {"versions": {"torch": "2.12.0"}, "inputs": {"documents": "ffff", "version": 1.0, "shots": 25}}}
    found = notes(run_folder(tmp_path, {"a": LINES, "b": LINES, "c": LINES}, facts))
    assert "Mixed versions: b evaluated with torch 2.12.0." in found
    assert "Mixed versions: a, c evaluated with torch 2.13.0." in found
    told = "Tasks: s2_arc_challenge (data 7455e7a6, version 1, 25 shots: a, c or data ffff, version 1, 25 shots: b)."
    assert told in found


def test_what_did_not_finish_is_told_with_the_command(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, {"a": LINES, "b": LINES}, unfinished=["b/s2_arc_challenge"])
    [note] = [note for note in notes(folder) if note.startswith("Not finished")]
    assert note.startswith("Not finished, so not in the tables: b/s2_arc_challenge. ")
    assert f"`s2eval run CONFIG.yaml --out {folder}`" in note


def test_a_broken_unit_is_left_out_and_told(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, {"a": LINES, "b": LINES})
    [samples] = (folder / "b").rglob("samples_*.jsonl")
    samples.write_bytes(samples.read_bytes()[:-40])  # as if the disk had been full
    document = Report([sources.read(folder)]).document
    [note] = [note for note in document.notes if note.startswith("Left out: ")]
    assert "line 6" in note
    assert [(*row.header, row.cells[1].text) for row in document.tables[0].rows] == [("a", "100.00")]
    assert "No numbers here of b." in document.tables[0].notes
    [samples] = (folder / "a").rglob("samples_*.jsonl")
    samples.write_text("{")
    with pytest.raises(DataError, match="samples_"):
        sources.read(folder)


def test_fewer_documents_are_told(tmp_path: Path) -> None:
    found = notes(run_folder(tmp_path, {"a": LINES, "b": LINES[:4]}))
    assert "Fewer items of s2_arc_challenge than the 6 of others: b 4." in found
    document = Report([sources.read(tmp_path)]).document
    assert [row.cells[1].counts for row in document.tables[0].rows] == ["6/6", "4/4"]


def test_missing_values_are_told(tmp_path: Path) -> None:
    lines = [{**LINES[0], "leaderboard_pct": float("nan"), "acc_norm": float("nan")}, *LINES[1:]]
    found = notes(run_folder(tmp_path, {"a": lines, "b": LINES}))
    assert "a, s2_arc_challenge: 1 of 6 items without a value are in no mean (acc_norm, leaderboard_pct)." in found
    document = Report([sources.read(tmp_path)]).document
    [cell, _] = [row.cells[1] for row in document.tables[0].rows]
    assert (cell.text, cell.counts) == ("100.00", "5/6")  # not 5/6 = 83.33


def test_a_document_that_is_there_twice_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, {"a": [*LINES, LINES[2]]})
    with pytest.raises(DataError, match="document 2 was met before"):
        sources.read(folder)


def row(**more: Any) -> Row:
    return replace(Row("a", "a", None, "t", "", "", "", "m", 1.0, None, None, None, 5, 5, "0"), **more)


def test_rows_that_are_there_twice_are_told() -> None:
    assert list(run_notes.of_rows([row(), row(), row(metric="k")])) == ["There twice, and counted once: a t m."]


def test_many_names_are_shortened() -> None:
    rows = [row(metric=f"m{n}", n_valid=4) for n in range(6)]
    [note] = run_notes.of_rows(rows)
    assert note == "a, t: 1 of 5 items without a value are in no mean (m0, m1, m2, m3, and 2 more)."


def test_averages_of_a_judge_and_of_the_leaderboard_are_not_told_again() -> None:
    assert not list(run_notes.of_rows([row(judge="j", n_valid=3), row(task="s2_leaderboard"), row(model="b", n=5)]))


def test_texts_that_cannot_be_measured_are_told_with_the_reason() -> None:
    [note] = run_notes.of_rows([row(metric="s2_rouge1", n_valid=3), row(metric="s2_fre", n_valid=3)])
    assert note == (
        "a, t: 2 of 5 answers or references have few or no words in Latin letters, cannot be measured, and are in no "
        "mean (s2_rouge1, s2_fre)."
    )


def test_samples_of_another_number_of_documents_than_the_results_are_told() -> None:
    """A file of plain lm-eval that was cut at a line boundary."""
    samples = tuple(Sample(number, f"d{number}", "p", values={"acc": 1.0}) for number in range(2))
    units = [Unit("a", "arc", samples[:n], {}, 2, "k") for n in (2, 1)]
    [note] = run_notes.of_lm_eval(units)
    assert note.startswith("a/arc: samples of 1 documents, its results are of 2: ")
