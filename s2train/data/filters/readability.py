"""Answers that are hard to read, by the measure that the evaluation reports."""

from __future__ import annotations

from functools import lru_cache

from pydantic import Field

from s2eval.metrics import flesch_applies, readability
from s2train.data.filters.chain import one_by_one
from s2train.data.filters.kind import FilterKind, Section
from s2train.data.records import Pair

NOT_LATIN = "answer not in Latin letters"

measured = lru_cache(1024)(readability)  # two filters measure the same text


class Readability(Section):
    """Of the answer, by `s2eval.metrics.readability`; null = no bound."""

    min_fre: float | None = Field(default=50.0, allow_inf_nan=False)
    max_fkg: float | None = Field(default=10.0, allow_inf_nan=False)


def reason(pair: Pair, limits: Readability) -> str | None:
    """Why the pair is left out; None = its answer is easy enough."""
    if not flesch_applies(pair.answer) and (limits.min_fre is not None or limits.max_fkg is not None):
        return NOT_LATIN
    scores = measured(pair.answer)
    if limits.min_fre is not None and scores.fre < limits.min_fre:
        return f"answer's reading ease under {limits.min_fre:g}"
    if limits.max_fkg is not None and scores.fkg > limits.max_fkg:
        return f"answer's grade over {limits.max_fkg:g}"
    return None


READABILITY = FilterKind("readability", Readability, one_by_one(reason))
