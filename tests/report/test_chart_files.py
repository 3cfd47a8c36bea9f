"""The radar chart: one a judge, the same bytes each time, nothing where there is too little to draw."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from s2eval.records import Row
from s2eval.report.charts.report_charts import categories, write_radars


def row(model: str, category: str, value: float | None, judge: str = "gpt-4/a/strict") -> Row:
    return Row(
        model, model, None, "s2_mtsbench", category, judge, "", "s2_judge_score", value, None, None, None, 20, 20, ""
    )


ROWS = [
    row(model, category, n + len(category))
    for n, model in enumerate(("ours", "<theirs>"))
    for category in ("a", "bb", "ccc")
]


def test_a_chart_names_models_and_categories(tmp_path: Path) -> None:
    [path] = write_radars(tmp_path, ROWS)
    chart = path.read_text()
    texts = {
        "".join(element.itertext()).strip()
        for element in ElementTree.fromstring(chart).iter("{http://www.w3.org/2000/svg}text")
    }
    assert {"ours", "<theirs>", "a", "bb", "ccc"} <= texts
    title = ElementTree.fromstring(chart).find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == "Mean rating by category, both turns, judged by gpt-4/a/strict"
    assert "var(" not in chart  # a file of its own has no page to take colours from
    assert write_radars(tmp_path, ROWS) == [path]
    assert path.read_text() == chart


def test_too_few_categories() -> None:
    assert categories(ROWS[:2], "gpt-4/a/strict") is None
    assert categories(ROWS, "another") is None
    assert categories([row("ours", category, None) for category in "abc"], "gpt-4/a/strict") is None


def test_files_are_named_by_the_judge(tmp_path: Path) -> None:
    assert [path.name for path in write_radars(tmp_path, ROWS)] == ["radar-gpt-4-a-strict.svg"]
