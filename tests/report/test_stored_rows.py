"""Intervals of earlier releases that nobody should print."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from s2eval import store
from s2eval.records import Row
from s2eval.report import sources
from s2eval.report.build import Report
from s2eval.report.render.markdown import render_markdown
from s2eval.report.rows import up_to_date


def row(metric: str, value: float, stderr: float, low: float, high: float, n: int) -> Row:
    return Row("m", "m", None, "s2_truthfulqa_mc2", "", "", "", metric, value, stderr, low, high, n, n, "0")


@pytest.mark.parametrize(
    "old",
    [
        row("leaderboard_pct", 45.12, 23.6, -29.9, 120.2, 4),
        row("leaderboard_pct", 0.0, 0.0, 0.0, 0.0, 4),
        replace(row("s2_win_rate@base", 0.5, 0.2, -0.1, 1.1, 8), judge="j"),
        replace(row("s2_judge_score", 9.5, 0.5, 7.9, 11.1, 8), judge="j"),
        row("s2_words", 104.0, 50.0, -22.4, 230.0, 6),
    ],
)
def test_an_interval_beyond_the_range_or_without_a_width_is_made_anew(old: Row) -> None:
    new = up_to_date(old)
    bounds = {"leaderboard_pct": (0, 100), "s2_win_rate@base": (0, 1), "s2_judge_score": (1, 10)}
    low, high = bounds.get(old.metric, (0, float("inf")))
    assert low <= new.ci_low <= new.value <= new.ci_high <= high
    assert new.ci_low < new.ci_high
    assert replace(new, ci_low=old.ci_low, ci_high=old.ci_high) == old


def test_two_documents_have_none_and_what_is_right_stays() -> None:
    few = up_to_date(row("leaderboard_pct", 50.0, 50.0, 9.5, 90.5, 2))
    assert (few.ci_low, few.ci_high) == (None, None)
    good = row("leaderboard_pct", 50.0, 5.0, 40.4, 59.6, 100)
    assert up_to_date(good) is good


def test_a_folder_of_scores_alone(tmp_path: Path) -> None:
    store.write_scores(tmp_path / store.SCORES, [row("leaderboard_pct", 45.12, 23.6, -29.9, 120.2, 4)])
    report = render_markdown(Report([sources.read(tmp_path)]).document)
    assert "45.12 [" in report
    assert "-29.9" not in report
