"""Answers and questions that are too short to say something, or too long to be simple."""

from __future__ import annotations

from s2eval.metrics import count
from s2train.data.filters.config import Length
from s2train.data.filters.readability import measured
from s2train.data.records import Pair


def reason(pair: Pair, limits: Length) -> str | None:
    """Why the pair is left out; None = its lengths are within the limits."""
    answer = measured(pair.answer).counts.words
    if answer < limits.min_answer_words:
        return f"answer under {limits.min_answer_words} words"
    if answer > limits.max_answer_words:
        return f"answer over {limits.max_answer_words} words"
    question = count(pair.question).words
    if question < limits.min_question_words:
        return f"question under {limits.min_question_words} words"
    if question > limits.max_question_words:
        return f"question over {limits.max_question_words} words"
    return None
