"""The page of every report: navigation, tables, charts, sections, notes.

It needs no network and can run no script but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined

from s2eval.report.document import (
    FEW_LEGEND,
    MISSING,
    Block,
    Cell,
    Chart,
    Document,
    Table,
    TableRow,
    TextTable,
    short_counts,
)
from s2eval.report.render.markdown import DIAGONAL, TIED

_SENTENCE = 40  # characters


@dataclass(frozen=True, slots=True)
class Packed:
    """All samples of a page.

    Attributes:
        sets: what the page needs of each set before it is opened.
        texts: name of a piece → its content, gzip in base64.
        key: hash of them all; pieces in files carry it, so that a page loads no other's.
    """

    sets: Sequence[Mapping[str, object]] = ()
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    key: str = ""


def render_page(document: Document, packed: Packed | None = None, folder: Path | None = None) -> str:
    """The page's text; its samples are in `folder` beside it, else in the page."""
    packed = packed or Packed()
    names = ["page.js", *(("page_assets.js", "sample.js", "samples.js") if packed.sets else ())]
    scripts = [_asset(name) for name in names]
    style = _asset("page.css")
    sets = {"folder": quote(folder.name) if folder else "", "key": packed.key, "sets": packed.sets}
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    seen = Counter[str]()
    filters: dict[str, Callable[..., object]] = {
        "pieces": code_apart,
        "anchor": _anchor,
        "wide": _is_wide,
        "kind": _kind,
        "figures": partial(_figures, seen=seen),
    }
    environment.filters.update(filters)  # pyright: ignore[reportUnknownMemberType]
    board = document.summary.board if document.summary else None
    return environment.from_string(_asset("page.html")).render(
        document=document,
        summary=document.summary,
        board=_grid(board, "board") if board else None,
        tables=[_grid(table, "table") for table in document.tables],
        charts=_figures(document.charts, seen),
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


def _figures(charts: Sequence[Chart], seen: Counter[str]) -> list[_Figure]:
    """Charts with unique ids, also where two of them are the same."""
    figures: list[_Figure] = []
    for chart in charts:
        seen[chart.key] += 1
        key = chart.key if seen[chart.key] == 1 else f"{chart.key}-{seen[chart.key]}"
        unique = replace(chart, key=key, svg=chart.svg.replace(f"{chart.key}-", f"{key}-"))
        figures.append(_Figure(_id("chart", key), unique, _grid(chart.table, "numbers") if chart.table else None))
    return figures


def _kind(block: Block) -> str:
    return type(block).__name__


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
    """`counts` as of `TableRow`; None where each cell shows its own."""

    names: Sequence[str]
    cells: Sequence[Cell]
    counts: str | None


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table as the template takes it; its rows in groups with a title, or in one without."""

    id: str
    title: str
    names: Sequence[str]
    columns: Sequence[_Column]
    groups: Sequence[tuple[str, Sequence[_Row]]]
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
    table_rows = _fitted(table)
    by_name = [(name, list(rows)) for name, rows in groupby(table_rows, key=lambda row: row.header[0])]
    grouped = len(table.header_names) > 1 and len(by_name) < len(table_rows)
    skip = 1 if grouped else 0
    counts = _column_counts(table)
    columns: list[_Column] = []
    for at, name in enumerate(table.columns):
        cells = [row.cells[at] for row in table_rows]
        folded = at in table.secondary and not any(cell.published for cell in cells)
        columns.append(_Column(name, any(cell.words for cell in cells), counts[at] if counts else "", folded))
    groups: list[tuple[str, list[_Row]]] = []
    for title, rows in by_name if grouped else [("", table_rows)]:
        of_group: list[_Row] = []
        for row in rows:
            of_group.append(_Row(row.header[skip:], row.cells, "" if counts else row.counts))
        groups.append((title, of_group))
    counted = any(row.counts for _, rows in groups for row in rows)
    return _Grid(_id(kind, table.key), table.title, table.header_names[skip:], columns, groups, counted, table.notes)


def _fitted(table: Table) -> list[TableRow]:
    """Rows with the decimals that the narrowest interval of a column supports; all of them beside published numbers."""
    digits: dict[int, int] = {}
    for at in range(len(table.columns)):
        cells = [row.cells[at] for row in table.rows]
        measured = [cell for cell in cells if cell.ci_low is not None]
        if measured and not any(cell.published for cell in cells):
            digits[at] = max(cell.interval_digits for cell in measured)
    rows: list[TableRow] = []
    for row in table.rows:
        fitted = (replace(cell, digits=digits.get(at, cell.digits)) for at, cell in enumerate(row.cells))
        rows.append(replace(row, cells=tuple(fitted)))
    return rows


def _column_counts(table: Table) -> list[str]:
    """n_valid/n of each column, `12` for `12/12`, where each has a single one and they differ within a row; else []."""
    columns = [{row.cells[at].counts for row in table.rows} - {""} for at in range(len(table.columns))]
    rows = [{cell.counts for cell in row.cells} - {""} for row in table.rows]
    if any(len(counts) > 1 for counts in columns) or all(len(counts) <= 1 for counts in rows):
        return []
    return [short_counts(next(iter(counts), "")) for counts in columns]


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
