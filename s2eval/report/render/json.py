"""A `Document` as JSON: tables with every number in full, and the notes."""

from __future__ import annotations

import json

from s2eval.report.document import Cell, Document, Table


def render_json(document: Document) -> str:
    """`{title, tables: [{key, title, columns, rows: [{header, cells}], notes}], notes}`; ends with a line break."""
    content = {
        "title": document.title,
        "tables": [_table(table) for table in document.tables],
        "notes": list(document.notes),
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _table(table: Table) -> dict[str, object]:
    return {
        "key": table.key,
        "title": table.title,
        "header": list(table.header_names),
        "columns": list(table.columns),
        "rows": [{"header": list(row.header), "cells": [_cell(cell) for cell in row.cells]} for row in table.rows],
        "notes": list(table.notes),
    }


def _cell(cell: Cell) -> dict[str, object]:
    """Without what is absent."""
    content: dict[str, object] = {name: getattr(cell, name) for name in ("value", "ci_low", "ci_high", "n", "n_valid")}
    content |= {"published": cell.published, "difference": cell.difference, "text": cell.words or None}
    content |= {name: getattr(cell, name) or None for name in ("best", "tied", "diagonal")}
    return {name: value for name, value in content.items() if value is not None}
