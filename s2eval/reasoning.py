"""The reasoning of a model, split from its answer. Only the answer is shown to others, and scored.

A model may write its reasoning before its answer, in a form of its family: `<think>…</think>`, `[THINK]…[/THINK]`, the
channels of gpt-oss. Where the chat template has opened the reasoning, only its end is in the text. Tags later in an
answer are part of it: an answer may be about them.

>>> split("<think>4 and 3</think>The sum is 7.")
Split(answer='The sum is 7.', reasoning='4 and 3', closed=True)
"""

from __future__ import annotations

import re
from bisect import bisect
from typing import NamedTuple


class Split(NamedTuple):
    """A text in its two parts, stripped where there was reasoning.

    Attributes:
        answer: "" where the reasoning never ended.
        reasoning: without its tags; "" where there is none.
        closed: whether the reasoning ended, or there is none; else the text was cut before its answer began.
    """

    answer: str
    reasoning: str = ""
    closed: bool = True


# How reasoning begins and ends, in regular expressions.
_TAGS = (
    (r"<(?:seed:)?think(?:ing)?(?: [^<>\n]{0,60})?>", r"</(?:seed:)?think(?:ing)? ?>"),
    (r"<(?:thoughts?|reasoning|reflection|analysis)>", r"</(?:thoughts?|reasoning|reflection|analysis)>"),
    (r"\[THINK(?:ING)?\]", r"\[/THINK(?:ING)?\]"),
    (r"◁think▷", r"◁/think▷"),
    (r"<\|(?:begin_of_thought|START_THINKING)\|>", r"<\|(?:end_of_thought|END_THINKING)\|>"),
    (r"<unused94>(?:thought\n)?", r"<unused95>"),
)
_ANY_OPEN = "|".join(f"(?:{start})" for start, _ in _TAGS)
_LEAD = (  # what a server may have left before the text
    r"[\s\ufeff\u200b\u2060]*(?:(?:<s>|<bos>|<\|begin_of_text\|>|<｜begin▁of▁sentence｜>)\s*)?"
    r"(?:(?:(?:<\|im_start\|>|<\|start_header_id\|>)?assistant(?:<\|end_header_id\|>)?|<\|assistant\|>|<｜Assistant｜>)\s*"
    r"(?=<|\[|◁))?"
)
_OPENERS = tuple(
    (re.compile(_LEAD + start, re.I), re.compile(start, re.I), re.compile(end, re.I)) for start, end in _TAGS
)
_TEMPLATE_OPENED = re.compile(rf"(?:{_ANY_OPEN})\s*$|<\|channel\|>analysis<\|message\|>\s*$", re.I)
_BARE_ENDS = tuple(re.compile(end, re.I) for _, end in _TAGS[:4])
_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`", re.DOTALL)
_WRAPPER = re.compile(
    r"\s*(?:<\|(?:begin_of_solution|START_RESPONSE)\|>|◁answer▷)(.*?)(?:<\|(?:end_of_solution|END_RESPONSE)\|>\s*)?",
    re.DOTALL,
)

# gpt-oss (https://cookbook.openai.com/articles/openai-harmony): messages in channels, of which `final` is the answer.
_CHANNEL = re.compile(
    r"(?:<\|start\|>\w*)?(?:[^<]{0,60})?<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>"
    r"(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)(?:<\|(?:end|return|call)\|>)?",
    re.DOTALL,
)
_CHANNELS = re.compile(r"[\s\ufeff]*(?:<\|start\|>\s*assistant[^<]{0,60})?<\|channel\|>")
# The same where the special tokens were left out: "analysisThe user asks …assistantfinalThe answer is …".
_PLAIN_CHANNELS = re.compile(
    r"[\s\ufeff]*(?:assistant\s*)?(?:analysis|commentary)(?:\s*(?=\n)|(?=[^\W\d_a-z])|(?=.*assistantfinal))", re.DOTALL
)
_PLAIN_FINAL = re.compile(r"assistant\s{0,2}final(?![a-z])\s*(?:<\|message\|>)?")
_PLAIN_OPEN = re.compile(r"[\s\ufeff]*(?:analysis|commentary)(?=[^\W\d_a-z])")

_BLOCKS = 20  # of reasoning, one right after the other, that are split off
_HINTS = ("think", "thought", "reason", "reflection", "analysis", "channel|>", "commentary", "<unused95>")


def split(text: str, *, end: str | None = None, opened: bool = False) -> Split:
    """The reasoning and the answer of a text.

    `end` ends the reasoning of this model, where the user names it (lm-eval's `think_end_token`). With `opened` the
    prompt had opened the reasoning (`opens_reasoning`), so that the text begins inside of it.
    """
    if end and end in text:
        before, _, after = text.rpartition(end)
        return Split(after.strip(), _without_tags(before))
    if not opened and not may_have_reasoning(text):
        return Split(text)
    parts = _channels(text) or _leading(text) or _bare_end(text, opened=opened)
    if parts is None:
        return Split("", text.strip(), closed=False) if opened and text.strip() else Split(text)
    for _ in range(_BLOCKS):
        again = _leading(parts.answer)
        if again is None:
            break
        parts = Split(again.answer, f"{parts.reasoning}\n\n{again.reasoning}".strip(), again.closed)
    wrapped = _WRAPPER.fullmatch(parts.answer)
    return parts._replace(answer=wrapped[1].strip()) if wrapped else parts


def answer_of(text: str) -> str:
    """The answer alone."""
    return split(text).answer


def opens_reasoning(prompt: str) -> bool:
    """Whether a prompt ends where the model's reasoning begins, as some chat templates have it."""
    return _TEMPLATE_OPENED.search(prompt[-60:]) is not None


def may_have_reasoning(text: str) -> bool:
    """Whether `split` can find anything; False only where it cannot."""
    lowered = text.lower()
    return any(hint in lowered for hint in _HINTS)


def _channels(text: str) -> Split | None:
    if _CHANNELS.match(text):
        messages = [(match[1].lower(), match[2]) for match in _CHANNEL.finditer(text)]
        final = [body for name, body in messages if name == "final"]
        thought = [body for name, body in messages if name != "final"]
        if messages:
            return Split("".join(final).strip(), "\n\n".join(map(str.strip, thought)), closed=bool(final))
        return Split("", _without_tags(text), closed=False)
    opening = _PLAIN_CHANNELS.match(text)
    if opening is None:
        return None
    finals = list(_PLAIN_FINAL.finditer(text))
    if finals:
        return Split(text[finals[-1].end() :].strip(), text[opening.end() : finals[-1].start()].strip())
    return Split("", text[opening.end() :].strip(), closed=False) if _PLAIN_OPEN.match(text) else None


def _leading(text: str) -> Split | None:
    """Reasoning whose opening tag is the first thing in the text."""
    for opener, start, end in _OPENERS:
        if opening := opener.match(text):
            rest = text[opening.end() :]
            span = _end_of(rest, start, end)
            if span is None:
                return Split("", rest.strip(), closed=False)
            return Split(rest[span[1] :].strip(), rest[: span[0]].strip())
    return None


def _end_of(rest: str, start: re.Pattern[str], end: re.Pattern[str]) -> tuple[int, int] | None:
    """Where the reasoning ends: at the tag that closes as many as were opened, those quoted as code left out."""
    ends = [match.span() for match in end.finditer(rest)]
    if not ends:
        return None
    code = _Spans(_CODE, rest)
    real = [span for span in ends if span not in code] or ends[:1]
    starts = [match.start() for match in start.finditer(rest) if match.span() not in code]
    return next((span for number, span in enumerate(real) if bisect(starts, span[0]) <= number), real[-1])


def _bare_end(text: str, *, opened: bool) -> Split | None:
    """Reasoning that the template opened: its end stands alone in the text, and not as a word of a sentence."""
    code = _Spans(_CODE, text)
    for (_, start, _), end in zip(_OPENERS, _BARE_ENDS, strict=False):
        ends = [match.span() for match in end.finditer(text)]
        starts = [match.start() for match in start.finditer(text) if match.span() not in code] if not opened else []
        for first, last in ends:
            if (first, last) in code and not (opened and len(ends) == 1):
                continue
            before, after = text[max(0, first - 200) : first], text[last : last + 200]
            if starts and starts[0] < first:  # an answer about both tags, unless the closing one has a line of its own
                line = text[max(0, starts[0] - 200) : starts[0]].rpartition("\n")[2]
                example = not line.strip(" \t>-*0123456789.")
                alone = not example and re.search(r"(?:^|\n)\s*$", before) and re.match(r"[ \t]*(?:\n|$)", after)
            else:
                alone = opened or _stands_alone(before, after)
            if alone:
                return Split(text[last:].strip(), _without_tags(text[:first]))
    return None


class _Spans:
    """The matches of a pattern in a text."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self._spans = [match.span() for match in pattern.finditer(text)]

    def __contains__(self, span: tuple[int, int]) -> bool:
        """Whether a span lies within one of them."""
        number = bisect(self._spans, (span[0], span[1])) - 1
        return any(start <= span[0] and span[1] <= end for start, end in self._spans[max(number, 0) : number + 2])


def _stands_alone(before: str, after: str) -> bool:
    """Whether a closing tag ends a paragraph rather than being named in one."""
    line = re.sub(r"^\s*\d+\.$", "a list", before.rpartition("\n")[2].rstrip(" \t"))
    ends = not line or line.endswith((".", "!", "?", "。", "！", "？", "…", "```", ")", "]", "*", '"', "”"))
    continues = re.match(r"[ \t]*\S", after) is not None and not re.match(r"\w|[*#>$\\\[{(]", after)
    return (ends and not continues) or (ends and bool(line)) or re.match(r"\s*\n\s*\n|\w", after) is not None


def _without_tags(text: str) -> str:
    return re.sub(rf"^\s*(?:{_ANY_OPEN}|<\|channel\|>\w*(?:<\|message\|>)?)", "", text, flags=re.I).strip()
