"""A `Document` as GitHub Markdown, made to be pasted into an issue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tabulate import tabulate

from s2eval.report.document import (
    FEW_LEGEND,
    MISSING,
    Block,
    Cell,
    Charts,
    Details,
    Document,
    Prose,
    Section,
    Summary,
    Table,
    TextTable,
)

LEGEND = (
    "**Bold**: best value of the column and data set; values that print alike are all bold. "
    "\\[a, b\\]: 95% interval. n_valid/n: items that counted, of those that should have. "
    f"{MISSING}: no value."
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # a terminal or a page would obey them

TIED, DIAGONAL = "†", "‡"


def render_markdown(document: Document) -> str:
    """Title, legend, tables with their notes, then the document's notes; ends with a line break.

    A published number is in our number's cell, `53.07 [50.1, 56.0] (paper 53.40, -0.33)`: GitHub gives an issue about
    900 pixels, where columns of their own would have to be scrolled.
    """
    parts = [f"# {escape(document.title)}", *_blocks(document.intro)]
    if document.summary:
        parts += _summary(document.summary)
    if document.tables:
        parts.append(_legend(document))
    parts += [render_table(table) for table in document.tables]
    parts += [text for section in document.sections for text in _section(section, 2)]
    if document.notes:
        parts += ["## Notes", _bullets(document.notes)]
    return "\n\n".join(parts) + "\n"


def render_table(table: Table) -> str:
    """Heading, pipe table and notes of one table, without a line break at the end.

    `n_valid/n` is the last column where all cells of a row share it; a row whose cells differ carries it in
    each of them, as `n=97/100`, and leaves the column empty.
    """
    with_column = any(row.counts for row in table.rows)
    header = [*table.header_names, *table.columns, *(["n_valid/n"] if with_column else [])]
    body = [
        [
            *(escape(name) for name in row.header),
            *(_cell(cell, with_counts=row.counts is None) for cell in row.cells),
            *([row.counts or ""] if with_column else []),
        ]
        for row in table.rows
    ]
    words = [any(row.cells[at].words for row in table.rows) for at in range(len(table.columns))]
    sides = [*["left"] * len(table.header_names), *("left" if column else "right" for column in words)]
    grid = tabulate(
        body,
        headers=[escape(name) for name in header],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=[*sides, *(["right"] if with_column else [])],
    )
    notes = [_bullets(table.notes)] if table.notes else []
    return "\n\n".join([f"## {escape(table.title)}", grid, *notes])


def _summary(summary: Summary) -> Iterator[str]:
    yield escape(summary.compared)
    if summary.verdict:
        yield f"**Verdict.** {escape(' '.join(summary.verdict))}"
    if summary.facts:
        yield "\n".join(f"- {escape(name)}: {escape(value)}" for name, value in summary.facts)


def _section(section: Section, level: int) -> Iterator[str]:
    yield f"{'#' * level} {escape(section.title)}"
    yield from _blocks(section.blocks)
    for part in section.parts:
        yield from _section(part, level + 1)


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Prose():
                yield escape(block.text)
            case TextTable():
                yield tabulate(
                    [[escape(cell) for cell in row] for row in block.rows],
                    [escape(cell) for cell in block.head],
                    "github",
                    disable_numparse=True,
                    colalign=["left" if column in block.words else "right" for column in range(len(block.head))],
                )
            case Charts():
                if lines := [line for chart in block.charts for line in chart.lines]:
                    yield "\n".join(["```text", *lines, "```"])
            case Details():
                pass


def escape(text: str) -> str:
    """`text` on one line, such that GitHub shows it literally, in a table's cell too.

    >>> escape("a|b *c*")
    'a\\\\|b \\\\*c\\\\*'
    """
    shown = _CONTROL.sub("\ufffd", re.sub(r"\s+", " ", text))
    line = re.sub(r"[\\`*~|<>&\[\]$]", r"\\\g<0>", shown)
    # Between letters or digits an underscore is literal (CommonMark 0.31, 6.2); at a word's edge it is not.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)


def _cell(cell: Cell, *, with_counts: bool) -> str:
    text = escape(cell.text)
    mark = TIED * cell.tied + DIAGONAL * cell.diagonal
    difference = f", {cell.difference_text}" if cell.difference_text else ""
    parts = [
        (f"**{text}**" if cell.best else text) + mark,
        cell.interval,
        f"(paper {cell.published}{difference})" if cell.published is not None else "",
        f"n={cell.counts}" if with_counts and cell.counts else "",
    ]
    return " ".join(part for part in parts if part)


def _legend(document: Document) -> str:
    cells = [cell for table in document.tables for row in table.rows for cell in row.cells]
    sentences = [LEGEND]
    if any(cell.tied for cell in cells):
        sentences.append(f"{TIED}: no difference from the best was shown.")
    if any(cell.diagonal for cell in cells):
        sentences.append(f"{DIAGONAL}: trained on the kind of data that it is evaluated on.")
    if any(cell.few for cell in cells):
        sentences.append(FEW_LEGEND)
    if any(cell.published is not None for cell in cells):
        sentences.append("(paper x, d): the published number, and measured less published.")
    return " ".join(sentences)


def _bullets(notes: Sequence[str]) -> str:
    return "\n".join(f"- {_prose(note)}" for note in notes)


def _prose(note: str) -> str:
    """Plain text on one line, shown literally but for `code`, and never read as a heading or a list."""
    pieces = re.split(r"(`[^`]+`)", re.sub(r"\s+", " ", note).strip())
    line = "".join(piece if n % 2 else escape(piece) for n, piece in enumerate(pieces))
    return re.sub(r"^(\d*)([.)#+-])", r"\1\\\2", line)
