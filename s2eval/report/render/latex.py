"""A `Document` as LaTeX: booktabs tables to paste into a paper, each with its notes; compiles as it is.

pdfLaTeX, XeLaTeX and LuaLaTeX read the same file, which is ASCII only. Comments at its top name the packages that a
pasted table needs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from s2eval.report.document import FEW_LEGEND, MISSING, Cell, Document, Table, short_counts

_INTERVAL = r"Small: 95\% interval."
_HALF = r"$\pm$: half the width of the 95\% interval."
LEGEND = (
    r"\textbf{Bold}: best of its column and data set. $^{\dagger}$: no difference from the best was shown. "
    rf"{_INTERVAL} $n$: items that counted, of those that should have where these differ."
)
_PACKAGES = ("booktabs", "graphicx", "textcomp")
_PREAMBLE = r"""\documentclass[a4paper,10pt]{article}
\usepackage{iftex}
\ifPDFTeX\usepackage[utf8]{inputenc}\usepackage[T1]{fontenc}\usepackage{lmodern}\else\usepackage{fontspec}\fi
\usepackage[margin=2cm]{geometry}
\emergencystretch=3em"""
_SHRUNK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""No wider than the text."""

_LETTERS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_\allowbreak{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "[": r"{[}",  # after \\ or \item they would be arguments
    "]": r"{]}",
    "*": r"{*}",
    "?": r"{?}",  # ?` and !` are other letters
    "!": r"{!}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "…": r"\dots{}",
    "×": r"$\times$",
    "±": r"$\pm$",
    "−": r"$-$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "‖": r"$\Vert$",
    "½": r"\textonehalf{}",
    "§": r"\S{}",
    "°": r"\textdegree{}",
    "·": r"\textperiodcentered{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
}
_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING MACRON}": "=",
    "\N{COMBINING BREVE}": "u",
    "\N{COMBINING DOT ABOVE}": ".",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING RING ABOVE}": "r",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": "H",
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING DOT BELOW}": "d",
    "\N{COMBINING CEDILLA}": "c",
    "\N{COMBINING OGONEK}": "k",
}
_LONG = 24  # rows from which on each data set has a table of its own
_MUCH = 1500  # letters of notes that a table's page has the room for


def render_latex(document: Document, *, compact: bool = False, fragment: bool = False) -> str:
    r"""A complete file; each table begins at a line of comment, and may be pasted elsewhere.

    Args:
        compact: `45.1 ± 3.2` on one line in place of a value above its interval.
        fragment: the tables only, for `\input` in a document that loads the packages named at the top.
    """
    head = ["% Written by `s2eval report --format tex`. A paper that a table of it is pasted into needs:"]
    head += [rf"% \usepackage{{{name}}}" for name in _PACKAGES]
    tables = [_table(part, compact) for table in document.tables for part in _parts(table)]
    if fragment:
        return "\n\n".join(["\n".join(head), *tables]) + "\n"
    packages = [rf"\usepackage{{{name}}}" for name in _PACKAGES]
    parts = ["\n".join([*head, _PREAMBLE, *packages])]
    parts += [r"\begin{document}", rf"\section*{{{escape(document.title)}}}"]
    if document.tables:
        parts.append(rf"\noindent{{\small {_legend(document, compact)}}}")
    for number, table in enumerate(tables):
        parts += [r"\clearpage"] if number and number % 10 == 0 else []  # it keeps so many floats at once only
        parts.append(table)
    if document.notes:
        parts += [r"\clearpage", r"\subsection*{Notes}", _items(document.notes)]
    return "\n\n".join([*parts, r"\end{document}"]) + "\n"


def escape(text: str) -> str:
    r"""`text` on one line and in ASCII, such that LaTeX sets it literally; letters without a command as `U+4E2D`.

    >>> print(escape("50% of a_é"))
    50\% of a\_\allowbreak{}\'{e}
    """
    line = "".join(_letter(char) for char in re.sub(r"\s+", " ", text).strip())
    return re.sub(r"-(?=-)|'(?=')", r"\g<0>{}", line)  # two of them are not one other


def _letter(char: str) -> str:
    if char in _LETTERS:
        return _LETTERS[char]
    if " " <= char <= "~":
        return char
    parts = unicodedata.normalize("NFD", char)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
        return rf"\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return rf"\texttt{{U+{ord(char):04X}}}"


def _legend(document: Document, compact: bool) -> str:
    cells = [cell for table in document.tables for row in table.rows for cell in row.cells]
    sentences = [LEGEND.replace(_INTERVAL, _HALF) if compact else LEGEND]
    if any(cell.few for cell in cells):
        sentences.append(escape(FEW_LEGEND))
    if any(cell.published is not None for cell in cells):
        sentences.append("In parentheses: the published number, and measured less published.")
    if any(cell.diagonal for cell in cells):
        sentences.append(r"$^{\ddagger}$: trained on the kind of data that it is evaluated on.")
    return " ".join(sentences)


def _parts(table: Table) -> Iterator[Table]:
    """The table, or one for each of its data sets where it is longer than a page; the notes below the last."""
    if len(table.rows) <= _LONG or len(table.header_names) < 2:
        yield table
        return
    blocks = [(name, tuple(rows)) for name, rows in groupby(table.rows, lambda row: row.header[0])]
    for number, (name, rows) in enumerate(blocks):
        notes = table.notes if number == len(blocks) - 1 else ()
        title = f"{table.title} ({name})"
        yield replace(table, key=f"{table.key}-{number + 1}", title=title, rows=rows, notes=notes)


def _table(table: Table, compact: bool) -> str:
    counted = any(row.counts for row in table.rows)
    names = len(table.header_names)
    header = [*map(escape, (*table.header_names, *table.columns)), *(["$n$"] if counted else [])]
    words = [any(row.cells[at].words for row in table.rows) for at in range(len(table.columns))]
    letters = "".join("l" if column else "r" for column in words)
    inside = sum(map(len, table.notes)) <= _MUCH
    label = re.sub(r"[^A-Za-z0-9]+", "-", table.key)
    lines = [
        f"% --- {label} ".ljust(100, "-"),
        r"\begin{table}[!htbp]",
        r"\centering\footnotesize",
        rf"\caption{{{escape(_caption(table.title))}}}",
        rf"\label{{tab:{label}}}",
        _SHRUNK,
        rf"\begin{{tabular}}{{@{{}}{'l' * names}{letters}{'r' if counted else ''}@{{}}}}",
        r"\toprule",
        " & ".join(header) + r" \\",
        r"\midrule",
        *_body(table, counted, compact),
        r"\bottomrule",
        r"\end{tabular}}",
        *([_notes(table)] if table.notes and inside else []),
        r"\end{table}",
    ]
    if table.notes and not inside:
        lines += ["", rf"\noindent{{\small Notes to Table~\ref{{tab:{label}}}:}}", _notes(table)]
    return "\n".join(lines)


def _caption(title: str) -> str:
    """The title without the number of the paper's table before it, since LaTeX puts its own there."""
    match = re.fullmatch(r"Table (\d+)([^:]*): (.*)", title, re.DOTALL)
    return f"{match[3]}{match[2]} (Table {match[1]} of the paper)" if match else title


def _body(table: Table, counted: bool, compact: bool) -> Iterator[str]:
    before = ""
    for row in table.rows:
        names = [escape(name) for name in row.header]
        if len(names) > 1:
            if before and row.header[0] != before:
                yield r"\addlinespace"
            names[0] = "" if row.header[0] == before else names[0]
            before = row.header[0]
        cells = [_cell(cell, compact=compact, with_counts=row.counts is None) for cell in row.cells]
        yield " & ".join([*names, *cells, *([short_counts(row.counts or "")] if counted else [])]) + r" \\"


def _cell(cell: Cell, *, compact: bool, with_counts: bool) -> str:
    """The number, and below it interval and published number: a row is as wide as its numbers."""
    text = cell.plus_minus if compact else cell.text
    text = _number(text) if cell.value is not None else escape(text)
    mark = r"$^{\dagger}$" if cell.tied else r"$^{\ddagger}$" if cell.diagonal else ""
    lines = [(rf"\textbf{{{text}}}" if cell.best else text) + mark]
    if cell.interval and not compact:
        lines.append(rf"{{\scriptsize {_number(cell.interval)}}}")
    if cell.published is not None:
        difference = f", {_number(cell.difference_text)}" if cell.difference_text else ""
        lines.append(rf"{{\scriptsize ({escape(cell.published)}{difference})}}")
    if with_counts and cell.n:
        lines.append(rf"{{\scriptsize $n$={short_counts(cell.counts)}}}")
    stacked = r"\\".join(lines)
    return rf"\shortstack[r]{{{stacked}}}" if len(lines) > 1 else stacked


def _number(text: str) -> str:
    """Of our own making: digits, brackets, signs."""
    return text.replace("-", "$-$").replace("+", "$+$").replace("±", _LETTERS["±"]).replace(MISSING, _LETTERS[MISSING])


def _notes(table: Table) -> str:
    return "\n".join([r"\par\medskip\begin{minipage}{\linewidth}\footnotesize", _items(table.notes), r"\end{minipage}"])


def _items(notes: Sequence[str]) -> str:
    return "\n".join([r"\begin{itemize}", *(rf"\item {_prose(note)}" for note in notes), r"\end{itemize}"])


def _prose(note: str) -> str:
    """Plain text, with what stands between backticks as code."""
    pieces = re.split(r"`([^`]+)`", re.sub(r"\s+", " ", note).strip())
    parts: list[str] = []
    for at, piece in enumerate(pieces):
        before, after = " " * piece.startswith(" "), " " * (len(piece) > 1 and piece.endswith(" "))
        parts.append(rf"\texttt{{{escape(piece)}}}" if at % 2 else f"{before}{escape(piece)}{after}")
    return "".join(parts)
