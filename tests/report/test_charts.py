"""Charts as inline SVG: safe, named, the page's colours, all their numbers in words; nothing where there is nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from s2eval import stats
from s2eval.records import Row
from s2eval.report import Chart, build_tables, sources
from s2eval.report.build import Report
from s2eval.report.charts.report_charts import categories, draw_all, forest, leaderboard, readability
from s2eval.report.compare import Compared
from s2eval.report.read.items import Item, Scored
from s2eval.report.tables.differences import against_baseline
from tests.report import lm_eval_logs as logs

SVG = "{http://www.w3.org/2000/svg}"


def row(model: str, task: str, metric: str, value: float, **more: object) -> Row:
    plain = Row(model, model, None, task, "", "", "", metric, value, 1.0, value - 2, value + 2, 100, 100, "0")
    return replace(plain, **more)  # type: ignore[arg-type]


NAMES = ("ours", "<b>$x^2$ & 中")
TASKS = ("leaderboard", "arc_challenge", "hellaswag", "mmlu", "truthfulqa_mc2")
BOARD = [
    row(model, f"s2_{task}", "leaderboard_pct", 40.0 + n + number)
    for number, model in enumerate(NAMES)
    for n, task in enumerate(TASKS)
]
RATINGS = [
    row(model, "s2_mtsbench", "s2_judge_score", 4.0 + n + number, subset=name, judge="g/p@1/strict")
    for number, model in enumerate(NAMES)
    for n, name in enumerate(("writing", "math", "roleplay"))
]
QA = [
    row(model, "s2_eli5", metric, value + number)
    for number, model in enumerate(NAMES)
    for metric, value in (("s2_fre", 60.0), ("s2_rouge1", 0.3))
]


def compared() -> Compared:
    def scored(model: str, shift: float) -> Scored:
        values = [{"s2_rouge1": 0.2 + n / 1000 + shift, "s2_fkg": 9 - 10 * shift + n / 10} for n in range(20)]
        return Scored(model, "s2_eli5", tuple(Item(str(n), str(n), "p", one) for n, one in enumerate(values)))

    return against_baseline([scored("base", 0.0), scored(NAMES[1], 0.1)], (), ["base", NAMES[1]])


def all_charts() -> list[Chart]:
    rows = [*BOARD, *RATINGS, *QA]
    return draw_all(build_tables(rows, NAMES), rows, compared())


def texts(chart: Chart) -> set[str]:
    root = ElementTree.fromstring(chart.svg)
    return {"".join(element.itertext()).strip() for element in root.iter(f"{SVG}text")}


def test_every_chart_is_there_once() -> None:
    keys = [chart.key for chart in all_charts()]
    assert keys == [
        "p-s2-leaderboard-chart",
        "p-categories-g-p-1-strict",
        "p-ease-s2-eli5",
        "p-s2-rouge-forest",
        "p-s2-readability-forest",
    ]


@pytest.mark.parametrize("chart", all_charts(), ids=lambda chart: chart.key)
def test_it_may_stand_in_a_page(chart: Chart) -> None:
    root = ElementTree.fromstring(chart.svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    title, description = root[0], root[1]
    assert (title.tag, title.text) == (f"{SVG}title", chart.title)
    assert (description.tag, description.text) == (f"{SVG}desc", chart.description)
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "path", "text", "tspan", "defs", "use", "clipPath", "rect"}
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert all(name.startswith(f"{chart.key}-") for name in ids if name)
    assert len(ids) == len(set(ids))
    for element in root.iter():
        assert "style" not in element.attrib  # a strict policy would not apply it
        assert not [name for name in element.attrib if name.startswith("on")]
        for name, value in element.attrib.items():
            if name.endswith("href"):
                assert value.startswith(f"#{chart.key}-")
    assert len(chart.svg) < 60_000


@pytest.mark.parametrize("chart", all_charts(), ids=lambda chart: chart.key)
def test_colours_are_the_pages(chart: Chart) -> None:
    bare = re.sub(r"var\(--s2-(?:[1-8]|grey), #[0-9a-f]{6}\)", "", chart.svg)
    bare = bare[bare.index("</desc>") :]
    assert "currentColor" in bare
    assert not re.search(r'="#[0-9a-f]{6}"', bare)


def test_the_leaderboards_bars() -> None:
    [table] = build_tables(BOARD, NAMES)
    chart = leaderboard(table)
    assert chart is not None
    assert set(NAMES) <= texts(chart)
    assert {"ARC", "HellaSwag", "MMLU", "TruthfulQA"} <= texts(chart)
    assert "ours: Average 40.00 [38.0, 42.0], ARC 41.00 [39.0, 43.0]" in chart.description
    assert chart.svg == leaderboard(table).svg  # type: ignore[union-attr]


def test_a_leaderboard_without_an_average() -> None:
    [table] = build_tables(BOARD[1:2], NAMES)
    chart = leaderboard(table)
    assert chart is not None
    assert chart.description.startswith("Bars of ARC with 95% intervals.")
    assert leaderboard(build_tables([replace(BOARD[0], value=None)], NAMES)[0]) is None


def test_categories() -> None:
    chart = categories(RATINGS, "g/p@1/strict")
    assert chart is not None
    assert {"writing", "math", "roleplay", *NAMES} <= texts(chart)
    assert "ours: writing 4.00, math 5.00, roleplay 6.00" in chart.description
    assert categories(RATINGS[:2], "g/p@1/strict") is None


def test_readability_needs_two_models() -> None:
    [chart] = readability(QA)
    assert chart.title == "Reading ease of the answers against ROUGE-1: ELI5"
    assert f"{NAMES[1]}: reading ease 61.0, ROUGE-1, F-measure 1.3" in chart.description
    assert not list(readability(QA[:2]))


def test_readability_against_a_judges_rating() -> None:
    rows = [row(model, "s2_mtsbench", "s2_judge_score", 5.0, judge="j") for model in NAMES]
    rows += [row(model, "s2_mtsbench", "s2_fre_corpus", 55.0, turn="1") for model in NAMES]
    [chart] = readability(rows)
    assert "ours: reading ease 55.0, mean rating 5" in chart.description


def test_differences_as_a_forest() -> None:
    rouge, grade = compared().tables
    chart = forest(rouge)
    assert chart is not None
    assert chart.description.endswith("+0.1000 [+0.0402, +0.1486], difference shown: higher (better).")
    assert chart.table is not None
    assert chart.table.kind == "differences"
    lower = forest(grade)  # a lower grade is better
    assert lower is not None
    assert "difference shown: lower (better)" in lower.description


def test_unlike_units_do_not_share_an_axis() -> None:
    [table, _] = compared().tables
    [one] = table.rows
    other = replace(
        one, what="FRE", metric="s2_fre", difference=stats.paired_difference([1.0, 2.0, 4.0], [5.0, 7.0, 6.0])
    )
    chart = forest(replace(table, rows=(one, other)))
    assert chart is not None
    assert "FRE" not in texts(chart)
    assert chart.table is not None
    assert len(chart.table.rows) == 2


def test_too_many_rows_are_drawn_of_the_first_metric() -> None:
    [table, _] = compared().tables
    [one] = table.rows
    rows = tuple(replace(one, what=what, model=f"m{n}") for n in range(40) for what in ("first", "second"))
    chart = forest(replace(table, rows=rows))
    assert chart is not None
    assert sum(text.startswith("first") for text in texts(chart)) == 40
    assert not any(text.startswith("second") for text in texts(chart))


def test_what_the_configuration_leaves_out_is_not_drawn(tmp_path: Path) -> None:
    """A run's samples hold ROUGE too where its `metrics:` name readability alone."""
    for name, shift in (("a", 0.0), ("b", 0.1)):
        values = [{"s2_rouge1": 0.2 + n / 100 + shift, "s2_fre": 50.0 + n + 9 * shift} for n in range(20)]
        logs.write(tmp_path / "made", name, {"s2_eli5": [logs.line(n, **one) for n, one in enumerate(values)]})
        (tmp_path / name).mkdir()
        (tmp_path / "made" / name).rename(tmp_path / name / "s2_eli5")
        (tmp_path / name / "s2_eli5" / "unit.json").write_text(json.dumps({"key": name, "model": name}))
    config = {"name": "run", "models": [{"name": name, "model": name} for name in "ab"], "tasks": ["s2_eli5"]}
    for metrics, expected in ((["readability"], 1), (["readability", "rouge"], 2)):
        (tmp_path / "run.yaml").write_text(yaml.safe_dump({**config, "metrics": metrics}))
        document = Report([sources.read(tmp_path)]).illustrated
        assert sum(chart.key.endswith("-forest") for chart in document.charts) == expected


def test_matplotlib_is_loaded_for_charts_only(tmp_path: Path) -> None:
    for name in "ab":
        logs.write(tmp_path, name, {"s2_arc_challenge": logs.points("acc_norm", [1.0, 0.0, 1.0])})
    code = f"""
import pathlib, sys
from s2eval.report import sources
from s2eval.report import render_markdown
from s2eval.report.build import Report
from s2eval.report.render.csv import render_csv
from s2eval.report.render.latex import render_latex
source = sources.read(pathlib.Path({str(tmp_path)!r}))
document = Report([source], published=True).document
render_markdown(document), render_latex(document), render_csv(source.rows)
print(sorted({{'matplotlib', 'torch', 'pandas', 'transformers', 'lm_eval'}} & sys.modules.keys()))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
