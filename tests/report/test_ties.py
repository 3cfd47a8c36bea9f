"""Ties with the best of a column: paired tests, standard errors where there are no samples, refusals, corrections."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from s2eval import stats
from s2eval.records import Row
from s2eval.report import Document, Table, build_tables, sources
from s2eval.report.build import Report
from s2eval.report.read.items import Item, Scored
from s2eval.report.tables.judged import judged_tables, mixed
from s2eval.report.tables.ties import BY_NUMBERS, mark_ties
from tests.report import lm_eval_logs as logs

N = 20
BEST, FIVE, TWELVE = [1.0] * N, [0.0] * 5 + [1.0] * 15, [0.0] * 12 + [1.0] * 8


def report(folder: Path) -> Document:
    return Report([sources.read(folder)]).document


def marks(table: Table, title: str) -> dict[str, str]:
    at = table.columns.index(title)
    told = {(True, False): "best", (False, True): "tied", (False, False): ""}
    return {row.header[-1]: told[row.cells[at].best, row.cells[at].tied] for row in table.rows}


def arc(folder: Path, **models: list[float]) -> Path:
    for name, values in models.items():
        logs.write(folder, name, {"s2_arc_challenge": logs.points("acc_norm", values)})
    return folder


def test_a_difference_that_is_not_shown_is_a_tie(tmp_path: Path) -> None:
    three = [0.0] * 3 + [1.0] * 17
    [table] = report(arc(tmp_path / "a", best=BEST, other=three)).tables
    assert marks(table, "ARC") == {"best": "best", "other": "tied"}  # 3 against 0: mid-p 2^-3 = 0.125
    [table] = report(arc(tmp_path / "b", best=BEST, other=TWELVE)).tables
    assert marks(table, "ARC") == {"best": "best", "other": ""}  # 12 against 0: 2^-12
    assert not any(BY_NUMBERS in note for note in table.notes)


def test_documents_are_paired_not_averages(tmp_path: Path) -> None:
    # 9 of 20 against 12 of 20, each wrong where the other is right but for one document: 11 against 8, mid-p 0.5
    one = [1.0] * 12 + [0.0] * 8
    other = [0.0] * 11 + [1.0] * 9
    [table] = report(arc(tmp_path / "a", one=one, other=[*other[:11], 1.0, *other[12:]])).tables
    assert marks(table, "ARC")["other"] == "tied"
    # 0 of 8 against 8 of 8 where they differ, the same averages as far apart
    [table] = report(arc(tmp_path / "b", one=[1.0] * 16 + [0.0] * 4, other=[1.0] * 8 + [0.0] * 12)).tables
    assert marks(table, "ARC")["other"] == ""  # 2^-8


def test_correction_is_over_all_pairs_of_the_column(tmp_path: Path) -> None:
    [table] = report(arc(tmp_path, best=BEST, five=FIVE, twelve=TWELVE)).tables
    # 2^-12 times 3 pairs is shown; 2^-5 = 0.031 times the 2 that are left is 0.063. Over the two tests alone it would
    # be 0.031.
    assert marks(table, "ARC") == {"best": "best", "five": "tied", "twelve": ""}


def test_the_best_of_equal_models_is_not_better() -> None:
    """12 models of one mean: how often the best is told from any other, corrected for 11 tests and for 66 pairs."""
    rng = np.random.default_rng(5)
    tables, wrong = 4000, {"tests": 0, "pairs": 0}
    for _ in range(tables):
        z = np.sort(rng.normal(size=12))
        p = [math.erfc((z[-1] - one) / 2) for one in z[:-1]]  # |difference| / √2, over √2
        wrong["tests"] += min(one for one in stats.holm(p) if one is not None) <= 0.05
        wrong["pairs"] += min(one for one in stats.holm([*p, *[1.0] * 55]) if one is not None) <= 0.05
    assert 0.14 < wrong["tests"] / tables < 0.20
    assert 0.025 < wrong["pairs"] / tables < 0.06


def test_models_that_cannot_be_paired_are_never_tied(tmp_path: Path) -> None:
    lines = logs.points("acc_norm", BEST)
    logs.write(tmp_path, "best", {"s2_arc_challenge": lines})
    logs.write(tmp_path, "newer", {"s2_arc_challenge": logs.points("acc_norm", [0.0, *BEST[1:]])}, version=2.0)
    [table] = report(tmp_path).tables
    assert marks(table, "ARC") == {"best": "best", "newer": ""}
    [note] = [note for note in table.notes if note.startswith("Not comparable with the best")]
    assert "newer with best on s2_arc_challenge (task version: 1 (best) and 2 (newer))" in note


def test_other_prompts_are_never_tied(tmp_path: Path) -> None:
    logs.write(tmp_path, "best", {"s2_arc_challenge": logs.points("acc_norm", BEST)})
    changed = [{**line, "prompt_hash": "other"} for line in logs.points("acc_norm", [0.0, *BEST[1:]])]
    logs.write(tmp_path, "asked", {"s2_arc_challenge": changed})
    [table] = report(tmp_path).tables
    assert marks(table, "ARC")["asked"] == ""
    assert any("prompts of 20" in note for note in table.notes)


def test_the_average_of_four_is_paired_too(tmp_path: Path) -> None:
    def tasks(shift: float) -> dict[str, list[dict[str, object]]]:
        half = [0.0, 1.0] * 10
        return {
            "s2_arc_challenge": logs.points("acc_norm", half),
            "s2_hellaswag": logs.points("acc_norm", half),
            "s2_mmlu": logs.points("acc", half, "virology"),
            "s2_truthfulqa_mc2": logs.points("mc2", [0.5 - shift * (1 + number / 100) for number in range(N)]),
        }

    logs.write(tmp_path, "best", tasks(0.0))
    logs.write(tmp_path, "worse", tasks(0.1))  # on every question of one of the four
    logs.write(tmp_path, "equal", tasks(0.0) | {"s2_truthfulqa_mc2": logs.points("mc2", [0.49, 0.5] * 10)})
    table = report(tmp_path).tables[0]
    assert marks(table, "Average")["worse"] == ""
    assert marks(table, "TruthfulQA")["worse"] == ""
    assert marks(table, "ARC") == dict.fromkeys(("best", "equal", "worse"), "best")  # they print alike


def row(model: str, value: float, stderr: float | None, **more: object) -> Row:
    bounds = (None, None) if stderr is None else (value - stats.Z * stderr, value + stats.Z * stderr)
    plain = Row(model, model, None, "s2_eli5", "", "", "", "s2_rouge1", value, stderr, *bounds, 100, 100, "0")
    return replace(plain, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "stderr", "expected"),
    [
        (0.50, 0.05, "tied"),  # 0.1 / (0.05 √2) = 1.41, p = 0.157
        (0.40, 0.05, ""),  # 2.83, p = 0.005
        (0.50, None, ""),  # cannot be told
    ],
)
def test_without_samples_standard_errors_tell(value: float, stderr: float | None, expected: str) -> None:
    rows = [row("best", 0.60, 0.05), row("other", value, stderr)]
    [table] = mark_ties(build_tables(rows, ["best", "other"]), [])
    assert marks(table, "ROUGE-1")["other"] == expected
    assert (f"{BY_NUMBERS}." in table.notes) == (stderr is not None)


def test_where_lower_is_better_the_lowest_is_the_best() -> None:
    rows = [row("high", 9.0, 0.1, metric="s2_fkg"), row("low", 8.9, 0.1, metric="s2_fkg"), row("far", 11.0, 0.1)]
    rows[2] = replace(rows[2], metric="s2_fkg")
    [table] = mark_ties(build_tables(rows, ["high", "low", "far"]), [])
    assert marks(table, "FKG") == {"low": "best", "high": "tied", "far": ""}  # 0.1 / 0.141: p = 0.48, times 2


def test_no_difference_from_a_model_of_two_documents_is_shown() -> None:
    """0 of 2 right has a standard error of 0, which is no precision."""
    rows = [row("best", 0.60, 0.05), row("few", 0.0, 0.0, n=2, n_valid=2, ci_low=None, ci_high=None)]
    [table] = mark_ties(build_tables(rows, ["best", "few"]), [])
    assert marks(table, "ROUGE-1") == {"best": "best", "few": "tied"}


def test_two_documents_show_no_difference(tmp_path: Path) -> None:
    [table] = report(arc(tmp_path, best=[1.0, 1.0], other=[0.0, 0.0])).tables
    assert marks(table, "ARC") == {"best": "best", "other": "tied"}


def test_an_average_without_spread_is_compared_by_its_interval() -> None:
    """All of 4 wrong is [0, 0.53]: its standard error of 0 would put 0.6 ± 0.2 six of them away."""
    four = stats.proportion(0, 4)
    rows = [row("best", 0.60, 0.1), row("none", 0.0, 0.0, n=4, n_valid=4, ci_low=0.0, ci_high=four.ci_high)]
    [table] = mark_ties(build_tables(rows, ["best", "none"]), [])
    # 0.6 beside √(0.196² + 0.527²) = 0.562, which are 1.96 standard errors: p = 0.036; at 0.5, p = 0.08
    assert marks(table, "ROUGE-1")["none"] == ""
    rows[0] = row("best", 0.50, 0.1)
    [table] = mark_ties(build_tables(rows, ["best", "none"]), [])
    assert marks(table, "ROUGE-1")["none"] == "tied"


def test_samples_of_one_model_only_leave_standard_errors() -> None:
    items = tuple(Item(str(n), str(n), "p", {"s2_rouge1": 0.6}) for n in range(3))
    scored = Scored("best", "s2_eli5", items)
    rows = [row("best", 0.60, 0.05), row("other", 0.50, 0.05)]
    [table] = mark_ties(build_tables(rows, ["best", "other"]), [scored])
    assert marks(table, "ROUGE-1")["other"] == "tied"


def judged(model: str, value: float, turn: str, judge: str = "j") -> Row:
    return row(model, value, 0.3, task="s2_mtsbench", judge=judge, turn=turn, metric="s2_judge_score")


def rated(model: str, values: list[float]) -> Scored:
    items = tuple(
        Item(f"{n}, turn 1", str(n), "p", {"s2_judge_score": value}, cluster=str(n)) for n, value in enumerate(values)
    )
    return Scored(model, "s2_mtsbench", items, "j", "1")


def test_ratings_are_paired_by_question() -> None:
    easy = [float(n % 9 + 1) for n in range(30)]
    rows = [judged("a", 5.5, "1"), judged("b", 4.9, "1"), judged("a", 5.5, ""), judged("b", 4.9, "")]
    scored = [rated("a", easy), rated("b", [one - 0.5 - (n % 3) / 10 for n, one in enumerate(easy)])]
    table = mark_ties(judged_tables(rows, ["a", "b"]), scored)[0]
    assert marks(table, "Single turn")["b"] == ""  # lower on each of 30 questions
    # without judgments of both turns: 0.6 / (0.3 √2) = 1.41
    assert marks(table, "Average")["b"] == "tied"
    assert f"{BY_NUMBERS}: Average." in table.notes


def test_two_judges_in_one_table_are_never_tied() -> None:
    rows = mixed([judged("a", 5.5, ""), judged("a", 5.4, "", judge="k")])
    table = mark_ties(judged_tables(rows, ["a"]), [])[0]
    assert set(marks(table, "Average").values()) == {"best", ""}
