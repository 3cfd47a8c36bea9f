"""Whether what a judge writes below its verdict takes it back, or gives another one without the brackets.

A verdict in the first line has the judge's reasons below it. Reasons may hold any numbers; a sentence there counts
only if the judge itself states another rating or choice for the answer (`Final rating: 2`, `I would give it a 2`), or
withdraws the text above (`The above is wrong`). In doubt it counts: then there is no verdict.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from s2eval.judge.verdicts.phrases import alternatives, pattern, regex

Value: TypeAlias = float | str
"""A rating; or A, B or tie."""

_LENGTH, _OVERLAP = 400, 120  # characters of a sentence that are read together, and again with what follows
_MAX_SENTENCES = 500  # no judgment has as many

_ENDS = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])|(?<=\w) [-–—]{1,2} (?=[^\W\d])|,\s(?=(?:but|please)\b)")
_LIST_MARK = re.compile(r"^\s*(?:[-•>#+]+\s*|\(?\d{1,2}[.)]\s+(?=\S)|\(?[a-z][.)]\s+(?=\S))*")
_QUOTATION = re.compile(
    r'"([^"\n]{0,300})"|“([^”\n]{0,300})”|«([^»\n]{0,300})»|„([^“”\n]{0,300})[“”]|「([^」\n]{0,300})」|『([^』\n]{0,300})』|'
    r"`([^`\n]{1,300})`|(?<!\w)['‘]([^'’\n]{1,300})['’](?!\w)"
)
_SHORT_VERDICT = re.compile(regex(r"{number}\W*$|\b[ABC]\W*$|^\W*(?:final.)?{choices}\W*$"), re.IGNORECASE)
_EMPHASIS = re.compile(r"\\boxed\{|[*_~`\[\]\\$}]|</?[a-z]{1,8}>", re.IGNORECASE)

_DENIED, _HYPOTHETICAL = pattern("denied"), pattern("hypothetical")
_BETTER_WITH = re.compile(r"^with (?:more|better|a|an|some|sources?|citations?|examples?)\b", re.IGNORECASE)
_TAKEN_BACK = pattern("taken_back"), pattern("taken_back_elsewhere")
_TAKEN_BACK_AT_ONCE = pattern("taken_back_at_once")

_WORDS = {word: float(number) for number, words in enumerate(alternatives("words"), 1) for word in words.split("|")}
_RATING = {"value": regex("{number}"), "label": regex("{rating_nouns}"), "others": regex("{rating_others}")}
_CHOICE = {"value": regex("{letter}"), "label": regex("{choices}"), "others": regex("{choice_others}")}
_STATED_RATING, _STATED_CHOICE = (
    [re.compile(regex(text, **values), re.IGNORECASE) for text in alternatives("stated")]
    for values in (_RATING, _CHOICE)
)
_MEANT = pattern("meant")
_BARE_RATING, _BARE_CHOICE = [pattern("bare_rating")], [pattern("bare_choice"), pattern("bare_tie")]


def taken_back(sentences: Iterable[str], value: Value) -> str | None:
    """The problem of a verdict of this value after these sentences; None where it is valid."""
    sentences = list(islice(sentences, _MAX_SENTENCES + 1))
    if len(sentences) > _MAX_SENTENCES:
        return "not at the end"
    rating = isinstance(value, float)
    others = {other for sentence in sentences for other in _bare_values(sentence, rating)} - {value}
    for number, sentence in enumerate(sentences):
        # several bare numbers are a list, or what a program prints
        bare = _bare_values(sentence, rating) if not rating or len(others) == 1 else ()
        stated = next((other for other in (*_stated_values(sentence, rating), *bare) if other != value), None)
        if stated is not None:
            return f"contradictory: {shown(value)}, {shown(stated)}"
        patterns = _TAKEN_BACK if number else (*_TAKEN_BACK, _TAKEN_BACK_AT_ONCE)
        if _denies(sentence, value) or any(words.search(sentence) for words in patterns):
            return "taken back"
    return None


def sentences(lines: Iterable[str]) -> Iterator[str]:
    """The sentences of some lines without list marks, emphasis, and quotations of more than a verdict."""
    lines = list(lines)
    for number, line in enumerate(lines):
        if re.fullmatch(r"\W*\d{1,2}[.)]\W*", line) and number + 1 < len(lines):
            continue  # the number of a list's item, which follows
        plain = _QUOTATION.sub(_unquoted, line.translate(_Digits()))
        for sentence in _ENDS.split(_EMPHASIS.sub("", _LIST_MARK.sub("", plain))):
            # a long sentence in pieces that overlap
            for start in range(0, max(len(sentence) - _OVERLAP, 1), _LENGTH - _OVERLAP):
                piece = _LIST_MARK.sub("", sentence[start : start + _LENGTH])
                if stripped := piece.strip().lstrip("([{\"'“«:;,.—–=> "):
                    yield stripped


def shown(value: Value) -> str:
    """`8`, `8.5`, `A`."""
    return value if isinstance(value, str) else f"{value:g}"


class _Digits(dict[int, str]):
    """For `str.translate`: any script's digits as 0 to 9."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        digit = unicodedata.decimal(sign, None) if code > 127 else None
        self[code] = sign if digit is None else str(digit)
        return self[code]


def _unquoted(match: re.Match[str]) -> str:
    """The quotation where it is only a verdict ("Rating: 2"), else an empty one."""
    inner = next(group for group in match.groups() if group is not None)
    return f'"{inner}"' if inner.strip() and len(inner) < 24 and _SHORT_VERDICT.search(inner) else '""'


def _denies(sentence: str, value: Value) -> bool:
    """Whether the sentence says of the verdict's own value that it is wrong: `Not 9`, `9 is too high`."""
    own = rf"(?<![\w.]){re.escape(shown(value))}(?![\w.]*\w)"
    return re.search(regex("{own_value_denied}", own_value=own), sentence, re.IGNORECASE) is not None


def _stated_values(sentence: str, rating: bool) -> Iterator[Value]:
    """The values that a sentence gives the answer in words, without brackets.

    `Final rating: 2`, `2/10`, `Winner: B`; not `the answer asks for a 10` or `it lists 2 points`.
    """
    if _HYPOTHETICAL.search(sentence) or _BETTER_WITH.search(sentence):
        return
    for statement in _STATED_RATING if rating else _STATED_CHOICE:
        for match in statement.finditer(sentence):
            before = sentence[: match.start("value" if match["value"] else "tie")]
            plain = re.sub(r"\b(?:no (?:more|higher|better) than|at (?:most|best))\b", "", before)
            clause = re.split(r"[,;—]|\bbut\b", plain.rstrip(" ,;—-–"))[-1]
            if not _DENIED.search(clause):  # else it is somebody else's value, or none
                yield from _value(match, rating)
    if rating and (meant := _MEANT.search(sentence)):
        yield from _value(meant, rating)


def _bare_values(sentence: str, rating: bool) -> Iterator[Value]:
    """The value that a sentence consists of."""
    for statement in _BARE_RATING if rating else _BARE_CHOICE:
        if match := statement.search(sentence):
            yield from _value(match, rating)


def _value(match: re.Match[str], rating: bool) -> Iterator[Value]:
    """The value of a match; none where it is a number that no rating can be: a year, a count."""
    if rating:
        text = match["value"].lower()
        number = _WORDS[text] if text in _WORDS else float(text.replace(",", ".").replace("−", "-"))
        number = number * 10 / float(match["scale"] or 10)
        if 0 <= number <= 10:
            yield number
        return
    groups = match.groupdict()
    letter = groups.get("value") or groups.get("cjk") or groups.get("japanese")
    yield "tie" if groups.get("tie") or letter == "C" else letter or ""
