"""The number of places where Pyphen would break a word, faster.

Liang, "Word Hy-phen-a-tion by Com-put-er", Stanford 1983: patterns of letters carry digits between the letters, the
greatest digit at a place decides, and an odd one allows a break.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

LANGUAGE = "en_US"  # textstat's own default
MARGIN = 2  # letters that Pyphen leaves together at either end

# Where a pattern's digits begin, and the digits; () for the beginning of a pattern that is not a pattern itself.
_Digits = tuple[int, tuple[int, ...]] | tuple[()]


def break_points(word: str) -> int:
    """`len(pyphen.Pyphen(lang="en_US").positions(word))`."""
    find = _patterns().get
    pointed = f".{word.lower()}."
    size = len(pointed)
    greatest = [0] * (size + 1)
    for start in range(size - 1):
        stop = start + 1
        while stop <= size and (pattern := find(pointed[start:stop])) is not None:
            if pattern:
                at, digits = pattern
                at += start
                for digit in digits:
                    if digit > greatest[at]:
                        greatest[at] = digit
                    at += 1
            stop += 1
    return sum([digit & 1 for digit in greatest[1 + MARGIN : len(word) - MARGIN + 2]])


@cache
def _patterns() -> dict[str, _Digits]:
    import pyphen  # pyright: ignore[reportMissingTypeStubs]

    patterns: Mapping[str, _Digits] = pyphen.Pyphen(lang=LANGUAGE).hd.patterns
    known: dict[str, _Digits] = {}
    for pattern in patterns:
        for stop in range(len(pattern) - 1, 0, -1):
            beginning = pattern[:stop]
            if beginning in known:
                break
            known[beginning] = ()
    return {**known, **patterns}
