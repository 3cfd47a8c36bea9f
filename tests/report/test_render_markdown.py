"""A document as GitHub Markdown: golden tables, and a real parser to read the cells back."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from s2eval import paths
from s2eval.records import Row
from s2eval.report import Cell, Document, Table, TableRow, build_tables, render_markdown, sources
from s2eval.report.build import Report
from s2eval.report.render.markdown import escape, render_table

markdown_it = pytest.importorskip("markdown_it")
PARSER = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])


def row(model: str, task: str, metric: str, value: float, half: float, n: int = 100, n_valid: int = 100) -> Row:
    low, high = value - half, value + half
    return Row(model, model, None, task, "", "", "", metric, value, None, low, high, n, n_valid, "0123456789abcdef")


def parsed_table(text: str) -> list[list[str]]:
    """The first table's cells as a reader sees them, without mark-up; the header first."""
    lines: list[list[str]] = []
    cell = False
    for token in PARSER.parse(text):
        if token.type == "tr_open":
            lines.append([])
        elif token.type in ("th_open", "td_open"):
            cell = True
        elif token.type == "inline" and cell:
            lines[-1].append("".join(child.content for child in token.children))
            cell = False
        elif token.type == "table_close":
            break
    return lines


ROUGE = [
    row("smollm2", "s2_eli5", "s2_rouge1", 0.24567, 0.0213),
    row("smollm2", "s2_eli5", "s2_rouge2", 0.0471, 0.0089),
    row("smollm2", "s2_eli5", "s2_rougeL", 0.1523, 0.0124),
    row("smollm2", "s2_eli5", "s2_rougeLsum", 0.1989, 0.0168),
    row("smollm2-nf4", "s2_eli5", "s2_rouge1", 0.2311, 0.0209),
    row("smollm2-nf4", "s2_eli5", "s2_rouge2", 0.0471, 0.0092),
    row("smollm2-nf4", "s2_eli5", "s2_rougeL", 0.1525, 0.0131),
    row("smollm2-nf4", "s2_eli5", "s2_rougeLsum", 0.1902, 0.0171),
]


# 0.24567 prints as 0.2457. 0.24567 ± 0.0213 is [0.22437, 0.26697], of which three decimals show two digits
# of the half width. ROUGE-2 prints alike for both models, so both are bold.
GOLDEN_ROUGE = r"""
## Table 2: ROUGE, F-measure

| data set   | model       |                   ROUGE-1 |                     ROUGE-2 |                   ROUGE-L |                ROUGE-Lsum |   n_valid/n |
|:-----------|:------------|--------------------------:|----------------------------:|--------------------------:|--------------------------:|------------:|
| ELI5       | smollm2     | **0.2457** [0.224, 0.267] | **0.0471** [0.0382, 0.0560] |     0.1523 [0.140, 0.165] | **0.1989** [0.182, 0.216] |     100/100 |
| ELI5       | smollm2-nf4 |     0.2311 [0.210, 0.252] | **0.0471** [0.0379, 0.0563] | **0.1525** [0.139, 0.166] |     0.1902 [0.173, 0.207] |     100/100 |
"""  # noqa: E501


def test_golden_rouge() -> None:
    [table] = build_tables(ROUGE, ["smollm2", "smollm2-nf4"])
    assert render_table(table) == GOLDEN_ROUGE.strip()


# 53.3975 ± 0.6 is [52.7975, 53.9975]; 53.07 ± 2.9 is [50.17, 55.97].
GOLDEN_REPORT = r"""
# Two models

**Bold**: best value of the column and data set; values that print alike are all bold. \[a, b\]: 95% interval. n_valid/n: items that counted, of those that should have. –: no value. (paper x, d): the published number, and measured less published.

## Table 1: Open LLM Leaderboard of September 2023, percent

| model       |                                                   Average |                                                 ARC |       HellaSwag |            MMLU |      TruthfulQA |   n_valid/n |
|:------------|----------------------------------------------------------:|----------------------------------------------------:|----------------:|----------------:|----------------:|------------:|
| llama-2\|7b | **53.40** [52.80, 54.00] (paper 53.40, +0.00) n=2010/2012 | 53.07 [50.2, 56.0] (paper 53.07, +0.00) n=1170/1172 | – (paper 77.74) | – (paper 43.80) | – (paper 38.98) |             |
| mine        |                                      20.50 [19.90, 21.10] |                                                   – |               – |               – |               – |   2012/2012 |

- Average: unweighted mean of the four. MMLU: unweighted mean over its subjects.
- Published numbers: Training LLMs on Simple, Safe Text, 24 September 2023, Table 1.
- MMLU: 3 of 57 subjects.

## Notes

- made with `s2eval report`
"""  # noqa: E501


def test_golden_report_beside_the_paper() -> None:
    rows = [
        row("llama-2|7b", "s2_leaderboard", "leaderboard_pct", 53.3975, 0.6, 2012, 2010),
        row("llama-2|7b", "s2_arc_challenge", "leaderboard_pct", 53.07, 2.9, 1172, 1170),
        row("mine", "s2_leaderboard", "leaderboard_pct", 20.5, 0.6, 2012, 2012),
    ]
    tables = build_tables(
        rows,
        ["llama-2|7b", "mine"],
        {"llama-2|7b": "Llama-2-7b"},
        notes={"s2_leaderboard": ["MMLU: 3 of 57 subjects."]},
    )
    assert render_markdown(Document("Two models", tables, ["made with `s2eval report`"])) == GOLDEN_REPORT.lstrip()


def test_golden_small_run() -> None:
    folder = paths.references().parent / "produced" / "smollm2-qa"
    document = Report([sources.read(folder)]).document
    golden = Path(__file__).parent / "golden" / "smollm2-qa.md"
    assert render_markdown(document) == golden.read_text(encoding="utf-8")


def test_marks() -> None:
    cells = (Cell(1.0, best=True), Cell(0.9, tied=True), Cell(0.5, diagonal=True), Cell(words="none shown | x"))
    document = Document("t", [Table("k", "t", ("model",), ("a", "b", "c", "d"), (TableRow(("m",), cells),))])
    text = render_markdown(document)
    assert parsed_table(text)[1] == ["m", "1.00", "0.90†", "0.50‡", "none shown | x"]
    assert "†: no difference from the best was shown." in text
    assert "‡: trained on" in text


def test_cells_differ_in_their_counts_or_share_them() -> None:
    rows = (
        TableRow(("a",), (Cell(1.0, n=100, n_valid=97), Cell(2.0, n=100, n_valid=97), Cell())),
        TableRow(("b",), (Cell(1.0, n=100, n_valid=97), Cell(2.0, n=100, n_valid=100), Cell())),
        TableRow(("c",), (Cell(), Cell(), Cell())),
    )
    text = render_table(Table("k", "t", ("model",), ("x", "y", "z"), rows))
    assert parsed_table(text) == [
        ["model", "x", "y", "z", "n_valid/n"],
        ["a", "1.00", "2.00", "–", "97/100"],
        ["b", "1.00 n=97/100", "2.00 n=100/100", "–", ""],
        ["c", "–", "–", "–", ""],
    ]


def test_no_column_where_every_row_carries_its_counts_in_the_cells() -> None:
    rows = (
        TableRow(("a",), (Cell(1.0, n=5, n_valid=5), Cell(None, n=7, n_valid=0))),
        TableRow(("b",), (Cell(), Cell())),
    )
    text = render_table(Table("k", "t", ("model",), ("x", "y"), rows))
    assert parsed_table(text) == [["model", "x", "y"], ["a", "1.00 n=5/5", "– n=0/7"], ["b", "–", "–"]]


def test_all_lines_of_a_table_are_equally_wide() -> None:
    [table] = build_tables(ROUGE, ["smollm2", "smollm2-nf4"])
    widths = {len(line) for line in render_table(table).splitlines() if line.startswith("|")}
    assert len(widths) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", "a\\|b"),
        ("adapter:/x/my_model", "adapter:/x/my_model"),
        ("_x_ and **y**", "\\_x\\_ and \\*\\*y\\*\\*"),
        ("<script>", "\\<script\\>"),
        ("two\nlines", "two lines"),
        ("c:\\new", "c:\\\\new"),
        ("$x$", "\\$x\\$"),
    ],
)
def test_escape(text: str, expected: str) -> None:
    assert escape(text) == expected


MARKUP = st.text(st.sampled_from("ab1é中 \\|`*_~<>&;[]()!#-.:/\n"), min_size=1, max_size=30)


@pytest.mark.parametrize("char", ["\x1b", "\x00", "\x9b", "\u202e"])
def test_nothing_commands_the_terminal(char: str) -> None:
    assert escape(f"a{char}[31m") == "a\ufffd\\[31m"


@given(MARKUP)
@example("a\\|b")
@example("ends with \\")
@example("&lt; <b> [x](y) ![z](w) `c|d` ~~s~~ a_b _c_")
def test_a_model_name_is_read_back_as_it_was(name: str) -> None:
    table = Table("k", "t", ("model",), ("x", "y"), (TableRow((name,), (Cell(1.0), Cell(2.0))),))
    assert parsed_table(render_table(table))[1] == [re.sub(r"\s+", " ", name).strip(), "1.00", "2.00"]


def test_notes_are_literal_but_for_code() -> None:
    notes = ["1. was first", "# no heading", "run `s2eval run *.yaml` <now>", "two\nlines", "a ` alone"]
    tokens = PARSER.parse(render_markdown(Document("t", [], notes)))
    inline = [token for token in tokens if token.type == "inline"][2:]  # after the two headings
    read = ["".join(child.content for child in token.children) for token in inline]
    assert read == ["1. was first", "# no heading", "run s2eval run *.yaml <now>", "two lines", "a ` alone"]
    code = [child.content for token in inline for child in token.children if child.type == "code_inline"]
    assert code == ["s2eval run *.yaml"]
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h1", "h2"]


def test_a_document_without_tables_has_no_legend() -> None:
    assert render_markdown(Document("Nothing yet", [])) == "# Nothing yet\n"


def test_a_report_needs_no_heavy_package() -> None:
    code = (
        "import sys, s2eval.report\n"
        "heavy = {'torch', 'transformers', 'lm_eval', 'datasets', 'pandas', 'scipy', 'numpy'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
