"""A report as one HTML file with its pictures and its style inside: nothing is fetched, nothing runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources
from itertools import count

from s2train.data.eda.charts import draw
from s2train.data.eda.document import Block, Details, Document, Picture, Pictures, Prose, Section, Table

_SENTENCE = 40  # characters


def render_page(document: Document) -> str:
    """The whole file; all text is escaped."""
    style = (resources.files("s2train.data.eda") / "page.css").read_text(encoding="utf-8")
    names = _names()
    contents = "".join(f'<li><a href="#{_anchor(one.title)}">{escape(one.title)}</a></li>' for one in document.sections)
    body = [
        f"<h1>{escape(document.title)}</h1>",
        *_blocks(document.blocks, names),
        f"<nav><ul>{contents}</ul></nav>",
        *(line for section in document.sections for line in _section(section, 2, names)),
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(document.title)}</title>",
            f"<style>\n{style}</style>",
            "</head>",
            "<body>",
            *body,
            "</body>",
            "</html>",
            "",
        ]
    )


def _names() -> Iterator[str]:
    return (f"p{number}" for number in count(1))


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _section(section: Section, level: int, names: Iterator[str]) -> Iterator[str]:
    anchor = f' id="{_anchor(section.title)}"' if level == 2 else ""
    yield f"<section><h{level}{anchor}>{escape(section.title)}</h{level}>"
    yield from _blocks(section.blocks, names)
    for part in section.parts:
        yield from _section(part, level + 1, names)
    yield "</section>"


def _blocks(blocks: Sequence[Block], names: Iterator[str]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Prose():
                yield f"<p>{escape(block.text)}</p>"
            case Table():
                yield _table(block)
            case Details():
                yield f"<details><summary>{escape(block.title)}</summary>{_table(block.table)}</details>"
            case Pictures():
                yield f'<div class="pictures">{"".join(_figure(one, next(names)) for one in block.pictures)}</div>'


def _figure(picture: Picture, name: str) -> str:
    note = f"<br><small>{escape(picture.note)}</small>" if picture.note else ""
    return f"<figure><figcaption>{escape(picture.title)}{note}</figcaption>{draw(picture, name)}</figure>\n"


def _table(table: Table) -> str:
    looks = [_look(table, column) for column in range(len(table.head))]
    head = "".join(f"<th{look}>{escape(cell)}</th>" for look, cell in zip(looks, table.head, strict=True))
    rows = "\n".join(
        "<tr>" + "".join(f"<td{look}>{escape(cell)}</td>" for look, cell in zip(looks, row, strict=True)) + "</tr>"
        for row in table.rows
    )
    # A wide table scrolls by itself, by the keyboard too.
    return (
        f'<div class="table" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>'
    )


def _look(table: Table, column: int) -> str:
    """Numbers stand to the right; sentences may take several lines."""
    if column not in table.words:
        return ' class="n"'
    return ' class="s"' if any(len(row[column]) > _SENTENCE for row in table.rows) else ""
