"""Where in a judge's text its verdict stands; docs/verdicts.md has the rules in words.

A mark is what stands in double brackets. It is the verdict if the text concludes with it, or if it is all of the first
line, and if the judge itself says it: with a label, an announcement, or alone on its line or after a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from s2eval.judge.verdicts.phrases import (
    BARE_LABEL,
    CLAUSE,
    COURTESY,
    DENIED,
    HYPOTHETICAL,
    LABEL_LENGTH,
    SENTENCE,
    SPEAKER,
)
from s2eval.judge.verdicts.retractions import sentences, taken_back
from s2eval.reasoning import split

API_ERROR = "$ERROR$"  # what FastChat stores as the judgment where the judge could not be called

_MARK = re.compile(r"\[ ?\[([^\[\]\n]{1,40})\] ?\]")
_UNFINISHED = re.compile(r"\[\[[^\[\]\n]{0,10}\]?$")
_ALTERNATIVE = re.compile(r"[^\w.!?]{0,4}(?:or|and|to|vs\.?)?[^\w.!?]{0,4}", re.I)
_FENCE = re.compile(r"(?:```|~~~)[\w+-]{0,20}")
_DELIMITER = re.compile(r"(?:\[|<\|)The (Start|End) of ")  # of FastChat's prompts and ours
_STOP_TOKEN = re.compile(r"</s>|<\|[a-z_]{2,20}\|>|<end_of_turn>")
_BULLET = re.compile(r"[ >#*•+|–—-]*+(?:\d{1,2}[.)])?+[ *_]*+")

_OPENERS = " *_~`\"“„«‘'(|"  # may stand between label and mark, or before the label
_CLOSERS = " .!。．*_~`\"'”’»」)|"
_SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "…")
_AFTER_A_SENTENCE = " \"'”’»)]*_`"
_TELLING = frozenset("?[]{}<>=")  # signs after a verdict that do change it; others, and emoji, do not

_WIDE = str.maketrans(
    dict(zip("［］【】〔〕〖〗：０１２３４５６７８９．／ＡＢＣ", "[][][][]:0123456789./ABC", strict=True))
    | dict.fromkeys("⟦〚", "[[")
    | dict.fromkeys("⟧〛", "]]")
)
# What may be put around a verdict: `<answer>[[8]]</answer>`, `$\boxed{[[8]]}$`.
_ELEMENT = re.compile(
    r"<(answer|final|final_answer|verdict|rating|score|result|judge?ment|choice|output|b|strong|em|i|u|p|span|code)>"
    r"(\s*[^<>\[\].!?]{0,40}\[\[[^\[\]\n]{1,40}\]\](?:/10)?[\s.*_]{0,10})</\1>",
    re.I,
)
_BOXED = re.compile(
    r"(?:\$\$?|\\[(\[])?\s{0,3}\\boxed\{\s{0,3}(?:\\text(?:bf)?\{)?([^\[\]{}]{0,40}\[\[[^\[\]\n]{1,40}\]\])\}?\s{0,3}\}"
    r"\s{0,3}(?:\$\$?|\\[)\]])?"
)
_BOX_ALONE = re.compile(r"\$?\$?\\boxed\{(?:\\text(?:bf)?\{)?(\d{1,2}(?:\.\d)?|[ABC])\}?\}\$?\$?")
_WINDOW = 400  # characters before and after a mark that are looked at
_MANY = 200  # other ratings or choices that are looked at; no judgment has as many


class Kind(NamedTuple):
    """What tells ratings and choices apart.

    Attributes:
        read: content of a mark → its value and None, or None and the problem.
        label, announced: see `s2eval.judge.verdicts.phrases`.
        restates: whether words after a mark, in lower case, only say its value again.
    """

    read: Callable[[str], tuple[Any, str | None]]
    label: re.Pattern[str]
    announced: re.Pattern[str]
    restates: Callable[[str, Any], bool]


def anchored(text: str, kind: Kind, *, cut: bool = False) -> tuple[Any, str | None]:
    """(the verdict, None), or (None, why there is none).

    Args:
        cut: the text did not end by itself: then only a verdict at its very end counts.
    """
    if text.strip() == API_ERROR:
        return None, "failed call"
    answer, _, closed = split(text)
    if _UNFINISHED.search(answer[-40:].rstrip()) or not closed:
        return None, "unfinished"
    found = _Text(answer, kind)
    if not found.marks:
        return None, "no verdict"
    verdict = found.marks[-1]
    if len(found.marks) > 1 and found.alternative(found.marks[-2], verdict):
        return None, f"contradictory: {_said(found.marks[-2])}, {_said(verdict)}"
    problem = found.place(verdict).problem if found.concludes(verdict) else "not at the end"
    if problem:
        opening = found.opening()
        if opening is None or cut:
            return None, "unfinished" if cut else problem
        verdict = opening
    if verdict.problem:
        return None, verdict.problem
    others = [mark for mark in found.marks if mark.value not in (None, verdict.value)]
    if len(others) > _MANY:
        return None, f"contradictory: more than {_MANY}"
    rival = next((mark for mark in others if found.claims(mark) or found.below(mark, verdict)), None)
    if rival:
        return None, f"contradictory: {_said(rival)}, {_said(verdict)}"
    if problem := taken_back(sentences(found.below_verdict(verdict)), verdict.value):
        return None, problem
    return verdict.value, None


class _Mark(NamedTuple):
    """Double brackets.

    Attributes:
        line: number of the line, from 0.
        start, end: place in the line.
        quotes: quotation marks before it in the line: the straight ones, and how many more curly ones open than close.
        value, problem: what `Kind.read` says.
    """

    line: int
    start: int
    end: int
    quotes: tuple[int, int]
    value: Any
    problem: str | None


class _Place(NamedTuple):
    """Where a mark stands, its label apart ("": within a sentence), and what of that makes it no verdict."""

    start: Literal["line", "sentence", ""]
    problem: str | None


class _Text:
    """A judge's text as lines without blank ones, each known to be quoted or not, and the marks in them."""

    def __init__(self, text: str, kind: Kind) -> None:
        text = text.translate(_WIDE).replace("\\[\\[", "[[").replace("\\]\\]", "]]")
        text = _ELEMENT.sub(r"\2", _BOXED.sub(r"\1", text))
        if "[[" not in text:
            text = _BOX_ALONE.sub(lambda box: _in_brackets(box, kind), text)
        single_spaced = (" ".join(_STOP_TOKEN.sub("", line).split()) for line in text.splitlines())
        self.kind = kind
        self.lines = [line for line in single_spaced if line]
        self.quoted = _quoted(self.lines)
        self.marks = [mark for number, line in enumerate(self.lines) for mark in _marks(number, line, kind)]

    def concludes(self, mark: _Mark) -> bool:
        """Whether nothing stands after the mark that could change it."""
        if mark.line + 6 < len(self.lines):
            return False
        following = [line for line in self.lines[mark.line + 1 :] if _tells(line) and not _FENCE.fullmatch(line)]
        courteous = not following or (len(following) == 1 and COURTESY.fullmatch(following[0]) is not None)
        return courteous and self._says_no_more(mark)

    def opening(self) -> _Mark | None:
        """The mark that is all of the first line, where no part of the prompt follows."""
        mark = self.marks[0]
        if mark.line or not self._says_no_more(mark) or self.place(mark) != _Place("line", None):
            return None
        return None if any(_DELIMITER.match(line) for line in self.lines) else mark

    def claims(self, mark: _Mark) -> bool:
        """Whether a mark before the last reads as a verdict too."""
        rest = self._after(mark).lstrip(" *_~`\"'”’»)")
        if rest and rest[0] not in ".!,;|":
            return False
        where = self.place(mark)
        return bool(where.start) and where.problem is None

    def below(self, mark: _Mark, verdict: _Mark) -> bool:
        """Whether a mark stands in a later line than the verdict, and is nobody else's."""
        return mark.line > verdict.line and self.place(mark).problem != "quoted"

    def below_verdict(self, verdict: _Mark) -> Iterator[str]:
        """The judge's own lines after the verdict."""
        last = len(self.lines) - 1
        for number in range(verdict.line + 1, last + 1):
            line = self.lines[number]
            # of a block of code with more in it than a verdict, the first line is not marked as quoted
            in_block = number < last and self.quoted[number + 1] and _FENCE.fullmatch(self.lines[number - 1])
            if not (self.quoted[number] or in_block or _FENCE.fullmatch(line)):
                yield line

    def alternative(self, mark: _Mark, verdict: _Mark) -> bool:
        """Whether the two stand side by side and differ: `[[7]] or [[8]]`."""
        if None in (mark.value, verdict.value) or mark.value == verdict.value:
            return False
        between = self.lines[mark.line][mark.end : verdict.start] if mark.line == verdict.line else "no"
        return len(between) < 20 and _ALTERNATIVE.fullmatch(between) is not None

    def place(self, mark: _Mark) -> _Place:
        """Where the mark stands."""
        window = self.lines[mark.line][max(0, mark.start - _WINDOW) : mark.start]
        before = window.rstrip(_OPENERS)
        ahead = self._without_label(self._without_label(before))  # twice: "Final verdict: Rating: [[5]]"
        if self.quoted[mark.line] or _opens_a_quotation(mark.quotes, window[len(ahead) :]):
            return _Place("", "quoted")
        if _BULLET.fullmatch(ahead) and mark.start <= _WINDOW:
            return _Place("line", "quoted" if self._introduces_another(mark.line) else None)
        if ahead.rstrip(_AFTER_A_SENTENCE).endswith(_SENTENCE_ENDS) and not ahead.endswith(("e.g.", "i.e.")):
            return _Place("sentence", None)
        if ahead != before and ahead.rstrip(",; ").endswith("]]"):  # "Accuracy: [[6]], Overall: [[7]]"
            return _Place("sentence", None)
        return _Place("", self._unannounced(before, ahead))

    def _after(self, mark: _Mark) -> str:
        """The start of the rest of the mark's line."""
        line, end = self.lines[mark.line], mark.end + _WINDOW
        return line[mark.end : end] + ("and more" if len(line) > end else "")

    def _says_no_more(self, mark: _Mark) -> bool:
        rest = self._after(mark)
        return not _tells(rest) or self.kind.restates(rest[:80].strip(_CLOSERS).lower(), mark.value)

    def _without_label(self, before: str) -> str:
        match = self.kind.label.search(before[-LABEL_LENGTH:])
        return before[: len(before) - len(match[0])].rstrip(_OPENERS) if match else before

    def _unannounced(self, before: str, ahead: str) -> str | None:
        """Why the words before a mark within a sentence do not make it a verdict, if they do not."""
        sentence, clause = _last_clause(before)
        if DENIED.search(clause) or HYPOTHETICAL.search(sentence):
            return "quoted"
        if BARE_LABEL.match(before[len(ahead) :]):  # 'rated as follows: "Rating: [[3]]"': what is before it announces
            clause = _last_clause(ahead)[1]
        return None if self.kind.announced.search(clause) else "in a sentence"

    def _introduces_another(self, number: int) -> bool:
        """Whether the line above ends in a colon and announces no verdict, but somebody's words."""
        above = [line for line in self.lines[max(0, number - 2) : number] if not _FENCE.fullmatch(line)]
        lead = above[-1][-_WINDOW:].rstrip("*_ ") if above else ""
        if not lead.endswith(":") or self.kind.label.search(lead[-LABEL_LENGTH:]):
            return False
        clause = _last_clause(lead)[1]
        if DENIED.search(clause):
            return True
        short = len(clause.split()) <= 3 and not SPEAKER.search(lead)  # "In short:"
        return not short and not self.kind.announced.search(clause)


def _in_brackets(box: re.Match[str], kind: Kind) -> str:
    """A box without double brackets as a mark, where the judge has labelled it as its verdict."""
    before = box.string[max(0, box.start() - LABEL_LENGTH) : box.start()].rpartition("\n")[2]
    return f"[[{box[1]}]]" if kind.label.search(before.rstrip(_OPENERS)) else box[0]


def _marks(number: int, line: str, kind: Kind) -> Iterator[_Mark]:
    """The marks of a line, in one pass."""
    straight = curly = position = 0
    german = "„" in line  # „so“: what opens a quotation elsewhere closes it there
    for match in _MARK.finditer(line):
        between = line[position : match.start()]
        straight += between.count('"')
        curly += 0 if german else between.count("“") - between.count("”")
        yield _Mark(number, match.start(), match.end(), (straight, curly), *kind.read(match[1]))
        position = match.start()


def _quoted(lines: list[str]) -> list[bool]:
    """Which lines are of another text: block quotes, code with more in it than a verdict, the prompt's own parts."""
    quoted: list[bool] = []
    fence: int | None = None  # number of the line that opened it
    inside = False
    for number, line in enumerate(lines):
        delimiter = _DELIMITER.match(line)
        inside = delimiter[1] == "Start" if delimiter else inside
        if _FENCE.fullmatch(line):
            fence = number if fence is None else None
        in_code = fence is not None and 0 < fence < number - 1  # not where all of the text is in a fence
        quoted.append(inside or line.startswith(">") or in_code)
    return quoted


def _opens_a_quotation(quotes: tuple[int, int], own: str) -> bool:
    """Whether a quotation is open that began before `own`: the mark's label and what stands around it."""
    straight, curly = quotes
    return (straight - own.count('"')) % 2 == 1 or curly - own.count("“") > 0


def _last_clause(before: str) -> tuple[str, str]:
    """(the last sentence, its last clause)."""
    sentence = SENTENCE.split(before.rstrip(" ,;—-–"))[-1]
    return sentence, CLAUSE.split(sentence)[-1].strip()


def _tells(rest: str) -> bool:
    """Whether there are words in it, or signs that matter."""
    return any(sign.isalnum() or sign in _TELLING for sign in rest)


def _said(mark: _Mark) -> str:
    return f"{mark.value:g}" if isinstance(mark.value, float) else str(mark.value)
