"""The sentences of an answer: markup, code, tables, formulas and links are taken out by stated rules.

* Left out: fenced code, tables, headings, images, addresses, HTML tags, formulas in TeX's
  `$…$`, `$$…$$`, `\\(…\\)` and `\\[…\\]`.
* Kept without their marks: emphasis, inline code, link texts, quotations, list items. An item ends its sentence.
* A sentence ends at `.`, `!`, `?` or `…` before white space, unless a small letter follows, or the point belongs to an
  abbreviation or an initial; also where a capital follows it at once ("it ended.Then"); and at a blank line.
* A word is a run of letters; apostrophes belong to it, hyphens part it. Numbers are no words.
* A sentence of one or two words is read with the one before it, the first with the one after it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from s2eval.metrics.panel.lexicon import read_words

Sentence = list[str]
"""Its words as they are written."""

SHORTEST = 3  # words of a sentence of its own

_SPANS = re.compile(
    r"(?ms)^[ \t]*(?P<fence>```+|~~~+).*?(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|\Z)"  # an open fence runs to the end
    r"|\$\$.+?\$\$|\\\[.+?\\\]|\\\(.+?\\\)|\$(?! )[^$\n]*[\\^_={}][^$\n]*(?<! )\$"
    r"|<!--.*?-->|</?[A-Za-z][^<>\n]*>"
    r"|!\[[^\]\n]*\]\([^)\n]*\)"
)
# controls but tab and line ends, soft hyphens, zero-width characters, direction marks
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_LINK = re.compile(r"\[([^\]\n]*)\]\([^)\n]*\)")
_ADDRESS = re.compile(r"<?(?:https?://|www\.)[^\s<>]*[^\s<>.,;:!?)\]'\"’”]>?|\b[\w.+-]+@[\w-]+\.[\w.]+\b")
_EMPHASIS = re.compile(r"(?<!\w)[*_~`]+(?=\S)|(?<=\S)[*_~`]+(?!\w)|\*\*|__|~~")
_NO_PROSE = re.compile(r"#{1,6}\s|\||[-|:+*_ \t]{3,}$")  # a heading, a row of a table, a rule
_QUOTED = re.compile(r"(?:>\s*)+")
_ITEM = re.compile(r"(?:[-*+•–]\s+|\(?(?:\d{1,3}|[a-z])[.)]\s+)")
_END = re.compile(r"(?P<mark>[.!?…]+)[\"'”’)\]]*(?P<space>\s*)")
_LAST_WORD = re.compile(r"[^\s(\[“\"]*$")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def sentences(text: str) -> list[Sentence]:
    """The sentences of an answer, each with one word or more; none where it holds no prose."""
    read: list[Sentence] = []
    for block in _blocks(text):
        for written in _split(block):
            words = _WORD.findall(written)
            if len(words) < SHORTEST and read:
                read[-1].extend(words)
            elif words:
                read.append(words)
    if len(read) > 1 and len(read[0]) < SHORTEST:
        first = read.pop(0)
        read[0][:0] = first
    return read


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs and list items, without markup and what cannot be seen."""
    text = _INVISIBLE.sub("", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if any(mark in text for mark in ("`", "~~~", "$", "\\", "<", "![")):
        text = _SPANS.sub("\n\n", text.replace("\r\n", "\n"))
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    if "://" in text or "www." in text or "@" in text:
        text = _ADDRESS.sub("", text)
    lines: list[str] = []
    for written in text.split("\n"):
        line = written.strip()
        if line.startswith(">"):
            line = _QUOTED.sub("", line, count=1)
        item = _ITEM.match(line)
        if not line or item or _NO_PROSE.match(line):
            yield _plain(lines)
            lines = [line[item.end() :]] if item else []
        else:
            lines.append(line)
    yield _plain(lines)


def _plain(lines: list[str]) -> str:
    block = " ".join(lines)
    return _EMPHASIS.sub("", block) if any(mark in block for mark in "*_~`") else block


def _split(block: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(block):
        after = block[end.end() : end.end() + 1]
        if after and not end["space"]:
            # "3.5" and "e.g." go on; "it ended.Then" does not
            if not (after.isupper() and block[max(end.start() - 2, 0) : end.start()].islower()):
                continue
        elif after.islower():
            continue
        if end["mark"] == "." and _is_abbreviation(block[max(start, end.start() - 12) : end.start()]):
            continue
        yield block[start : end.end()]
        start = end.end()
    yield block[start:]


def _is_abbreviation(before: str) -> bool:
    match = _LAST_WORD.search(before)
    last = match[0] if match else ""
    return (len(last) == 1 and last.isupper() and last != "I") or last.lower() in _abbreviations()


@cache
def _abbreviations() -> frozenset[str]:
    return read_words("abbreviations")
