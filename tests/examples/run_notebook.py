"""Execute a notebook's code cells as a kernel would, and print what they display: `python run_notebook.py FILE`.

A cell's last expression is displayed as in a notebook, by `_repr_html_` where it has one.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any


def execute(path: Path) -> list[str]:
    """What each code cell displayed; "" where nothing was."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {"__name__": "__main__"}
    displayed: list[str] = []
    for number, cell in enumerate(cell for cell in cells if cell["cell_type"] == "code"):
        tree = ast.parse("".join(cell["source"]), f"{path.name}, code cell {number}")
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            tree.body.pop()
        exec(compile(tree, f"{path.name}, code cell {number}", "exec"), names)
        shown = isinstance(last, ast.Expr)
        value = eval(compile(ast.Expression(last.value), path.name, "eval"), names) if shown else None
        displayed.append("" if value is None else value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))
    return displayed


if __name__ == "__main__":
    json.dump(execute(Path(sys.argv[1])), sys.stdout)
