"""Text in cells of CSV files that people open in a spreadsheet.

A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line end for a formula, and runs it. An
apostrophe before it makes it text there; `read_text` takes it away again.
"""

from __future__ import annotations

import re

# Full-width forms count in some languages. Apostrophes before them belong to the text, so that reading is exact.
_FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠]|[\t\r\n])")


def write_text(text: str) -> str:
    """The text of a cell.

    >>> write_text("=HYPERLINK(1)"), write_text("llama")
    ("'=HYPERLINK(1)", 'llama')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def read_text(cell: str) -> str:
    """What `write_text` was given; text of files from before it was used stays as it is.

    >>> read_text("'=HYPERLINK(1)"), read_text("=HYPERLINK(1)"), read_text("'llama'")
    ('=HYPERLINK(1)', '=HYPERLINK(1)', "'llama'")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
