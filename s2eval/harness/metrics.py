"""The metrics that anybody's task YAML may name: `- metric: s2_rouge1`, … with `output_type: generate_until`.

Each is registered with a default aggregation, and each has a standard error. Importing this module registers
them, after lm-eval's own: the first registration of a metric would otherwise hide all of lm-eval's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import lm_eval.api.metrics  # noqa: F401  (lm-eval's own first)
from lm_eval.api.registry import register_aggregation, register_metric

from s2eval.harness import aggregations
from s2eval.harness.aggregations import BertPair
from s2eval.metrics import Rouge, readability, rouge

mean_bertscore_f1 = aggregations.mean_bertscore_f1
register_aggregation("s2_bertscore")(mean_bertscore_f1)

# lm-eval asks four times for the same pair where a YAML names all four.
_rouge = lru_cache(maxsize=8)(rouge)


def _pair_rouge(references: list[str], predictions: list[str]) -> Rouge:
    return _rouge(predictions[0].strip(), references[0])


@register_metric(metric="s2_rouge1", higher_is_better=True, aggregation="mean")
def s2_rouge1(references: list[str], predictions: list[str], **_: Any) -> float:
    """ROUGE-1 F of one answer, 0..1."""
    return _pair_rouge(references, predictions).rouge1


@register_metric(metric="s2_rouge2", higher_is_better=True, aggregation="mean")
def s2_rouge2(references: list[str], predictions: list[str], **_: Any) -> float:
    """ROUGE-2 F of one answer, 0..1."""
    return _pair_rouge(references, predictions).rouge2


@register_metric(metric="s2_rougeL", higher_is_better=True, aggregation="mean")
def s2_rougeL(references: list[str], predictions: list[str], **_: Any) -> float:
    """ROUGE-L F of one answer, 0..1."""
    return _pair_rouge(references, predictions).rougeL


@register_metric(metric="s2_rougeLsum", higher_is_better=True, aggregation="mean")
def s2_rougeLsum(references: list[str], predictions: list[str], **_: Any) -> float:
    """ROUGE-Lsum F of one answer, 0..1, over the text's own lines."""
    return _pair_rouge(references, predictions).rougeLsum


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
    return BertPair(predictions[0].strip(), references[0], encoder, num_layers)


@register_metric(metric="s2_fre", higher_is_better=True, aggregation="mean")
def s2_fre(references: list[str], predictions: list[str], **_: Any) -> float:
    """Flesch reading ease of one answer, rounded to 2 decimals; higher is easier."""
    return round(readability(predictions[0].strip()).fre, 2)


@register_metric(metric="s2_fkg", higher_is_better=False, aggregation="mean")
def s2_fkg(references: list[str], predictions: list[str], **_: Any) -> float:
    """Flesch-Kincaid grade of one answer, rounded to 1 decimal; lower is easier."""
    return round(readability(predictions[0].strip()).fkg, 1)
