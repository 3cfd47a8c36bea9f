"""A report as GitHub's Markdown: tables, and histograms as rows of block characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tabulate import tabulate

from s2eval.report.render.markdown import escape
from s2train.data.eda.document import Block, Details, Distribution, Document, Pictures, Prose, Section, Table

_BLOCKS = " ▁▂▃▄▅▆▇█"


def render_markdown(document: Document) -> str:
    """All but what is shown on demand; ends with a line break."""
    parts = [f"# {escape(document.title)}", *_blocks(document.blocks)]
    for section in document.sections:
        parts += _section(section, 2)
    return "\n\n".join(parts) + "\n"


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
            case Table():
                yield _table(block)
            case Pictures():
                drawn = [one for one in block.pictures if isinstance(one, Distribution)]
                if drawn:
                    yield "\n".join(["```text", *(line for one in drawn for line in _bars(one)), "```"])
            case Details():
                pass


def _table(table: Table) -> str:
    return tabulate(
        [[escape(cell) for cell in row] for row in table.rows],
        [escape(cell) for cell in table.head],
        "github",
        disable_numparse=True,
        colalign=["left" if column in table.words else "right" for column in range(len(table.head))],
    )


def _bars(picture: Distribution) -> Iterator[str]:
    """A line a series, as high as its share of the pairs; all of a picture on one scale."""
    low, high = (f"{edge:,g}" for edge in (picture.edges[0], picture.edges[-1]))
    yield f"{picture.title}, {low} to {high}{', by powers of 2' if picture.scale == 'log' else ''}"
    most = max((max(one.values) / one.all for one in picture.series), default=0) or 1
    width = max(len(one.name) for one in picture.series)
    for one in picture.series:
        blocks = "".join(_block(value / one.all / most) for value in one.values)
        yield f"  {one.name:<{width}} {blocks}".rstrip()


def _block(height: float) -> str:
    """What is there at all is seen."""
    return _BLOCKS[max(round(height * 8), 1 if height else 0)]
