"""The page of every report: navigation, tables, charts, sections, notes.

It needs no network and can run no script but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined

from s2eval.report.document import (
    FEW_LEGEND,
    MISSING,
    Cell,
    Chart,
    Charts,
    Details,
    Document,
    Prose,
    Section,
    Table,
    TableRow,
    TextTable,
)
from s2eval.report.render.markdown import DIAGONAL, TIED

_SENTENCE = 40  # characters


@dataclass(frozen=True, slots=True)
class Packed:
    """All samples of a page.

    Attributes:
        sets: what the page must know of each set before it is opened.
        texts: name of a piece → its content, gzip in base64.
        key: of them all; pieces in files carry it, so that a page takes none of another.
    """

    sets: Sequence[Mapping[str, Any]] = ()
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    key: str = ""


def render_page(document: Document, packed: Packed | None = None, folder: Path | None = None) -> str:
    """The page's text.

    Args:
        folder: beside the page, where its samples lie; None = in the page.
    """
    packed = packed or Packed()
    scripts = [
        _asset(name) for name in ("page.js", *(("page_assets.js", "sample.js", "samples.js") if packed.sets else ()))
    ]
    style = _asset("page.css")
    sets = {"folder": quote(folder.name) if folder else "", "key": packed.key, "sets": packed.sets}
    seen = Counter[str]()
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    filters = cast("dict[str, Any]", environment.filters)  # pyright: ignore[reportUnknownMemberType]
    filters |= {"pieces": code_apart, "anchor": _anchor, "wide": _is_wide}
    return environment.from_string(_asset("page.html")).render(
        document=document,
        summary=document.summary,
        board=_grid(document.summary.board, "board") if document.summary and document.summary.board else None,
        tables=[_grid(table, "table") for table in document.tables],
        charts=list(_figures(document.charts, seen)),
        sections=[_block_section(section, seen) for section in document.sections],
        legend=_legend(document),
        tied=TIED,
        diagonal=DIAGONAL,
        policies=_policies(scripts, style, beside=folder is not None),
        style=style,
        scripts=scripts,
        sets=_in_script(json.dumps(sets)) if packed.sets else "",
        blocks={} if folder else packed.texts,
    )


@dataclass(frozen=True, slots=True)
class _Figure:
    """A chart as the template takes it."""

    id: str
    chart: Chart
    table: _Grid | None


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of a section and its kind: `prose`, `table`, `details` or `charts`."""

    kind: str
    content: Any


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    blocks: Sequence[_Block]
    parts: Sequence[_Section]


def _figures(charts: Sequence[Chart], seen: Counter[str]) -> Iterator[_Figure]:
    """Charts with ids that differ, also where two of them are the same."""
    for chart in charts:
        seen[chart.key] += 1
        key = chart.key if seen[chart.key] == 1 else f"{chart.key}-{seen[chart.key]}"
        unique = replace(chart, key=key, svg=chart.svg.replace(f"{chart.key}-", f"{key}-"))
        yield _Figure(_id("chart", key), unique, _grid(chart.table, "numbers") if chart.table else None)


def _block_section(section: Section, seen: Counter[str]) -> _Section:
    blocks: list[_Block] = []
    for block in section.blocks:
        match block:
            case Prose(text):
                blocks.append(_Block("prose", text))
            case TextTable():
                blocks.append(_Block("table", block))
            case Details():
                blocks.append(_Block("details", block))
            case Charts(charts):
                blocks.append(_Block("charts", list(_figures(charts, seen))))
    return _Section(section.title, blocks, [_block_section(part, seen) for part in section.parts])


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _is_wide(table: TextTable, column: int) -> bool:
    """Whether a column holds sentences, which may take several lines."""
    return column in table.words and any(len(row[column]) > _SENTENCE for row in table.rows)


def code_apart(text: str) -> list[tuple[bool, str]]:
    """A note in pieces, each with whether it is code.

    >>> code_apart("see `s2eval compare`.")
    [(False, 'see '), (True, 's2eval compare'), (False, '.')]
    """
    split = re.split(r"`([^`]+)`", text)
    return [(bool(number % 2), piece) for number, piece in enumerate(split) if piece]


def _asset(name: str) -> str:
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _policies(scripts: Sequence[str], style: str, *, beside: bool) -> list[str]:
    """Nothing but these scripts and this style sheet.

    Scripts beside the page must be of its own origin, by the first policy, and wanted by a script of the page, by the
    second: both hold.
    """
    hashes = " ".join(map(_hash, scripts))
    rest = f"default-src 'none'; style-src {_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    if not beside:
        return [f"{rest}; script-src {hashes}"]
    return [f"{rest}; script-src {hashes} 'self' file:", f"script-src {hashes} 'strict-dynamic'"]


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _in_script(text: str) -> str:
    """JSON that ends no script element."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _id(kind: str, key: str) -> str:
    return f"{kind}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', key)}"


@dataclass(frozen=True, slots=True)
class _Column:
    """A column's header.

    Attributes:
        words: whether its cells hold words.
        counts: n_valid/n of all its cells, where those of a row differ.
        folded: whether it is shown on demand only.
    """

    name: str
    words: bool
    counts: str
    folded: bool


@dataclass(frozen=True, slots=True)
class _Row:
    names: Sequence[str]
    cells: Sequence[Cell]
    counts: str | None


@dataclass(frozen=True, slots=True)
class _Group:
    title: str
    rows: Sequence[_Row]


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table as the template takes it."""

    id: str
    title: str
    names: Sequence[str]
    columns: Sequence[_Column]
    groups: Sequence[_Group]
    counted: bool
    notes: Sequence[str]

    @property
    def width(self) -> int:
        return len(self.names) + len(self.columns) + self.counted

    @property
    def folded(self) -> int:
        return sum(column.folded for column in self.columns)


def _grid(table: Table, kind: str) -> _Grid:
    """Rows of one data set become a group under its name, where there are several of one."""
    table = replace(table, rows=_fitted(table))
    together = [(name, list(rows)) for name, rows in groupby(table.rows, key=lambda row: row.header[0])]
    grouped = len(table.header_names) > 1 and len(together) < len(table.rows)
    skip = 1 if grouped else 0
    by_column = _column_counts(table)
    columns = [_column(table, at, by_column[at] if by_column else "") for at in range(len(table.columns))]
    blocks = together if grouped else [("", list(table.rows))]
    groups = [_Group(name, [_row(row, skip, counted=not by_column) for row in rows]) for name, rows in blocks]
    counted = any(row.counts for group in groups for row in group.rows)
    return _Grid(_id(kind, table.key), table.title, table.header_names[skip:], columns, groups, counted, table.notes)


def _fitted(table: Table) -> tuple[TableRow, ...]:
    """Rows with so many decimals as the narrowest interval of a column supports; all where it stands beside a
    published number."""
    digits: dict[int, int] = {}
    for at in range(len(table.columns)):
        cells = [row.cells[at] for row in table.rows]
        measured = [cell for cell in cells if cell.ci_low is not None]
        if measured and not any(cell.published for cell in cells):
            digits[at] = max(cell.interval_digits for cell in measured)
    return tuple(
        replace(
            row,
            cells=tuple(replace(cell, digits=digits.get(at, cell.digits)) for at, cell in enumerate(row.cells)),
        )
        for row in table.rows
    )


def _column(table: Table, at: int, counts: str) -> _Column:
    cells = [row.cells[at] for row in table.rows]
    folded = at in table.secondary and not any(cell.published for cell in cells)
    return _Column(table.columns[at], any(cell.words for cell in cells), counts, folded)


def _column_counts(table: Table) -> list[str]:
    """n_valid/n of each column, where each has one only and they differ within a row; else nothing."""
    columns = [{row.cells[at].counts for row in table.rows} - {""} for at in range(len(table.columns))]
    rows = [{cell.counts for cell in row.cells} - {""} for row in table.rows]
    if all(len(counts) <= 1 for counts in columns) and any(len(counts) > 1 for counts in rows):
        return [_short(next(iter(counts), "")) for counts in columns]
    return []


def _short(counts: str) -> str:
    """`12` of `12/12`."""
    valid, _, n = counts.partition("/")
    return n if valid == n else counts


def _row(row: TableRow, skip: int, *, counted: bool) -> _Row:
    counts = {cell.counts for cell in row.cells if cell.counts} if counted else set[str]()
    return _Row(row.header[skip:], row.cells, None if len(counts) > 1 else next(iter(counts), ""))


def _legend(document: Document) -> str:
    board = [document.summary.board] if document.summary and document.summary.board else []
    grids = [*board, *document.tables, *(chart.table for chart in document.charts if chart.table)]
    cells = [cell for table in grids for row in table.rows for cell in row.cells]
    sentences = ["Bold: best value of the column and data set. Decimals are those that the interval supports."]
    if any(cell.tied for cell in cells):
        sentences.append(f"{TIED}: no difference from the best was shown.")
    if any(cell.diagonal for cell in cells):
        sentences.append(f"{DIAGONAL}: trained on the kind of data that it is evaluated on.")
    sentences.append("[a, b]: 95% interval. n_valid/n: items that counted, of those that should have.")
    if any(cell.few for cell in cells):
        sentences.append(FEW_LEGEND)
    if any(cell.published is not None for cell in cells):
        sentences.append("paper x, d: the published number, and measured less published.")
    sentences.append(f"{MISSING}: no value. A column's header sorts by it.")
    return " ".join(sentences)
