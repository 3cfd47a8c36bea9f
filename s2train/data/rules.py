"""Named text rules, applied in a visible order, and which of them changed a text.

A rule is a pure function from text to text. The rules that every source needs stand here, those of one source
beside its reader (`eli5.CLEANING`, `wiki.CLEANING`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_ENTITY = re.compile(r"&(?:[a-zA-Z]\w*|#\w+);|& (?:#\w+|amp|deg|gt|lt|mdash|nbsp|ndash|quot);")
_LINE_ENDS = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f\u200b\u2060\ufeff]")  # tab, newline and joiners stay
_BLANKS = re.compile(r"[^\S\n]+")
_AROUND_LINE_ENDS = re.compile(r" ?\n ?")
_MANY_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Rule:
    """A named pure function from text to text."""

    name: str
    apply: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text after the rules, with the names of those that changed it."""

    text: str
    changed: tuple[str, ...]


def clean(text: str, rules: Sequence[Rule]) -> Cleaned:
    """Apply the rules in their order."""
    changed: list[str] = []
    for rule in rules:
        after = rule.apply(text)
        if after != text:
            changed.append(rule.name)
        text = after
    return Cleaned(text, tuple(changed))


def entities(text: str) -> str:
    """HTML's character references become characters: `Mario &amp; Luigi`; also broken ones, as in `& nbsp;`."""
    return _ENTITY.sub(lambda match: html.unescape(match[0].replace(" ", "")), text)


def characters(text: str) -> str:
    """Every line end becomes `\\n`; control and zero-width characters go."""
    return _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))


def spacing(text: str) -> str:
    """Single spaces, no blanks at the ends of lines, at most one empty line, none around the text."""
    return _MANY_LINES.sub("\n\n", _AROUND_LINE_ENDS.sub("\n", _BLANKS.sub(" ", text))).strip()


ENTITIES = Rule("entities", entities)
CHARACTERS = Rule("characters", characters)
SPACING = Rule("spacing", spacing)
