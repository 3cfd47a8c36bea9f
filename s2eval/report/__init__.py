"""The report: rows of `scores.csv` → tables → a document in some format.

>>> from s2eval.report import Document, build_tables, render_markdown
>>> tables = build_tables(rows, ["smollm2", "smollm2-nf4"], {"smollm2": "Llama-2-7b"})  # doctest: +SKIP
>>> print(render_markdown(Document("Two small models", tables)))  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from s2eval.report.document import Cell, Chart, Document, Table, TableRow

if TYPE_CHECKING:
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

_MODULES = {  # imported at the first use: metrics need numpy
    "PublishedNumber": "references",
    "References": "references",
    "build_tables": "tables.paper",
    "load_references": "references",
    "render_markdown": "render.markdown",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
