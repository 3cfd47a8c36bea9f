"""The report: rows of `scores.csv` → tables → a document in some format.

>>> from s2eval.report import Document, build_tables, render_markdown
>>> tables = build_tables(rows, ["smollm2", "smollm2-nf4"], {"smollm2": "Llama-2-7b"})  # doctest: +SKIP
>>> print(render_markdown(Document("Two small models", tables)))  # doctest: +SKIP
"""

from __future__ import annotations

from s2eval.report.document import Cell, Chart, Document, Table, TableRow
from s2eval.report.references import PublishedNumber, References, load_references
from s2eval.report.render.markdown import render_markdown
from s2eval.report.tables.paper import build_tables

__all__ = [
    "Cell",
    "Chart",
    "Document",
    "PublishedNumber",
    "References",
    "Table",
    "TableRow",
    "build_tables",
    "load_references",
    "render_markdown",
]
