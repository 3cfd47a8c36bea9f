"""Answers that may have been written for the judge, not for the reader: flagged, never dropped or rescored."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from s2eval.judge.suite.questions import Answer

SAME = 3  # questions with an identical answer, from which on it counts as a constant

_SIGNS: dict[str, re.Pattern[str]] = {
    "a verdict": re.compile(r"\[\s?\[[^\[\]\n]{1,40}\]\s?\]|\b(?:rating|verdict|score)\s*:\s*\[", re.I),
    "a delimiter": re.compile(r"\[The (?:Start|End) of |<\|The (?:Start|End) of |\[Instruction\]", re.I),
    "speaks to the judge": re.compile(
        r"\b(?:ignore|forget|disregard|override)\b[^.\n]{0,40}\b(?:instructions?|prompts?|rules)\b"
        r"|\b(?:top|highest|full|maximum|perfect|best possible) (?:marks?|score|rating)\b"
        r"|\b(?:dear|hello|note to(?: the)?|attention,?) judge\b|\bjudge\s*:"
        r"|\brate (?:this|my|the) (?:answer|response)\b",
        re.I,
    ),
}


def flags(text: str) -> list[str]:
    """The signs in one text: `a verdict`, `a delimiter`, `speaks to the judge`, `control characters`."""
    signs = [name for name, sign in _SIGNS.items() if sign.search(text)]
    if any(unicodedata.category(char) in ("Cc", "Cf") and char not in "\n\r\t\u200d" for char in text):
        signs.append("control characters")
    return signs


def suspects(answers: Sequence[Answer]) -> dict[tuple[object, int], list[str]]:
    """(question, choice) → the signs in its turns, of answers with any.

    `the same as others`: its first turn is that of `SAME` questions or more.
    """
    texts = Counter(answer.turns[0] for answer in answers if answer.choice == 0)
    flagged: dict[tuple[object, int], list[str]] = {}
    for answer in answers:
        signs = list(dict.fromkeys(sign for turn in answer.turns for sign in flags(turn)))
        if texts[answer.turns[0]] >= SAME:
            signs.append("the same as others")
        if signs:
            flagged[answer.question_id, answer.choice] = signs
    return flagged
