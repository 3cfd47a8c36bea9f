"""Answers and questions that are too short to say something, or too long to be simple."""

from __future__ import annotations

from pydantic import model_validator

from s2eval.metrics import count
from s2train.data.filters.chain import one_by_one
from s2train.data.filters.kind import Count, FilterKind, Section
from s2train.data.filters.readability import measured
from s2train.data.records import Pair


class Length(Section):
    """Words, as `s2eval.metrics.count` counts them; both bounds belong to what is kept."""

    min_answer_words: Count = 10
    max_answer_words: Count = 400
    min_question_words: Count = 3
    max_question_words: Count = 120

    @model_validator(mode="after")
    def _in_order(self) -> Length:
        for text in ("answer", "question"):
            least, most = (getattr(self, f"{bound}_{text}_words") for bound in ("min", "max"))
            if least > most:
                raise ValueError(f"min_{text}_words {least} is above max_{text}_words {most}")
        return self


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


LENGTH = FilterKind("length", Length, one_by_one(reason))
