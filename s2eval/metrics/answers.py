"""ROUGE, readability and size of answers in our tasks. BERTScore needs an encoder and is computed later."""

from __future__ import annotations

from collections.abc import Sequence

from s2eval.metrics.counts import Counts
from s2eval.metrics.metric import MetricFamily
from s2eval.metrics.readability import READABILITY, readability
from s2eval.metrics.rouge import ROUGE
from s2eval.metrics.scripts import flesch_applies
from s2eval.metrics.size import MEASURED, SIZE

FAMILIES = (ROUGE, READABILITY, SIZE)
WHOLE_TEXT = tuple(metric.name for metric in READABILITY.metrics if metric.pooled)
PER_ANSWER = tuple(metric.name for metric in READABILITY.metrics if not metric.pooled)
OF_DOCUMENTS = (*ROUGE.names, *PER_ANSWER)
"""The metrics of single answers in Latin letters; others have none of them."""
LATIN_ONLY = frozenset({*OF_DOCUMENTS, *WHOLE_TEXT})


def score(answer: str, reference: str) -> dict[str, float]:
    """Metric → value of one answer; an empty one scores 0 in each by rule, and s2_empty 1.

    ROUGE and readability are left out for texts that are mostly not in Latin letters.
    """
    return score_all([answer], [reference])[0]


def score_all(
    answers: Sequence[str], references: Sequence[str], families: Sequence[MetricFamily] = FAMILIES
) -> list[dict[str, float]]:
    """`score` of many answers by some families; ROUGE of a large set in several processes."""
    stripped = [answer.strip() for answer in answers]
    values: list[dict[str, float]] = [{} for _ in stripped]
    for family in families:
        if family.score is None:
            raise ValueError(f"{family.name} is not measured on texts alone")
        for row, scores in zip(values, family.score(stripped, references), strict=True):
            row.update(scores)
    return values


def is_ours(names: Sequence[str] | dict[str, float]) -> bool:
    """Whether metrics are those of our tasks of questions and answers."""
    return set(MEASURED) <= set(names)


def counts(answer: str) -> Counts | None:
    """Words, sentences and syllables of one answer; None where `flesch_applies` does not."""
    answer = answer.strip()
    return readability(answer).counts if flesch_applies(answer) else None
