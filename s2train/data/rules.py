"""Named text rules, applied in a visible order, and which of them changed a text.

A rule is a pure function from text to text. The rules of every source are here, those of one source beside its reader
(`eli5.CLEANING`, `wiki.CLEANING`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html.entities import html5

_NUMBER = r"#(?:\d{1,7}|[xX][0-9a-fA-F]{1,6})"
_ENTITY = re.compile(rf"&(?:[a-zA-Z][a-zA-Z0-9]*|{_NUMBER});|& (?:{_NUMBER}|amp|deg|gt|lt|mdash|nbsp|ndash|quot);")
_LINE_ENDS = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_INVISIBLE = re.compile(  # controls but tab and newline, soft hyphen, zero width, direction, byte order mark
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffc]"
)
_EMOJI = "\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_JOINING = "\u0600-\u0dff\u0f00-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc"  # scripts with zero-width (non-)joiners
_STRAY = re.compile(  # what is invisible unless it changes the character before it
    f"(?P<flag>\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)|[\U000e0000-\U000e007f]"  # of England, Scotland, Wales
    f"|(?<![{_JOINING}])\u200c"
    f"|(?<![{_JOINING}])\u200d(?!(?<=[{_EMOJI}\ufe0f]\u200d)[{_EMOJI}])"
    f"|(?<![{_EMOJI}{_IDEOGRAPHS}{_JOINING}0-9#*])[\ufe00-\ufe0f]|(?<![{_IDEOGRAPHS}])[\U000e0100-\U000e01ef]"
)
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
    """HTML's character references become characters, once: `Mario &amp; Luigi`; also broken ones, as in `& nbsp;`."""
    return _ENTITY.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    reference = match[0].replace(" ", "")
    return html.unescape(reference) if reference[1] == "#" else html5.get(reference[1:], match[0])


def entities_of_dumps(text: str) -> str:
    """Twice: Reddit's API escapes what people typed, and they typed references, of which `&amp;#x200B;` remains.

    What still looks like a reference was meant to be read as such.
    """
    return entities(entities(text))


def characters(text: str) -> str:
    """Every line end becomes `\\n`; what cannot be seen goes: controls, zero-width characters, soft hyphens,
    direction marks.

    Joiners stay within emoji and in scripts that are spelled with them, variation selectors after what they vary.
    """
    text = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))
    return text if text.isascii() else _STRAY.sub(lambda match: match["flag"] or "", text)


def spacing(text: str) -> str:
    """Single spaces, no blanks at the ends of lines, at most one empty line, none around the text."""
    return _MANY_LINES.sub("\n\n", _AROUND_LINE_ENDS.sub("\n", _BLANKS.sub(" ", text))).strip()


ENTITIES = Rule("entities", entities_of_dumps)
ENTITIES_ONCE = Rule("entities", entities)
CHARACTERS = Rule("characters", characters)
SPACING = Rule("spacing", spacing)


_SENTENCE_ENDS = re.compile(
    r"""(?:(?<=[.!?])|(?<=[.!?]["'”’)\]]))(?<!\b[A-Z]\.)(?<!\b(?:St|Dr|Mr|Jr|Sr|No|vs|ca)\.)(?<!\bMrs\.)"""
    r"""\s+(?=["'“‘(\[]?[A-Z0-9])"""
)


def sentences(text: str) -> list[str]:
    """A text's sentences on one line each: after `.`, `!` or `?`, before a capital or a digit; not after initials."""
    return _SENTENCE_ENDS.split(" ".join(text.split()))
