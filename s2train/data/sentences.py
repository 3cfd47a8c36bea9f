"""Where a sentence of English prose ends."""

from __future__ import annotations

import re

_ENDS = re.compile(
    r"""(?:(?<=[.!?])|(?<=[.!?]["'”’)\]]))(?<!\b[A-Z]\.)(?<!\b(?:St|Dr|Mr|Jr|Sr|No|vs|ca)\.)(?<!\bMrs\.)"""
    r"""\s+(?=["'“‘(\[]?[A-Z0-9])"""
)


def sentences(text: str) -> list[str]:
    """A text's sentences on one line each: after `.`, `!` or `?`, before a capital or a digit; not after initials."""
    return _ENDS.split(" ".join(text.split()))
