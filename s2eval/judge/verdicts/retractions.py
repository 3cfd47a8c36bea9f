"""Whether what a judge writes below its verdict takes it back, or gives another one without the brackets.

A verdict in the first line has the judge's reasons below it. Reasons may hold any numbers; a sentence there counts
only if the judge itself states another rating or choice for the whole (`Final rating: 2`, `I would give it a 2`), or
says that what stands above is not meant (`The above is wrong`). In doubt it counts: then there is no verdict.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from s2eval.judge.verdicts.retraction_phrases import TAKEN_BACK, TAKEN_BACK_AT_ONCE, TAKEN_BACK_ELSEWHERE
from s2eval.judge.verdicts.stated_values import CHOICES, NUMBER, bare_values, stated_values

_LENGTH, _OVERLAP = 400, 120  # characters of a sentence that are read together, and again with what follows
_MANY = 500  # sentences that are read; no judgment has as many

_ENDS = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])|(?<=\w) [-–—]{1,2} (?=[^\W\d])|,\s(?=(?:but|please)\b)")
_LIST_MARK = re.compile(r"^\s*(?:[-•>#+]+\s*|\(?\d{1,2}[.)]\s+(?=\S)|\(?[a-z][.)]\s+(?=\S))*")
_QUOTATION = re.compile(
    r'"([^"\n]{0,300})"|“([^”\n]{0,300})”|«([^»\n]{0,300})»|„([^“”\n]{0,300})[“”]|「([^」\n]{0,300})」|『([^』\n]{0,300})』|'
    r"`([^`\n]{1,300})`|(?<!\w)['‘]([^'’\n]{1,300})['’](?!\w)"
)
_EMPHASIS = re.compile(r"\\boxed\{|[*_~`\[\]\\$}]|</?[a-z]{1,8}>", re.I)

_AT_FIRST = (TAKEN_BACK, TAKEN_BACK_ELSEWHERE, TAKEN_BACK_AT_ONCE)


def taken_back(sentences: Iterable[str], value: Any) -> str | None:
    """Why a verdict of this value no longer stands after these sentences; None where it does."""
    read = list(islice(sentences, _MANY + 1))
    if len(read) > _MANY:
        return "not at the end"
    rating = isinstance(value, float)
    alone = {other for sentence in read for other in bare_values(sentence, rating)} - {value}
    for number, sentence in enumerate(read):
        bare = (
            bare_values(sentence, rating) if not rating or len(alone) == 1 else ()
        )  # several are a list, or what a program prints
        stated = next((other for other in (*stated_values(sentence, rating), *bare) if other != value), None)
        if stated is not None:
            return f"contradictory: {_shown(value)}, {_shown(stated)}"
        patterns = (TAKEN_BACK, TAKEN_BACK_ELSEWHERE) if number else _AT_FIRST
        if _denies(sentence, value) or any(pattern.search(sentence) for pattern in patterns):
            return "taken back"
    return None


def sentences(lines: Iterable[str]) -> Iterator[str]:
    """The sentences of some lines without list marks, emphasis, and quotations of more than a verdict."""
    kept = list(lines)
    for place, line in enumerate(kept):
        if re.fullmatch(r"\W*\d{1,2}[.)]\W*", line) and place + 1 < len(kept):
            continue  # the number of a list's item, which follows
        plain = _QUOTATION.sub(_unquoted, line.translate(_Digits()))
        for sentence in _pieces(_EMPHASIS.sub("", _LIST_MARK.sub("", plain))):
            stripped = _LIST_MARK.sub("", sentence).strip().lstrip("([{\"'“«:;,.—–=> ")
            if stripped:
                yield stripped


def _pieces(text: str) -> Iterator[str]:
    """The sentences of a line; a long one in pieces that overlap."""
    for sentence in _ENDS.split(text):
        for start in range(0, max(len(sentence) - _OVERLAP, 1), _LENGTH - _OVERLAP):
            yield sentence[start : start + _LENGTH]


class _Digits(dict[int, str]):
    """For `str.translate`: any script's digits as 0 to 9."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        digit = unicodedata.decimal(sign, None) if code > 127 else None
        self[code] = sign if digit is None else str(digit)
        return self[code]


def _unquoted(match: re.Match[str]) -> str:
    """What stands in quotation marks where it is no more than a verdict ("Rating: 2"), else nothing of it."""
    inner = next(group for group in match.groups() if group is not None)
    if not inner.strip():
        return '""'
    short = len(inner) < 24 and re.search(rf"{NUMBER}\W*$|\b[ABC]\W*$|^\W*(?:final.)?{CHOICES}\W*$", inner, re.I)
    return f'"{inner}"' if short else '""'


def _denies(sentence: str, value: Any) -> bool:
    """Whether the sentence says of the verdict's own value that it is wrong: `Not 9`, `9 is too high`."""
    own = rf"(?<![\w.]){re.escape(_shown(value))}(?![\w.]*\w)"
    return bool(
        re.search(
            rf"^(?:it (?:is|was) |this is |that is |definitely |certainly |so ){{0,2}}not (?:an? )?{own}|"
            rf"\b(?:rating|score|verdict|grade|winner)\b.{{0,30}}\b"
            rf"not (?:an? )?{own}|^(?:an? |the |my |that )?{own}(?:/10)? (?:above )?(?:is|was|would be|"
            rf"seems) (?:\w+ ){{0,2}}(?:wrong|incorrect|"
            r"(?:too )?(?:high|low|generous|harsh|lenient|kind)|mistake|error|typo|slip|not|sarcas\w*|ironic|"
            r"unjustified|undeserved)"
            rf"|^(?:from )?{own} ?(?:→|->|=>|to|down to|up to) ?\d",
            sentence,
            re.I,
        )
    )


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
