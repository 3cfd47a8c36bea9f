"""A document as LaTeX: marks, intervals, published numbers, escapes, a structure that compiles, a golden file."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval import paths
from s2eval.report import Cell, Document, Table, TableRow, sources
from s2eval.report.build import Report
from s2eval.report.render.latex import escape, render_latex

GOLDEN = Path(__file__).parent / "golden"
PRODUCED = paths.references().parent / "produced" / "smollm2-qa"


def table(*rows: TableRow, notes: tuple[str, ...] = (), names: tuple[str, ...] = ("model",)) -> Table:
    columns = tuple("xyz"[: len(rows[0].cells)])
    return Table("s2_rouge", "Table 2: ROUGE", names, columns, rows, notes)


def body(text: str) -> list[str]:
    """The lines between \\midrule and \\bottomrule of the first table."""
    return text.split(r"\midrule" + "\n")[1].split("\n" + r"\bottomrule")[0].split("\n")


def test_marks_intervals_and_published_numbers() -> None:
    best = Cell(53.3975, 52.8, 54.0, 100, 100, best=True, published="53.40", difference=-0.0025)
    tied = Cell(-1.5, n=100, n_valid=97, tied=True)
    text = render_latex(Document("t", [table(TableRow(("a_b",), (best, tied)), TableRow(("c",), (Cell(), Cell())))]))
    first, second = body(text)
    assert first == (
        r"a\_\allowbreak{}b & \shortstack[r]{\textbf{53.40}\\{\scriptsize [52.80, 54.00]}\\"
        r"{\scriptsize (53.40, $+$0.00)}\\{\scriptsize $n$=100}} & "
        r"\shortstack[r]{$-$1.50$^{\dagger}$\\{\scriptsize $n$=97/100}} \\"
    )
    assert second == r"c & \textendash{} & \textendash{} \\"
    assert "published number, and measured less published" in text


def test_counts_that_a_row_shares_have_a_column() -> None:
    cells = (Cell(1.0, n=5, n_valid=5), Cell(2.0, n=5, n_valid=5))
    text = render_latex(Document("t", [table(TableRow(("a",), cells))]))
    assert r"model & x & y & $n$ \\" in text
    assert body(text) == [r"a & 1.00 & 2.00 & 5 \\"]


def test_data_sets_are_named_once_and_parted() -> None:
    rows = [TableRow((name, model), (Cell(1.0),)) for name in ("ELI5", "wiki") for model in "ab"]
    text = render_latex(Document("t", [table(*rows, names=("data set", "model"))]))
    assert body(text) == [
        r"ELI5 & a & 1.00 \\",
        r" & b & 1.00 \\",
        r"\addlinespace",
        r"wiki & a & 1.00 \\",
        r" & b & 1.00 \\",
    ]


def test_a_long_table_becomes_one_for_each_data_set() -> None:
    rows = [TableRow((name, f"m{n}"), (Cell(1.0),)) for name in ("ELI5", "wiki") for n in range(13)]
    text = render_latex(Document("t", [table(*rows, names=("data set", "model"), notes=("below the last",))]))
    assert text.count(r"\begin{tabular}") == 2
    assert re.findall(r"\\caption\{(.*)\}", text) == [
        "ROUGE (ELI5) (Table 2 of the paper)",
        "ROUGE (wiki) (Table 2 of the paper)",
    ]
    assert text.index("below the last") > text.rindex(r"\end{tabular}")


def test_notes_that_would_fill_the_page_follow_it() -> None:
    row = TableRow(("a",), (Cell(1.0),))
    short = render_latex(Document("t", [table(row, notes=("short",))]))
    long = render_latex(Document("t", [table(row, notes=("long " * 400,))]))
    assert short.index("short") < short.index(r"\end{table}")
    assert long.index("long") > long.index(r"\end{table}")
    assert r"Notes to Table~\ref{tab:s2-rouge}:" in long


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50% & $5 #1", r"50\% \& \$5 \#1"),
        ("a_b^c~d", r"a\_\allowbreak{}b\textasciicircum{}c\textasciitilde{}d"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("[10pt] *", r"{[}10pt{]} {*}"),
        ("a--b-c", "a-{}-b-c"),
        ("it's ''", "it's '{}'"),
        ("Bébé Åß ł", r"B\'{e}b\'{e} \r{A}\ss{} \l{}"),
        ("中 🙂", r"\texttt{U+4E2D} \texttt{U+1F642}"),
        ("two\n\nlines", "two lines"),
        ("Training set × evaluation set", r"Training set $\times$ evaluation set"),
        ("0.5 ≤ x – y −1", r"0.5 $\leq$ x \textendash{} y $-$1"),
    ],
)
def test_escape(text: str, expected: str) -> None:
    assert escape(text) == expected


COMMANDS = re.compile(r"\\(?:[a-zA-Z]+|.)")


@given(st.text(max_size=40))
def test_whatever_a_name_holds_is_set_as_text(name: str) -> None:
    text = escape(name)
    assert text.isascii()
    assert "\n" not in text
    bare = re.sub(r"\$\\[a-zA-Z]+\$|\$-\$", "", text)  # our own formulas
    bare = COMMANDS.sub("", bare)
    assert not set(bare) & set('$&#%_~^\\<>|"`')
    assert bare.count("{") == bare.count("}")


def test_code_and_text_in_notes() -> None:
    text = render_latex(Document("t", [], ["run `s2eval run *.yaml`, then [look]", "`a_b`"]))
    assert r"\item run \texttt{s2eval run {*}.yaml}, then {[}look{]}" in text
    assert r"\item \texttt{a\_\allowbreak{}b}" in text


def test_environments_and_braces_are_closed() -> None:
    document = Report([sources.read(PRODUCED)], published=True).document
    text = render_latex(document)
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    bare = re.sub(r"\\\\|\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    for lines in re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", text, re.DOTALL):
        letters = re.search(r"@\{\}([lr]+)@\{\}", lines)
        assert letters is not None
        cells = [line.count(" & ") + 1 for line in lines.split("\n") if line.endswith(r"\\")]
        assert set(cells) == {len(letters[1])}


def test_golden_small_run() -> None:
    document = Report([sources.read(PRODUCED)]).document
    assert render_latex(document) == (GOLDEN / "smollm2-qa.tex").read_text(encoding="utf-8")


@pytest.mark.skipif("S2_LATEX" not in os.environ, reason="compiled by make docs, where LaTeX is")
@pytest.mark.parametrize("engine", ["pdflatex", "xelatex"])
def test_it_compiles(tmp_path: Path, engine: str) -> None:
    document = Report([sources.read(PRODUCED)], published=True).document
    strange = TableRow(("[a] \\ {b} 中 é ß 100% <&> _x_ ``y''",), (Cell(1.0, 0.5, 1.5, tied=True),))
    tables = [*document.tables, Table("strange", "Größe & $x", ("model",), ("x",), (strange,), ("a `note`",))]
    (tmp_path / "report.tex").write_text(render_latex(Document("100% & more", tables, document.notes)))
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-2000:]
