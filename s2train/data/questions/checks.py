"""Whether a question that a model wrote can stand alone with its text as the answer: named checks, in order.

Each is a pure function of one draft and the thresholds; only `DUPLICATE` needs the whole set (`writing.sift`).
English only, as the project's texts are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from s2eval.errors import PrerequisiteError
from s2eval.metrics import readability
from s2train.data.build.split import normalised

DUPLICATE = "same question as another's"

_COMMON = """
    a about after all also an and any are as at be because been before being between both but by can could did do does
    during each for from had has have he her him his how i if in into is it its many may more most much my no not of on
    one or other our out over she should so some such than that the their them then there these they this those through
    to under up was we were what when where which while who whom whose why will with would you your
"""
_SHARED = "a are as at can do for has he her him i in is me my no not on or so to was we"
_FUNCTION_WORDS = frozenset(_COMMON.split())
_IN_OTHER_LANGUAGES = frozenset(_SHARED.split())
_ENGLISH_ENOUGH = 0.2  # a probability at which no words are looked at

_ASKS = r"(?:what|which|who|whom|whose|where|when|why|how)"
_SECOND_QUESTION = re.compile(
    rf"[,;]?\s(?:and|or|but)\s+(?:in\s+|for\s+|to\s+)?{_ASKS}\s+"
    r"(?:(?:many|much|long|old|far|big|year|country)\s+\w*\s*)?"
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would)\b",
    re.IGNORECASE,
)
_POINTS = re.compile(
    r"\b(?:the|this|that|these|those)\s+(?:(?:above|entire|following|given|provided|short|whole)\s+)?"
    r"(?P<noun>texts?|passages?|articles?|paragraphs?|excerpts?|extracts?|snippets?)\b"
    r"(?!\s+(?:of|messag\w+|editors?|files?|books?)\b)",
    re.IGNORECASE,
)
_ABOVE = re.compile(
    r"\b(?:mentioned|described|listed|discussed|stated|given|shown|provided|written|referred\s+to)\s"
    r"+(?:above|below|here)\b"
    r"|\b(?:the|from|in)\s+above\b|\babove-mentioned\b|\baforementioned\b"
    r"|\baccording\s+to\s+(?:the\s+)?(?:above|following|authors?|information|description|lead)\b"
    r"|\bthe\s+author\s+(?:says?|thinks?|mentions?|describes?|explains?|writes?|means?)\b"
    r"|\b(?:information|description|context|sentence|summary)\s+(?:above|below|provided|given)\b",
    re.IGNORECASE,
)
_THIS = re.compile(r"\b(?:this|these|those)\b", re.IGNORECASE)
_PERSON = re.compile(r"\b(?:he|she|him|his|her|hers|they|them|their)\b", re.IGNORECASE)
_WHAT_IS_IT = re.compile(
    r"^(?:what|where|when|who|which)\s+(?:is|was|are|were|does|did|has|can)\s+it\b(?!\s+called\s+(?:when|if))",
    re.IGNORECASE,
)
_BROKEN = re.compile("[\ud800-\udfff\ufffd]")
_QUALIFIER = re.compile(r"\s*\([^()]*\)\s*$")


class Thresholds(BaseModel):
    """What the checks allow.

    Attributes:
        max_grade: Flesch-Kincaid grade, the subject's name not counted (nobody chooses it).
        max_leaked_share: of the answer's different content words, those in its subject's name not counted.
        max_copied_words: in a row, from the answer; the subject's name ends a row.
        min_english: probability (py3langid) below which no question is English, whatever its words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_words: int = Field(default=3, ge=1)
    max_words: int = Field(default=40, ge=1)
    max_grade: float = 12.0
    max_leaked_share: float = Field(default=0.5, ge=0, le=1)
    max_copied_words: int = Field(default=6, ge=0)
    min_english: float = Field(default=0.01, ge=0, le=1)


@dataclass(frozen=True)
class Draft:
    """A question (as `question_in` gives it) that may be accepted, its answer, and what that is about ("": unknown)."""

    question: str
    answer: str
    title: str = ""

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The question before, between and after the subject's name: the title, with and without what stands in
        brackets at its end, in any case and spacing."""
        names = dict.fromkeys(name for name in (self.title, _QUALIFIER.sub("", self.title)) if normalised(name))
        if not normalised(self.title):
            return (self.question,)
        spaced = "|".join(r"\s+".join(map(re.escape, name.split())) for name in names)
        return tuple(re.split(rf"(?<!\w)(?:{spaced})(?!\w)", self.question, flags=re.IGNORECASE))

    @cached_property
    def title_words(self) -> frozenset[str]:
        return frozenset(_words(self.title))


def _words(text: str) -> list[str]:
    return normalised(text.replace("'", "").replace("’", "")).split()


def leaked_share(draft: Draft) -> float:
    """How many of the answer's different content words the question has; 0 where the answer has none.

    >>> leaked_share(Draft("Is Ayr a town in Scotland?", "Ayr is a small town in Scotland.", "Ayr"))
    0.6666666666666666
    """
    content = set(_words(draft.answer)) - _FUNCTION_WORDS - draft.title_words
    return len(content & set(_words(draft.question))) / len(content) if content else 0.0


def copied_words(draft: Draft) -> int:
    """The most words in a row that question and answer share; the subject's name breaks a row.

    >>> copied_words(Draft("Which small town in Scotland is it?", "Ayr is a small town in Scotland.", "Ayr"))
    4
    """
    answer = _words(draft.answer)
    longest = 0
    for part in draft.parts:
        ending = [0] * (len(answer) + 1)  # of the shared run that ends at each word of the answer
        for word in _words(part):
            ending = [0, *(before + 1 if word == other else 0 for before, other in zip(ending, answer, strict=False))]
            longest = max(longest, *ending)
    return longest


# --- the checks ---


def _stands_for_itself(draft: Draft, _: Thresholds) -> bool:
    in_title = {word.rstrip("s") for word in draft.title_words}
    if any(match["noun"].lower().rstrip("s") not in in_title for match in _POINTS.finditer(draft.question)):
        return False
    rest = " ".join(draft.parts)
    if _ABOVE.search(rest) or _THIS.search(rest) or _WHAT_IS_IT.search(rest):
        return False
    # `When was he born?`: a pronoun with nothing before it that it could stand for; after the subject's name it does
    pronoun = _PERSON.search(draft.parts[0])
    return pronoun is None or not _FUNCTION_WORDS.issuperset(_words(draft.parts[0][: pronoun.start()]))


def _about_the_text(draft: Draft, _: Thresholds) -> bool:
    """A small model may ask what the prompt's example asks."""
    known = draft.title_words.union(_words(draft.answer))
    return not known.isdisjoint(set(_words(draft.question)) - _FUNCTION_WORDS) or len(draft.parts) > 1


def _one_question(draft: Draft, _: Thresholds) -> bool:
    rest = " ".join(draft.parts)  # a title may have a question mark
    marks = len(re.findall(r"\?+", rest)) if "?" in rest else 1
    return "\n" not in draft.question and marks == 1 and not _SECOND_QUESTION.search(rest)


def _english(draft: Draft, thresholds: Thresholds) -> bool:
    """By py3langid, which is unsure of short texts with a foreign name; these need two English function words."""
    probability = english_probability(draft.question)
    if probability >= _ENGLISH_ENOUGH:
        return True
    words = _FUNCTION_WORDS.intersection(_words(" ".join(draft.parts)))
    return probability >= thresholds.min_english and len(words) >= 2 and not words <= _IN_OTHER_LANGUAGES


def english_probability(text: str) -> float:
    """Between 0 and 1, by py3langid over all of its languages."""
    return float(dict(_identifier().rank(text)).get("en", 0.0))


@cache
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise PrerequisiteError(
            f"the checks of questions need a package that is not installed ({error}): pip install py3langid"
        ) from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def grade(draft: Draft) -> float:
    """Flesch-Kincaid grade of the question with `this` in place of the subject's name."""
    return readability("this".join(draft.parts)).fkg


@dataclass(frozen=True, slots=True)
class Check:
    """A reason to refuse a draft, and whether it passes."""

    reason: str
    passes: Callable[[Draft, Thresholds], bool]


CHECKS: tuple[Check, ...] = (
    Check("empty", lambda draft, _: bool(normalised(draft.question))),
    Check("broken characters", lambda draft, _: not _BROKEN.search(draft.question)),
    Check("no question mark at its end", lambda draft, _: draft.question.endswith("?")),
    Check("more than one question", _one_question),
    Check("too short or too long", lambda draft, t: t.min_words <= len(draft.question.split()) <= t.max_words),
    Check("not in English", _english),
    Check("points at the text", _stands_for_itself),
    Check(
        "gives the answer away",
        lambda draft, t: leaked_share(draft) <= t.max_leaked_share and copied_words(draft) <= t.max_copied_words,
    ),
    Check("hard to read", lambda draft, t: grade(draft) <= t.max_grade),
    Check("asks about something else", _about_the_text),
)
REASONS = (*(check.reason for check in CHECKS), DUPLICATE)


def refusal(draft: Draft, thresholds: Thresholds) -> str | None:
    """The reason of the first check that the draft does not pass; None if it passes all."""
    return next((check.reason for check in CHECKS if not check.passes(draft, thresholds)), None)


# --- replies ---

_LABEL = re.compile(r"^(?:[#>*\-]+\s+|\d+[.)]\s+)*(?:[*_]*(?:question|q)\s*\d*\s*[*_]*[:.)][*_]*\s*)?", re.IGNORECASE)
_PAIRS = ('""', "''", "“”", "‘’", "**", "__", "``", "«»")


def question_in(reply: str) -> str:
    """The reply without the label, list mark, quotation marks or bold that models put around a question.

    A reply that also has an answer is left as it is, for the checks to refuse.

    >>> question_in('**Question:** "What is rain?"')
    'What is rain?'
    """
    text = "\n".join(" ".join(line.split()) for line in reply.strip().splitlines())
    before = ""
    while text != before:
        before, text = text, _LABEL.sub("", text, count=1)
        if len(text) > 2 and text[0] + text[-1] in _PAIRS:
            text = text[1:-1].strip()
    return text
