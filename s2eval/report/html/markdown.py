"""Markdown that a model wrote → HTML that can do nothing: no links, no images, no scripts, no attributes."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_TEXT = {"p", "br", "hr", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s", "del"}
_TAGS = _TEXT | {"h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"}
_LONGEST = 20_000  # characters; longer texts are shown as they are
# A list, a heading, a quotation, a fence, emphasis, code, a table: all else looks the same as plain text.
_SIGNS = re.compile(r"(?m)^ {0,3}(?:[-*+]|\d{1,9}[.)]|#{1,6}|>) |^ {0,3}(?:```|~~~)|\*\S|__?\S|`[^`\n]+`|^\|.*\|")


def marked_up(text: str) -> str:
    """HTML of a text that is written in Markdown; "" where it is not, or is too long to be worth it."""
    if len(text) > _LONGEST or not _SIGNS.search(text):
        return ""
    import nh3

    text = text.encode("utf-8", "replace").decode("utf-8")
    return nh3.clean(_parser().render(text), tags=_TAGS, attributes={}, link_rel=None).strip()


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
