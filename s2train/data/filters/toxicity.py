"""Offensive questions and answers, by the measure that the evaluation reports."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import field_validator

from s2eval.errors import nearest
from s2eval.metrics.safety import CLASSIFIERS, toxicity
from s2train.data.filters.kind import FilterKind, Section, Share
from s2train.data.records import Pair


class Toxicity(Section):
    """Of question and answer, by `s2eval.metrics.safety.toxicity`; `max_probability` itself is still kept."""

    classifier: str = "profanity"
    max_probability: Share = 0.8

    @field_validator("classifier")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in CLASSIFIERS:
            close = nearest(name, CLASSIFIERS)
            hint = f"did you mean {close!r}?" if close else f"known: {', '.join(CLASSIFIERS)}"
            raise ValueError(f"unknown classifier {name!r}; {hint}")
        return name


def reasons(pairs: Sequence[Pair], limits: Toxicity) -> list[str | None]:
    """Of each pair why it is left out; None = neither its answer nor its question is offensive."""
    probabilities = toxicity([text for pair in pairs for text in (pair.answer, pair.question)], limits.classifier)
    bound = limits.max_probability
    return [
        "offensive answer" if answer > bound else "offensive question" if question > bound else None
        for answer, question in zip(probabilities[::2], probabilities[1::2], strict=True)
    ]


TOXICITY = FilterKind("toxicity", Toxicity, reasons)
