"""The verdict in a judge's text, or the problem: a rating from 1 to 10, or the choice between two answers.

`strict`, the default, reads a verdict only in its proper position (`s2eval.judge.verdicts.anchors`). `fastchat` is
FastChat 0.2.36 to the letter. docs/verdicts.md shows every case where they differ. The time is linear in the text.

>>> text = "The answer says [[10]] but I rate [[2]]"
>>> rating(text).value, rating(text, "fastchat").value
(2.0, 10.0)
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import Literal

from s2eval.files import Json
from s2eval.judge.verdicts.anchors import Kind, anchored
from s2eval.judge.verdicts.phrases import pattern, regex
from s2eval.judge.verdicts.retractions import sentences, taken_back
from s2eval.llm.messages import json_in
from s2eval.reasoning import answer_of

Parser = Literal["strict", "fastchat"]
Winner = Literal["A", "B", "tie"]

LOWEST, HIGHEST = 1, 10

_EARLY = frozenset(  # `finish_reason` of a reply that may lack its end: a limit, a call of a tool
    {"length", "max_tokens", "model_length", "incomplete"} | {"tool_calls", "tool_call", "tool_use", "function_call"}
)


@dataclass(frozen=True, slots=True)
class Rating:
    """A rating, or the problem: a short text, of which the part before the colon is one of a fixed few."""

    value: float | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The better of two answers, A the one shown first; or the problem, as with `Rating`."""

    value: Winner | None
    problem: str | None = None


def spoken(text: str, reasoning: str, finish: str) -> tuple[str, bool]:
    """The text that may hold a verdict, and whether only at its very end, because it did not end by itself.

    Some servers leave `content` empty and put the complete reply where the reasoning belongs; a verdict at the end of
    that, where the model ended by itself, counts.
    """
    early = finish.casefold() in _EARLY
    return (reasoning, True) if not text and not early else (text, early)


def rating(text: str, parser: Parser = "strict", *, cut: bool = False) -> Rating:
    """The rating that a judge's text gives; `cut` where it did not end by itself, which FastChat ignores."""
    return Rating(*anchored(text, _RATINGS, cut=cut)) if parser == "strict" else _fastchat_rating(text)


def choice(text: str, parser: Parser = "strict", *, cut: bool = False) -> Choice:
    """The choice that a judge's text makes; as `rating`."""
    return Choice(*anchored(text, _CHOICES, cut=cut)) if parser == "strict" else _fastchat_choice(text)


def rating_json(text: str) -> Rating:
    """The rating of a structured reply: one JSON object with `rating`, a number from 1 to 10, or its digits as a text.

    A code fence, a line that introduces it, a byte order mark and reasoning before it are allowed. `explanation`, if
    there is one, must be a text, and must not take back a rating before it; other keys are ignored, unless they give
    another rating of the answer (`final_rating`); duplicate keys are a problem.
    """
    try:
        reply = json.loads(json_in(answer_of(text)) or "", object_pairs_hook=_without_repeats)
    except KeyError:
        return Rating(None, "contradictory: a key stands twice")
    except (ValueError, RecursionError):  # also a number of 5,000 digits, brackets 1,000 deep
        return Rating(None, "not JSON")
    if not isinstance(reply, dict) or "rating" not in reply:
        return Rating(None, "no verdict")
    explanation = reply.get("explanation", "")
    if not isinstance(explanation, str):
        return Rating(None, "explanation is not a text")
    value, problem = _rating_value(reply["rating"])
    if value is None:
        return Rating(None, problem)
    for name in reply:
        if name != "rating" and _RATING_KEY.fullmatch(name.replace("_", " ")):
            other, _ = _rating_value(reply[name])
            if other not in (None, value):
                return Rating(None, f"contradictory: {value:g}, {other:g}")
    names = [name for name in reply if name in ("rating", "explanation")]
    if names == ["rating", "explanation"] and (problem := taken_back(sentences([explanation]), value)):
        return Rating(None, problem)
    return Rating(value)


_RATING_KEY = re.compile(
    r"(?:(?:final|overall|total|corrected|revised|updated|new|actual|true) ?)*(?:rating|score|verdict|correction)", re.I
)


def _rating_value(value: Json) -> tuple[float | None, str | None]:
    """A number of JSON, or a text of digits; else None and the problem."""
    if isinstance(value, str):
        read, problem = _read_rating(value.strip().removeprefix("[[").removesuffix("]]"))
        return read, problem and (problem if problem.startswith("out") else f'not a rating: "{_printable(value)}"')
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # NaN
        return None, f"not a rating: {_printable(json.dumps(value))}"
    if not LOWEST <= value <= HIGHEST:
        return None, f"out of range: {_printable(str(value))}"
    return float(value), None


def _without_repeats(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise KeyError
    return dict(pairs)


def _printable(text: str) -> str:
    """At most 20 characters, none that could do something to a terminal or a table."""
    return "".join(sign if sign.isprintable() and sign not in "|`" else "?" for sign in text.strip()[:20])


# --- the text in the brackets, for strict --------------------------------------------------------------------------

_OUT_OF_TEN = regex("{out_of_ten}")
_NUMBER = re.compile(
    rf"(?:rating|score)? ?[:=]? ?([-−]?(?:0?\d|[1-9]\d{{1,14}})(?:\.\d{{0,6}})?) ?{_OUT_OF_TEN}?", re.I | re.A
)
_LETTER = re.compile(r"(?:(?:assistant|answer|response) )?([abc])|tie", re.I)
_SAME_NUMBER = re.compile(rf"[(=]? ?(\d{{1,2}}(?:\.\d)?) ?{_OUT_OF_TEN}", re.A)
_ENDINGS = r"(?:です|である|だ|とします|分|点|點|점|입니다|points?|punkte|puntos|баллов)"  # "[[8]]分", "[[B]]です"


def _read_rating(content: str) -> tuple[float | None, str | None]:
    match = _NUMBER.fullmatch(content.strip(" *_"))
    if match is None:
        return None, f"not a rating: {_printable(content)}"
    value = float(match[1].replace("−", "-"))
    return (value, None) if LOWEST <= value <= HIGHEST else (None, f"out of range: {match[1]}")


def _read_choice(content: str) -> tuple[Winner | None, str | None]:
    match = _LETTER.fullmatch(content.strip(" *_"))
    if match is None:
        return None, f"not a choice: {_printable(content)}"
    winners: dict[str | None, Winner] = {"a": "A", "b": "B", "c": "tie", None: "tie"}
    return winners[match[1] and match[1].lower()], None


def _restates_rating(words: str, value: float | None) -> bool:
    match = _SAME_NUMBER.fullmatch(words)
    return re.fullmatch(rf"{_OUT_OF_TEN}|{_ENDINGS}", words) is not None or (
        match is not None and float(match[1]) == value
    )


def _restates_choice(words: str, value: Winner | None) -> bool:
    words = words.strip("(-–—:, ")
    if re.fullmatch(_ENDINGS, words):
        return True
    if value == "tie":
        return re.fullmatch(r"(?:(?:for |it is |it's )?a )?tie", words) is not None
    subject = rf"(?:(?:the )?(?:assistant|answer|response) )?{str(value).lower()}(?:'s (?:answer|response))?"
    better = (
        r"(?:is )?(?:(?:slightly|much) )?(?:the )?(?:better|best|winner)(?: one| answer| response| assistant)?|wins"
    )
    return re.fullmatch(rf"(?:{subject} )?(?:{better})|{subject}", words) is not None


_RATINGS = Kind(_read_rating, pattern("rating_label"), pattern("rating_announced"), _restates_rating)
_CHOICES = Kind(_read_choice, pattern("choice_label"), pattern("choice_announced"), _restates_choice)


# --- FastChat 0.2.36, llm_judge/common.py ---------------------------------------------------------------------------

# Its patterns are \[\[(\d+\.?\d*)\]\] and \[(\d+\.?\d*)\]: the same texts, but theirs take quadratic time.
_FASTCHAT = re.compile(r"\[\[(\d++(?:\.\d*+)?)\]\]"), re.compile(r"\[(\d++(?:\.\d*+)?)\]")


def _fastchat_rating(text: str) -> Rating:
    match = _FASTCHAT[0].search(text) or _FASTCHAT[1].search(text)
    if match is None:
        return Rating(None, "no verdict")  # FastChat stores -1
    try:
        return Rating(float(ast.literal_eval(match[1])))
    except (ValueError, SyntaxError, OverflowError, MemoryError):  # [[08]], or thousands of digits
        return Rating(None, "FastChat crashes here")


def _fastchat_choice(text: str) -> Choice:
    winners: dict[str, Winner] = {"[[A]]": "A", "[[B]]": "B", "[[C]]": "tie"}
    return next((Choice(winner) for mark, winner in winners.items() if mark in text), Choice(None, "no verdict"))
