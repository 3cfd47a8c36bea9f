"""Offensive questions and answers, by the measure that the evaluation reports."""

from __future__ import annotations

from collections.abc import Sequence

from s2eval.metrics.safety import toxicity
from s2train.data.filters.config import Toxicity
from s2train.data.records import Pair


def reasons(pairs: Sequence[Pair], limits: Toxicity) -> list[str | None]:
    """Of each pair why it is left out; None = neither its answer nor its question is offensive.

    What is said of a pair depends on it alone; many are asked about at once because classifiers want that.
    """
    found = toxicity([text for pair in pairs for text in (pair.answer, pair.question)], limits.classifier)
    bound = limits.max_probability
    return [
        "offensive answer" if answer > bound else "offensive question" if question > bound else None
        for answer, question in zip(found[::2], found[1::2], strict=True)
    ]
