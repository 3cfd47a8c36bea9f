"""What a template without known text leaves behind: nothing, or a sentence that has lost its sense.

Rendering puts a mark where such a template stood. It vanishes

- on a line of its own, and at the beginning of a line that continues at once or in bold, as infoboxes do;
- after the end of a sentence or a comma, without a blank between, as citations do;
- in brackets, with what stands between the same commas or semicolons;
- where it stands for a pronunciation that the sentence does not need.

Anywhere else its sentence is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from s2train.data.rules import sentences as split_sentences

_FIRST, _LAST = 0xF0000, 0xFFFFD  # of Unicode's supplementary private use area A; taken out of the source first
_MARK = f"[{chr(_FIRST)}-{chr(_LAST)}]"
MARKS = re.compile(_MARK)
_NAME = 60  # characters of a name that are kept


@dataclass(frozen=True, slots=True)
class Filled:
    """A paragraph without marks; `lost` names the templates whose sentences were left out."""

    text: str
    lost: tuple[str, ...] = ()
    opening_lost: bool = False


@dataclass(slots=True)
class Gaps:
    """The marks of one lead: the template behind each, and which of them stand for a pronunciation."""

    names: list[str] = field(default_factory=list[str])
    sounds: set[str] = field(default_factory=set[str])

    def mark(self, name: str, *, sound: bool = False) -> str:
        """A character for a template without known text."""
        if len(self.names) >= _LAST - _FIRST:
            return chr(_FIRST)
        self.names.append(name[:_NAME])
        character = chr(_FIRST + len(self.names) - 1)
        if sound:
            self.sounds.add(character)
        return character

    def clean_line(self, line: str) -> str:
        """A line of the source without the marks that its beginning or end explains."""
        if not MARKS.search(line):
            return line
        if not MARKS.sub("", line).strip():
            return ""
        return _AFTER_SENTENCE_AT_END.sub(r"\1", _BEFORE_SUBJECT.sub("", line))

    def fill(self, text: str) -> Filled:
        """A paragraph without marks, and without the sentences that lost something."""
        if not MARKS.search(text):
            return Filled(text)
        text = _AFTER_STOP.sub("", self._without_sounds(self._in_brackets(text)))
        if not MARKS.search(text):
            return Filled(text)
        sentences = _sentences(text)
        lost = tuple(self.names[ord(mark) - _FIRST] for mark in MARKS.findall("".join(sentences)))
        complete = ["" if MARKS.search(sentence) else sentence for sentence in sentences]
        opening_lost = complete[0] == ""
        return Filled(" ".join([sentence for sentence in complete if sentence]), lost, opening_lost)

    def _in_brackets(self, text: str) -> str:
        for _ in range(_NESTED):
            cuts = [cut for start, end in _brackets(text) for cut in self._cuts(text, start, end)]
            if not cuts:
                break
            ends = (0, *(end for _, end in cuts))
            starts = (*(start for start, _ in cuts), len(text))
            text = "".join(text[end:start] for end, start in zip(ends, starts, strict=True))
        return text

    def _cuts(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What goes of brackets' content: from comma to comma, or a pronunciation alone beside other words."""
        own = _outermost(text[start:end])
        ends = [match.end() for match in _BETWEEN.finditer(own)]
        for left, right in pairwise((0, *ends, len(own))):
            marks = list(MARKS.finditer(own, left, right))
            only_sounds = all(match[0] in self.sounds for match in marks)
            rest = MARKS.sub("", own[left:right])
            if marks and only_sounds and not (_ABOUT_SOUND.fullmatch(rest) or rest.rstrip(" ,;").endswith(":")):
                yield from ((start + match.start(), start + match.end()) for match in marks)
            elif marks:
                yield start + left, start + right

    def _without_sounds(self, text: str) -> str:
        """Without the pronunciations that no word of the sentence announces, or only words between the same commas."""

        def unless_announced(match: re.Match[str]) -> str:
            announced = _ANNOUNCES.search(text[max(0, match.start() - 40) : match.start()])
            return match[0] if announced or match[0] not in self.sounds else ""

        text = _ASIDE.sub(lambda match: "" if self.sounds.issuperset(MARKS.findall(match[0])) else match[0], text)
        return MARKS.sub(unless_announced, text)


_BEFORE_SUBJECT = re.compile(rf"^\s*(?:{_MARK}\s*)*(?:{_MARK}(?=[A-Z\"“])|{_MARK}\s*(?='''))")
_STOP = r"[.!?…][\"'”’)\]]*"
_AFTER_SENTENCE_AT_END = re.compile(rf"({_STOP})(?:\s*{_MARK})+\s*$")
_AFTER_STOP = re.compile(rf"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’)\]])|(?<=[^\d\W][,;])){_MARK}+(?=\s|$)")
_BRACKETS = re.compile(r"[()\[\]]")
_NESTED = 3  # levels of brackets in brackets
_BETWEEN = re.compile(rf"[,;](?:\s+|(?=$|{_MARK}))")
_SOUND_WORDS = (
    "(?:pronounced|pronunciation|pronounce|listen|say|said|sounds?|like|as|or|also|is|ipa|in|it|british|us|uk|english)"
)
_ABOUT_SOUND = re.compile(rf"[\W_]*(?:{_SOUND_WORDS}[\W_]+)*{_SOUND_WORDS}?[\W_]*", re.IGNORECASE)
_ASIDE = re.compile(rf",\s*(?:{_SOUND_WORDS}\s+)*{_MARK}(?:[\s/]*(?:or\s+)?{_MARK})*\s*,(?=\s)", re.IGNORECASE)
_ANNOUNCES = re.compile(
    rf"\b(?:{_SOUND_WORDS}|called|spelled|spelt|written|and|of|with|by|a|an|the)[\s:\"'“‘]*$|:\s*$", re.IGNORECASE
)


def _brackets(text: str) -> list[tuple[int, int]]:
    """Where the contents of brackets with marks begin and end: the innermost, none within another."""
    opened: list[int] = []
    spans: list[tuple[int, int]] = []
    for match in _BRACKETS.finditer(text):
        if match[0] in "([":
            opened.append(match.end())
        elif opened:
            start = opened.pop()
            if (not spans or start >= spans[-1][1]) and MARKS.search(text, start, match.start()):
                spans.append((start, match.start()))
    return spans


def _outermost(text: str) -> str:
    """A text with blanks for what is in brackets within it."""
    characters, depth = list(text), 0
    for at, character in enumerate(text):
        if character in ")]" and depth:
            depth -= 1
        if depth:
            characters[at] = " "
        if character in "([":
            depth += 1
    return "".join(characters)


_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“‘])(?:[A-Za-z]|(?:[A-Za-z]\.)+[A-Za-z]|Ms|Nos|cf|Mt|Ft|Prof|Gen|Col|Capt|Lt|Sgt|Rev|Hon|Gov|Sen|Rep"
    r"|Fig|Vol|pp|approx|alt|est|fl|lit|Inc|Ltd|Co|Corp)\.$"
)


def _sentences(text: str) -> list[str]:
    """Sentences, in doubt too long: what a gap is in is left out completely."""
    joined: list[str] = []
    for sentence in split_sentences(text):
        if joined and _ABBREVIATION.search(joined[-1][-12:]):
            joined[-1] += f" {sentence}"
        else:
            joined.append(sentence)
    return joined
