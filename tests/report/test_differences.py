"""What the report says of differences: sentences below the tables, the baseline, groups of seeds, notes."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2eval.errors import UnknownNameError
from s2eval.report import sources
from s2eval.report.build import Report
from s2eval.report.read.items import Item, Scored
from s2eval.report.tables.differences import against_baseline, comparison_key, difference_table, sentences, sides
from tests.report import lm_eval_logs as logs


def scored(model: str, values: list[float], group: str = "", metric: str = "s2_rouge1") -> Scored:
    items = tuple(Item(str(n), str(n), "p", {metric: value}) for n, value in enumerate(values))
    return Scored(model, "s2_eli5", items, group=group)


LOW, HIGH = [0.10 + n / 1000 for n in range(20)], [0.20 + n / 900 for n in range(20)]


def test_every_model_against_the_first() -> None:
    found = against_baseline([scored("b", HIGH), scored("a", LOW), scored("c", LOW)], (), ["a", "b", "c"])
    [table] = found.tables
    assert [(row.model, row.baseline) for row in table.rows] == [("b", "a"), ("c", "a")]
    said = sentences(found)["s2_rouge"]
    # mean of HIGH less LOW: 0.1 + 9.5 / 900 - 9.5 / 1000 = 0.10106
    assert said[0] == "b against a: ELI5, ROUGE-1 +0.1011 (difference shown: higher (better))."
    assert said[1] == "c against a: ELI5, ROUGE-1 +0.0000 (the same on every document)."


def test_another_baseline() -> None:
    models = [scored("a", LOW), scored("b", HIGH)]
    [table] = against_baseline(models, (), ["a", "b"], "b").tables
    assert [(row.model, row.baseline) for row in table.rows] == [("a", "b")]
    with pytest.raises(UnknownNameError, match="'c'"):
        against_baseline(models, (), ["a", "b"], "c")


def test_seeds_of_a_recipe_are_one_side() -> None:
    models = [scored("base", LOW), scored("x1", HIGH, "x"), scored("x2", LOW, "x"), scored("y1", LOW, "y")]
    found = sides(models, ["base", "x1", "x2", "y1"])
    assert {name: side.members for name, side in found.items()} == {
        "base": ("base",),
        "x": ("x1", "x2"),
        "y1": ("y1",),  # alone, a model
    }


def test_a_model_without_samples_takes_no_part() -> None:
    assert list(sides([scored("a", LOW)], ["a", "b"])) == ["a"]
    assert not against_baseline([scored("a", LOW)], (), ["a", "b"]).tables


def test_a_metric_of_no_table_is_not_tested() -> None:
    models = [scored("a", LOW, metric="bleu"), scored("b", HIGH, metric="bleu")]
    assert not against_baseline(models, (), ["a", "b"]).tables


def test_the_table_of_differences() -> None:
    [table] = against_baseline([scored("a", LOW), scored("b", HIGH)], (), ["a", "b"]).tables
    found = difference_table(table)
    assert found.kind == "differences"
    [row] = found.rows
    assert row.header == ("ELI5, ROUGE-1", "b", "a")
    assert [cell.text for cell in row.cells] == [
        "0.2106",  # 0.2 + 9.5 / 900
        "0.1095",
        "0.1011",
        "0.000",
        "difference shown: higher (better)",
    ]
    assert row.cells[2].counts == "20/20"


@pytest.mark.parametrize(
    ("key", "expected"),
    [("s2_rouge", "s2_rouge"), ("s2_mtsbench_scores_gpt-4/a", "s2_mtsbench_gpt-4/a")],
)
def test_comparison_key(key: str, expected: str) -> None:
    assert comparison_key(key) == expected


def test_a_document_says_what_is_shown_and_what_is_not_comparable(tmp_path: Path) -> None:
    right = [1.0] * 20
    logs.write(tmp_path, "a", {"s2_arc_challenge": logs.points("acc_norm", right)})
    logs.write(tmp_path, "b", {"s2_arc_challenge": logs.points("acc_norm", [0.0] * 3 + right[3:])})
    logs.write(tmp_path, "c", {"s2_arc_challenge": logs.points("acc_norm", right)}, version=2.0)
    document = Report([sources.read(tmp_path)]).document
    notes = document.tables[0].notes
    [note] = [note for note in notes if note.startswith("b against a")]
    assert note.startswith("b against a: ARC -15.00 (no difference shown; ")  # 3 of 20
    assert note.endswith("points would have been detected).")
    assert "Not compared: c against a, s2_arc_challenge: task version: 1 (a) and 2 (c)." in document.notes
    assert any(note.startswith("One training seed of a, b, c") for note in document.notes)


def test_the_baseline_can_be_named(tmp_path: Path) -> None:
    for name, values in {"a": [1.0] * 20, "b": [0.0, *[1.0] * 19]}.items():
        logs.write(tmp_path, name, {"s2_arc_challenge": logs.points("acc_norm", values)})
    document = Report([sources.read(tmp_path)], baseline="b").document
    assert any(note.startswith("a against b: ARC +5.00") for note in document.tables[0].notes)
