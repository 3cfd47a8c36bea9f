"""The position of the verdict in a judge's text; docs/verdicts.md has the rules in words.

A mark is a text in double brackets. It is the verdict if the text ends with it, or if it is all of the first line, and
if it is the judge's own: with a label, an announcement, or alone on its line or after a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Generic, Literal, NamedTuple, TypeVar

from s2eval.judge.verdicts.phrases import pattern
from s2eval.judge.verdicts.retractions import Value, sentences, shown, taken_back
from s2eval.reasoning import split

API_ERROR = "$ERROR$"  # FastChat's judgment where the call of the judge failed

_LABEL_LENGTH = 120  # characters before the mark in which a label may stand
_BARE_LABEL, _COURTESY, _SPEAKER = pattern("bare_label"), pattern("courtesy"), pattern("speaker")
_DENIED, _HYPOTHETICAL = pattern("denied"), pattern("hypothetical")
_SENTENCE, _CLAUSE = pattern("sentence"), pattern("clause")

_MARK = re.compile(r"\[ ?\[([^\[\]\n]{1,40})\] ?\]")
_UNFINISHED = re.compile(r"\[\[[^\[\]\n]{0,10}\]?$")
_ALTERNATIVE = re.compile(r"[^\w.!?]{0,4}(?:or|and|to|vs\.?)?[^\w.!?]{0,4}", re.I)
_FENCE = re.compile(r"(?:```|~~~)[\w+-]{0,20}")
_DELIMITER = re.compile(r"(?:\[|<\|)The (Start|End) of ")  # of FastChat's prompts and ours
_STOP_TOKEN = re.compile(r"</s>|<\|[a-z_]{2,20}\|>|<end_of_turn>")
_BULLET = re.compile(r"[ >#*•+|–—-]*+(?:\d{1,2}[.)])?+[ *_]*+")

_OPENERS = " *_~`\"“„«‘'(|"  # allowed between label and mark, and before the label
_CLOSERS = " .!。．*_~`\"'”’»」)|"
_SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "…")
_AFTER_A_SENTENCE = " \"'”’»)]*_`"
_MEANINGFUL = frozenset("?[]{}<>=")  # signs after a verdict that change it; others, and emoji, do not

_WIDE = str.maketrans(
    dict(zip("［］【】〔〕〖〗：０１２３４５６７８９．／ＡＢＣ", "[][][][]:0123456789./ABC", strict=True))
    | dict.fromkeys("⟦〚", "[[")
    | dict.fromkeys("⟧〛", "]]")
)
# Markup around a verdict: `<answer>[[8]]</answer>`, `$\boxed{[[8]]}$`.
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
_WINDOW = 400  # characters before and after a mark that count
_MAX_RIVALS = 200  # other ratings or choices that are compared; no judgment has as many

V = TypeVar("V", bound=Value)


class Kind(NamedTuple, Generic[V]):
    """What differs between ratings and choices.

    `read` gives the value of a mark's content and None, or None and the problem; `restates` says whether words after a
    mark, in lower case, only repeat its value. The patterns are those of phrases.yaml.
    """

    read: Callable[[str], tuple[V | None, str | None]]
    label: re.Pattern[str]
    announced: re.Pattern[str]
    restates: Callable[[str, V | None], bool]


def anchored(text: str, kind: Kind[V], *, cut: bool = False) -> tuple[V | None, str | None]:
    """(the verdict, None), or (None, the problem); in a text that was `cut`, only a verdict at its very end counts."""
    if text.strip() == API_ERROR:
        return None, "failed call"
    answer, _, closed = split(text)
    if _UNFINISHED.search(answer[-40:].rstrip()) or not closed:
        return None, "unfinished"
    judged = _Text(answer, kind)
    if not judged.marks:
        return None, "no verdict"
    verdict = judged.marks[-1]
    if len(judged.marks) > 1 and judged.alternative(judged.marks[-2], verdict):
        return None, _contradiction(judged.marks[-2], verdict)
    problem = judged.place(verdict).problem if judged.concludes(verdict) else "not at the end"
    if problem:
        opening = judged.opening()
        if opening is None or cut:
            return None, "unfinished" if cut else problem
        verdict = opening
    if verdict.value is None:
        return None, verdict.problem
    others = [mark for mark in judged.marks if mark.value not in (None, verdict.value)]
    if len(others) > _MAX_RIVALS:
        return None, f"contradictory: more than {_MAX_RIVALS}"
    rival = next((mark for mark in others if judged.claims(mark) or judged.below(mark, verdict)), None)
    if rival:
        return None, _contradiction(rival, verdict)
    if problem := taken_back(sentences(judged.below_verdict(verdict)), verdict.value):
        return None, problem
    return verdict.value, None


class _Mark(NamedTuple, Generic[V]):
    """Double brackets in a line, numbered from 0, with the value or the problem that `Kind.read` gives.

    `quotes` counts quotation marks before it in the line: the straight ones, and how many more curly ones open than
    close.
    """

    line: int
    start: int
    end: int
    quotes: tuple[int, int]
    value: V | None
    problem: str | None


class _Place(NamedTuple):
    """The position of a mark with its label ("": within a sentence), and the problem if it is no verdict there."""

    start: Literal["line", "sentence", ""]
    problem: str | None


class _Text(Generic[V]):
    """A judge's text as lines without blank ones, with the marks in them, and which of them are quoted."""

    def __init__(self, text: str, kind: Kind[V]) -> None:
        self.kind = kind
        text = text.translate(_WIDE).replace("\\[\\[", "[[").replace("\\]\\]", "]]")
        text = _ELEMENT.sub(r"\2", _BOXED.sub(r"\1", text))
        if "[[" not in text:
            text = _BOX_ALONE.sub(self._in_brackets, text)
        single_spaced = (" ".join(_STOP_TOKEN.sub("", line).split()) for line in text.splitlines())
        self.lines = [line for line in single_spaced if line]
        self.quoted = _quoted(self.lines)
        self.marks = [mark for number, line in enumerate(self.lines) for mark in _marks(number, line, kind)]

    def _in_brackets(self, box: re.Match[str]) -> str:
        """A box without double brackets as a mark, where the judge has labelled it as its verdict."""
        before = box.string[max(0, box.start() - _LABEL_LENGTH) : box.start()].rpartition("\n")[2]
        return f"[[{box[1]}]]" if self.kind.label.search(before.rstrip(_OPENERS)) else box[0]

    def concludes(self, mark: _Mark[V]) -> bool:
        """Whether nothing after the mark could change it."""
        if mark.line + 6 < len(self.lines):
            return False
        following = [line for line in self.lines[mark.line + 1 :] if _tells(line) and not _FENCE.fullmatch(line)]
        courteous = not following or (len(following) == 1 and _COURTESY.fullmatch(following[0]) is not None)
        return courteous and self._says_no_more(mark)

    def opening(self) -> _Mark[V] | None:
        """The mark that is all of the first line, where no part of the prompt follows."""
        mark = self.marks[0]
        if mark.line or not self._says_no_more(mark) or self.place(mark) != _Place("line", None):
            return None
        return None if any(_DELIMITER.match(line) for line in self.lines) else mark

    def claims(self, mark: _Mark[V]) -> bool:
        """Whether an earlier mark reads as a verdict too."""
        rest = self._after(mark).lstrip(" *_~`\"'”’»)")
        if rest and rest[0] not in ".!,;|":
            return False
        where = self.place(mark)
        return bool(where.start) and where.problem is None

    def below(self, mark: _Mark[V], verdict: _Mark[V]) -> bool:
        """Whether a mark is in a later line than the verdict, and not quoted."""
        return mark.line > verdict.line and self.place(mark).problem != "quoted"

    def below_verdict(self, verdict: _Mark[V]) -> Iterator[str]:
        """The judge's own lines after the verdict."""
        last = len(self.lines) - 1
        for number in range(verdict.line + 1, last + 1):
            line = self.lines[number]
            # of a block of code with more in it than a verdict, the first line is not marked as quoted
            in_block = number < last and self.quoted[number + 1] and _FENCE.fullmatch(self.lines[number - 1])
            if not (self.quoted[number] or in_block or _FENCE.fullmatch(line)):
                yield line

    def alternative(self, mark: _Mark[V], verdict: _Mark[V]) -> bool:
        """Whether the two are side by side and differ: `[[7]] or [[8]]`."""
        if None in (mark.value, verdict.value) or mark.value == verdict.value:
            return False
        between = self.lines[mark.line][mark.end : verdict.start] if mark.line == verdict.line else "no"
        return len(between) < 20 and _ALTERNATIVE.fullmatch(between) is not None

    def place(self, mark: _Mark[V]) -> _Place:
        """The position of the mark."""
        window = self.lines[mark.line][max(0, mark.start - _WINDOW) : mark.start]
        before = window.rstrip(_OPENERS)
        ahead = self._without_label(self._without_label(before))  # twice: "Final verdict: Rating: [[5]]"
        own = window[len(ahead) :]
        straight, curly = mark.quotes[0] - own.count('"'), mark.quotes[1] - own.count("“")
        if self.quoted[mark.line] or straight % 2 == 1 or curly > 0:  # a quotation is open that began before the label
            return _Place("", "quoted")
        if _BULLET.fullmatch(ahead) and mark.start <= _WINDOW:
            return _Place("line", "quoted" if self._introduces_another(mark.line) else None)
        if ahead.rstrip(_AFTER_A_SENTENCE).endswith(_SENTENCE_ENDS) and not ahead.endswith(("e.g.", "i.e.")):
            return _Place("sentence", None)
        if ahead != before and ahead.rstrip(",; ").endswith("]]"):  # "Accuracy: [[6]], Overall: [[7]]"
            return _Place("sentence", None)
        return _Place("", self._unannounced(before, ahead))

    def _after(self, mark: _Mark[V]) -> str:
        """The start of the rest of the mark's line."""
        line, end = self.lines[mark.line], mark.end + _WINDOW
        return line[mark.end : end] + ("and more" if len(line) > end else "")

    def _says_no_more(self, mark: _Mark[V]) -> bool:
        rest = self._after(mark)
        return not _tells(rest) or self.kind.restates(rest[:80].strip(_CLOSERS).lower(), mark.value)

    def _without_label(self, before: str) -> str:
        match = self.kind.label.search(before[-_LABEL_LENGTH:])
        return before[: len(before) - len(match[0])].rstrip(_OPENERS) if match else before

    def _unannounced(self, before: str, ahead: str) -> str | None:
        """The problem of a mark within a sentence, unless the words before announce it as the verdict."""
        sentence, clause = _last_clause(before)
        if _DENIED.search(clause) or _HYPOTHETICAL.search(sentence):
            return "quoted"
        if _BARE_LABEL.match(before[len(ahead) :]):  # 'rated as follows: "Rating: [[3]]"': what is before it announces
            clause = _last_clause(ahead)[1]
        return None if self.kind.announced.search(clause) else "in a sentence"

    def _introduces_another(self, number: int) -> bool:
        """Whether the line above ends in a colon and announces a quotation."""
        above = [line for line in self.lines[max(0, number - 2) : number] if not _FENCE.fullmatch(line)]
        lead = above[-1][-_WINDOW:].rstrip("*_ ") if above else ""
        if not lead.endswith(":") or self.kind.label.search(lead[-_LABEL_LENGTH:]):
            return False
        clause = _last_clause(lead)[1]
        if _DENIED.search(clause):
            return True
        short = len(clause.split()) <= 3 and not _SPEAKER.search(lead)  # "In short:"
        return not short and not self.kind.announced.search(clause)


def _marks(number: int, line: str, kind: Kind[V]) -> Iterator[_Mark[V]]:
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


def _last_clause(before: str) -> tuple[str, str]:
    """(the last sentence, its last clause)."""
    sentence = _SENTENCE.split(before.rstrip(" ,;—-–"))[-1]
    return sentence, _CLAUSE.split(sentence)[-1].strip()


def _tells(rest: str) -> bool:
    """Whether there are words in it, or signs that matter."""
    return any(sign.isalnum() or sign in _MEANINGFUL for sign in rest)


def _contradiction(mark: _Mark[V], verdict: _Mark[V]) -> str:
    values = (mark.value, verdict.value)
    return f"contradictory: {', '.join(shown(value) for value in values if value is not None)}"
