"""The metrics that anybody's task YAML may name: `- metric: s2_rouge1`, … with `output_type: generate_until`.

Each is registered with a default aggregation, and each has a standard error. Importing this module registers
them, after lm-eval's own: the first registration of a metric would otherwise hide all of lm-eval's.
"""

from __future__ import annotations

import logging
from functools import cache, lru_cache
from typing import Any

import lm_eval.api.metrics  # noqa: F401  (lm-eval's own first)
from lm_eval.api.registry import register_aggregation, register_metric

from s2eval.metrics import flesch_applies, readability, rouge, rouge_applies
from s2eval.reasoning import answer_of
from s2eval.tasks import aggregations
from s2eval.tasks.aggregations import BertPair

log = logging.getLogger("s2eval")

mean_bertscore_f1 = aggregations.mean_bertscore_f1
register_aggregation("s2_bertscore")(mean_bertscore_f1)

# lm-eval asks four times for the same pair where a YAML names all four.
_rouge = lru_cache(maxsize=8)(rouge)


class NotScored(dict[str, float]):
    """Given to lm-eval in place of a number: of this document the metric has none.

    lm-eval adds what a dictionary holds, so nothing. Of several targets it takes the metric's own entry: 0, no match.
    """

    def __missing__(self, metric: str) -> float:
        return 0.0


@cache
def _not_scored(family: str) -> NotScored:
    log.warning("%s: some texts are mostly not in Latin letters; they are not scored, and in no mean", family)
    return NotScored()


def _of_pair(name: str, references: list[str], predictions: list[str]) -> float | NotScored:
    prediction, reference = answer_of(predictions[0].strip()), references[0]
    if not rouge_applies(prediction, reference):
        return _not_scored("ROUGE")
    return getattr(_rouge(prediction, reference), name)


def _of_answer(name: str, digits: int, predictions: list[str]) -> float | NotScored:
    answer = answer_of(predictions[0].strip())
    return round(getattr(readability(answer), name), digits) if flesch_applies(answer) else _not_scored("Flesch")


@register_metric(metric="s2_rouge1", higher_is_better=True, aggregation="mean")
def s2_rouge1(references: list[str], predictions: list[str], **_: Any) -> float | NotScored:
    """ROUGE-1 F of one answer, 0..1."""
    return _of_pair("rouge1", references, predictions)


@register_metric(metric="s2_rouge2", higher_is_better=True, aggregation="mean")
def s2_rouge2(references: list[str], predictions: list[str], **_: Any) -> float | NotScored:
    """ROUGE-2 F of one answer, 0..1."""
    return _of_pair("rouge2", references, predictions)


@register_metric(metric="s2_rougeL", higher_is_better=True, aggregation="mean")
def s2_rougeL(references: list[str], predictions: list[str], **_: Any) -> float | NotScored:
    """ROUGE-L F of one answer, 0..1."""
    return _of_pair("rougeL", references, predictions)


@register_metric(metric="s2_rougeLsum", higher_is_better=True, aggregation="mean")
def s2_rougeLsum(references: list[str], predictions: list[str], **_: Any) -> float | NotScored:
    """ROUGE-Lsum F of one answer, 0..1, over the text's own lines."""
    return _of_pair("rougeLsum", references, predictions)


@register_metric(metric="s2_bertscore", higher_is_better=True, aggregation="s2_bertscore")
def s2_bertscore(
    references: list[str],
    predictions: list[str],
    encoder: str = "roberta-large",
    num_layers: int | None = None,
    **_: Any,
) -> BertPair:
    """BERTScore F1, 0..1. Only collects the pair; the encoder runs once over all pairs of the task.

    `encoder` and `num_layers` may stand beside the metric's name in the YAML.
    """
    return BertPair(answer_of(predictions[0].strip()), references[0], encoder, num_layers)


@register_metric(metric="s2_fre", higher_is_better=True, aggregation="mean")
def s2_fre(references: list[str], predictions: list[str], **_: Any) -> float | NotScored:
    """Flesch reading ease of one answer, rounded to 2 decimals; higher is easier."""
    return _of_answer("fre", 2, predictions)


@register_metric(metric="s2_fkg", higher_is_better=False, aggregation="mean")
def s2_fkg(references: list[str], predictions: list[str], **_: Any) -> float | NotScored:
    """Flesch-Kincaid grade of one answer, rounded to 1 decimal; lower is easier."""
    return _of_answer("fkg", 1, predictions)
