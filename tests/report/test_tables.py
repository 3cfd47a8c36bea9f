"""Rows of scores.csv → tables: order, best, missing, counts, published numbers, families."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from s2eval.errors import DataError, UnknownNameError
from s2eval.records import Row
from s2eval.report import Cell, Table, build_tables, load_references
from s2eval.report.document import Document
from s2eval.report.render.latex import render_latex
from s2eval.report.render.markdown import render_markdown
from s2eval.report.tables.cells import mark_best
from s2eval.report.tables.definitions import definitions


def row(model: str, task: str, metric: str, value: float | None, n: int = 100, **changes: object) -> Row:
    plain = Row(model, model, None, task, "", "", "", metric, value, None, None, None, n, n, "0123456789abcdef")
    return replace(plain, **changes)  # type: ignore[arg-type]


def leaderboard(model: str, *values: float | None, family: str = "s2") -> list[Row]:
    tasks = {
        "leaderboard": 26073,
        "arc_challenge": 1172,
        "hellaswag": 10042,
        "mmlu": 14042,
        "truthfulqa_mc2": 817,
    }
    return [
        row(model, f"{family}_{task}", "leaderboard_pct", value, n)
        for (task, n), value in zip(tasks.items(), values, strict=True)
    ]


def only(tables: list[Table]) -> Table:
    assert len(tables) == 1
    return tables[0]


def texts(table: Table) -> dict[tuple[str, ...], list[str]]:
    return {line.header: [cell.text for cell in line.cells] for line in table.rows}


def column(table: Table, title: str) -> list[Cell]:
    return [line.cells[table.columns.index(title)] for line in table.rows]


LLAMA = leaderboard("llama", 53.3975, 53.07, 77.74, 43.80, 38.98)
CHAT = leaderboard("chat", 56.335, 52.90, 78.55, 48.32, 45.57)


def test_table_1_has_the_papers_columns_and_the_configured_order() -> None:
    table = only(build_tables([*LLAMA, *CHAT], ["chat", "llama"]))
    assert table.key == "s2_leaderboard"
    assert table.header_names == ("model",)
    assert table.columns == ("Average", "ARC", "HellaSwag", "MMLU", "TruthfulQA")
    assert list(texts(table)) == [("chat",), ("llama",)]
    assert texts(table)["llama",] == ["53.40", "53.07", "77.74", "43.80", "38.98"]
    assert [cell.counts for cell in table.rows[0].cells][:2] == ["26073/26073", "1172/1172"]


def test_best_of_each_column() -> None:
    table = only(build_tables([*LLAMA, *CHAT], ["llama", "chat"]))
    assert [cell.best for cell in table.rows[0].cells] == [
        False,
        True,
        False,
        False,
        False,
    ]  # ARC 53.07 > 52.90
    assert [cell.best for cell in table.rows[1].cells] == [True, False, True, True, True]


def test_a_single_model_is_not_the_best() -> None:
    table = only(build_tables(LLAMA, ["llama"]))
    assert not any(cell.best for cell in table.rows[0].cells)


@pytest.mark.parametrize(
    ("values", "best", "expected"),
    [
        ([1.0, 2.0, 1.5], "high", [False, True, False]),
        ([1.0, 2.0, 1.5], "low", [True, False, False]),
        ([1.001, 1.004, 0.0], "high", [True, True, False]),  # both print 1.00
        ([1.004, 1.006, 0.0], "high", [False, True, False]),  # 1.00 and 1.01
        ([None, 2.0, 1.0], "high", [False, True, False]),
        ([None, 2.0, None], "high", [False, False, False]),  # nothing to be better than
        ([1.0, 2.0, 1.5], None, [False, False, False]),
    ],
)
def test_mark_best(values: list[float | None], best: str | None, expected: list[bool]) -> None:
    cells = [Cell(value, digits=2) for value in values]
    assert [cell.best for cell in mark_best(cells, best)] == expected  # type: ignore[arg-type]


def test_best_is_per_data_set_and_low_for_the_grade() -> None:
    rows = [
        row("a", "s2_eli5", "s2_fre", 67.6357),
        row("b", "s2_eli5", "s2_fre", 58.2425),
        row("a", "s2_eli5", "s2_fkg", 8.148),
        row("b", "s2_eli5", "s2_fkg", 10.075),
        row("a", "s2_wiki", "s2_fre", 1.0),
        row("b", "s2_wiki", "s2_fre", 2.0),
    ]
    table = only(build_tables(rows, ["a", "b"]))
    assert [line.header for line in table.rows] == [
        ("ELI5", "a"),
        ("ELI5", "b"),
        ("wiki", "a"),
        ("wiki", "b"),
    ]
    assert [cell.best for cell in column(table, "FRE")] == [True, False, False, True]
    assert [cell.best for cell in column(table, "FKG")] == [True, False, False, False]
    assert [cell.text for cell in column(table, "FKG")] == ["8.148", "10.075", "–", "–"]


def test_data_sets_stand_in_the_papers_order_and_only_where_evaluated() -> None:
    rows = [row("a", f"s2_{name}", "s2_rouge1", 0.2) for name in ("full", "eli5")]
    table = only(build_tables(rows, ["a"]))
    assert table.header_names == ("data set", "model")
    assert texts(table) == {
        ("ELI5", "a"): ["0.2000", "–", "–", "–"],
        ("full", "a"): ["0.2000", "–", "–", "–"],
    }


def test_table_4_prints_the_decimals_of_the_paper_and_counts_answers() -> None:
    values = {
        "s2_fre": 58.24254,
        "s2_fkg": 10.0754,
        "s2_fre_2023": 66.20456,
        "s2_fkg_2023": 8.9123,
        "s2_fre_corpus": 60.123,
        "s2_fkg_corpus": 9.54,
        "s2_words": 142.347,
        "s2_empty": 0.03,
        "s2_cut": 0.29,
    }
    rows = [row("a", "s2_eli5", name, value, ci_low=0.01, ci_high=0.5) for name, value in values.items()]
    table = only(build_tables(rows, ["a"]))
    # 0.03 × 100 = 3 empty answers; 0.29 × 100 is 28.999… in floating point and 29 answers
    assert texts(table)["ELI5", "a"] == [
        *("58.2425", "10.075", "66.2046", "8.912"),
        *("60.12", "9.5", "142.3", "3", "29"),
    ]
    assert column(table, "Empty answers")[0].interval == ""
    assert not any(cell.best for cell in column(table, "Words per answer"))


def test_a_share_that_is_no_share_is_an_error() -> None:
    with pytest.raises(DataError, match=r"'s2_empty': 3.0 is not a share of 100 items"):
        build_tables([row("a", "s2_eli5", "s2_empty", 3.0)], ["a"])
    with pytest.raises(DataError, match=r"0.035 is not a share of 100 items"):  # 3.5 answers
        build_tables([row("a", "s2_eli5", "s2_empty", 0.035)], ["a"])


def test_a_model_without_numbers_is_named_below_the_table() -> None:
    table = only(build_tables(LLAMA, ["failed", "llama"]))
    assert [line.header for line in table.rows] == [("llama",)]
    assert "No numbers here of failed." in table.notes
    published = only(build_tables(LLAMA, ["failed", "llama"], {"failed": "Llama-2-7b"}))
    assert texts(published)["failed",] == ["–"] * 5  # beside what the paper has
    assert [cell.counts for cell in published.rows[0].cells] == [""] * 5


def test_a_model_of_which_nothing_counted_keeps_its_row() -> None:
    failed = row("failed", "s2_arc_challenge", "leaderboard_pct", None, 1172, n_valid=0)
    assert [line.header for line in only(build_tables([*LLAMA, failed], ["llama"])).rows] == [("llama",), ("failed",)]


def test_a_model_that_only_the_rows_know_follows_the_configured_ones() -> None:
    assert [line.header for line in only(build_tables([*CHAT, *LLAMA], ["llama"])).rows] == [
        ("llama",),
        ("chat",),
    ]


def test_no_valid_item_is_missing_and_counted() -> None:
    cell = only(build_tables([row("a", "s2_eli5", "s2_rouge1", None, n_valid=0)], ["a"])).rows[0].cells[0]
    assert (cell.text, cell.counts) == ("–", "0/100")


def test_parts_judges_and_turns_belong_to_other_tables() -> None:
    rows = [
        row("a", "s2_mmlu", "leaderboard_pct", 11.0, subset="astronomy"),
        row("a", "s2_mmlu", "leaderboard_pct", 12.0, judge="gpt-4"),
        row("a", "s2_mmlu", "leaderboard_pct", 13.0, turn="1"),
    ]
    assert build_tables(rows, ["a"]) == []
    table = only(build_tables([*rows, row("a", "s2_mmlu", "leaderboard_pct", 43.8)], ["a"]))
    assert texts(table)["a",] == ["–", "–", "–", "43.80", "–"]


def test_families_never_share_a_table() -> None:
    demo = leaderboard("llama", 1, 1, 1, 1, 1, family="s2demo")
    tables = build_tables([*demo, *LLAMA, row("llama", "s2demo_eli5", "s2_rouge1", 0.3)], ["llama"])
    assert [table.key for table in tables] == ["s2_leaderboard", "s2demo_leaderboard", "s2demo_rouge"]
    assert "demonstration" not in tables[0].title
    assert all("demonstration" in table.title for table in tables[1:])
    assert texts(tables[1])["llama",] == ["1.00"] * 5


def test_nothing_evaluated_is_no_table() -> None:
    assert build_tables([], ["a"]) == []
    assert build_tables([row("a", "arc_challenge", "acc_norm", 0.27)], ["a"]) == []


def test_published_numbers_stand_beside_the_models_that_name_a_row() -> None:
    table = only(build_tables([*LLAMA, *CHAT], ["llama", "chat"], {"llama": "Llama-2-7b"}))
    assert [cell.published for cell in table.rows[0].cells] == ["53.40", "53.07", "77.74", "43.80", "38.98"]
    assert {cell.published for cell in table.rows[1].cells} == {None}
    assert any("24 September 2023, Table 1" in note for note in table.notes)


def test_without_references_no_published_number_is_asked_for() -> None:
    table = only(build_tables(LLAMA, ["llama"]))
    assert {cell.published for cell in table.rows[0].cells} == {None}
    assert not any("Published" in note for note in table.notes)


def test_published_numbers_follow_the_data_set_and_skip_our_own_columns() -> None:
    rows = [row("a", "s2_full", "s2_fre", 60.0), row("a", "s2_full", "s2_words", 90.0)]
    table = only(build_tables(rows, ["a"], {"a": "Llama-2-7b-wiki"}))
    assert [cell.published for cell in table.rows[0].cells] == [
        *(None, None),  # today's textstat: the paper has no number to compare
        *("66.8147", "8.252"),
        *(None, None, None, None, None),
    ]


def test_a_row_that_the_paper_lacks_in_this_table_is_missing() -> None:
    table = only(build_tables([row("a", "s2_eli5", "s2_rouge1", 0.2)], ["a"], {"a": "Llama-2-13b"}))
    assert [cell.published for cell in table.rows[0].cells] == ["–"] * 4


def test_the_demonstration_is_never_set_beside_the_paper() -> None:
    demo = leaderboard("llama", 1, 1, 1, 1, 1, family="s2demo")
    table = only(build_tables(demo, ["llama"], {"llama": "Llama-2-7b"}))
    assert {cell.published for cell in table.rows[0].cells} == {None}


def test_an_unknown_reference_row_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'Llama-2-7b-wiki'"):
        build_tables(LLAMA, ["llama"], {"llama": "Llama-2-7b-wikki"})


def test_every_published_column_of_a_definition_exists() -> None:
    numbers = load_references().numbers
    for definition in definitions():
        for _, dataset in definition.datasets:
            for spec in definition.columns:
                known = ("Llama-2-7b", definition.name, dataset, spec.published) in numbers
                assert known or not spec.published, (definition.name, dataset, spec.published)


def test_the_same_number_twice_is_one_and_two_different_ones_are_an_error() -> None:
    assert len(only(build_tables([*LLAMA, *LLAMA], ["llama"])).rows) == 1
    with pytest.raises(DataError, match=r"two different numbers, 53.07 .* and 54.0"):
        build_tables([*LLAMA, replace(LLAMA[1], value=54.0)], ["llama"])


@pytest.mark.parametrize("changes", [{"value": math.nan}, {"ci_low": -math.inf}])
def test_a_number_that_is_none_is_an_error(changes: dict[str, float]) -> None:
    with pytest.raises(DataError, match=r"model 'llama', task 's2_arc_challenge'.*not a finite number"):
        build_tables([replace(LLAMA[1], **changes)], ["llama"])  # type: ignore[arg-type]


def test_the_callers_notes_stand_below_their_table() -> None:
    table = only(build_tables(LLAMA, ["llama"], notes={"s2_leaderboard": ["MMLU: 3 of 57 subjects"], "x": ["y"]}))
    assert table.notes[-1] == "MMLU: 3 of 57 subjects"


@pytest.mark.parametrize(
    ("low", "high", "digits", "expected"),
    [
        (50.123, 55.987, 2, "[50.1, 56.0]"),  # half width 2.9: one decimal shows two digits of it
        (43.0, 44.64, 2, "[43.00, 44.64]"),  # 0.82: two decimals
        (0.3571, 0.4021, 4, "[0.357, 0.402]"),  # 0.0225: three
        (0.3701, 0.3749, 4, "[0.3701, 0.3749]"),  # 0.0024: four, as many as the value has
        (0.37012, 0.37013, 4, "[0.3701, 0.3701]"),  # never more than the value
        (20.0, 80.0, 2, "[20.0, 80.0]"),  # never less than one
        (8.31, 9.12, 1, "[8.3, 9.1]"),
        (-0.04, 3.0, 2, "[0.0, 3.0]"),  # no minus before a zero
        (1.0, 1.0, 2, "[1.00, 1.00]"),
    ],
)
def test_interval(low: float, high: float, digits: int, expected: str) -> None:
    assert Cell(1.0, low, high, digits=digits).interval == expected


def test_text_has_no_minus_before_a_zero() -> None:
    assert Cell(-0.001, digits=2).text == "0.00"


def test_too_few_items_are_said_in_every_format_for_readers() -> None:
    """A number of two documents: the value, `– too few` in place of an interval, and what that means above."""
    few = Row("ours", "ours", None, "s2_eli5", "", "", "", "s2_rouge1", 0.3, 0.1, None, None, 2, 2, "0")
    document = Document("t", build_tables([few], ["ours"]))
    markdown, latex = render_markdown(document), render_latex(document)
    assert "0.3000 – too few" in markdown
    assert r"\textendash{} too few" in latex
    assert "fewer than 4 independent items" in markdown
    assert "fewer than 4 independent items" in latex
    assert "too few" not in render_markdown(
        Document("t", build_tables([replace(few, stderr=None, n=9, n_valid=9)], []))
    )
