"""The metrics that any task's YAML may name: `- metric: s2_rouge1`, … with `output_type: generate_until`.

Importing this module registers all metrics of single answers (`s2eval.metrics.table`), and BERTScore's F1 as
`s2_bertscore`, after lm-eval's own: the first registration of a metric would otherwise hide all of lm-eval's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, lru_cache

import lm_eval.api.metrics  # noqa: F401  (lm-eval's own first)
from lm_eval.api.registry import register_aggregation, register_metric

from s2eval.metrics.metric import Metric, MetricFamily
from s2eval.metrics.table import METRICS, of_answers
from s2eval.reasoning import answer_of
from s2eval.tasks import aggregations
from s2eval.tasks.aggregations import BertPair

log = logging.getLogger("s2eval")

mean_bertscore_f1 = aggregations.mean_bertscore_f1
register_aggregation("s2_bertscore")(mean_bertscore_f1)


class NotScored(dict[str, float]):
    """Given to lm-eval for a document without a value: it adds a dictionary's entries, so nothing; of several targets
    it takes the metric's own entry, 0, no match.
    """

    def __missing__(self, metric: str) -> float:
        return 0.0


@cache
def _not_scored(family: MetricFamily) -> NotScored:
    why = "are mostly not in Latin letters" if family.latin_only else "have no value"
    log.warning("%s: some texts %s; they are not scored, and in no mean", family.name, why)
    return NotScored()


# lm-eval asks for the same pair once for each metric that a YAML names.
@lru_cache(maxsize=8)
def _scores(family: str, prediction: str, reference: str) -> dict[str, float]:
    score = METRICS[family].score
    return dict(score([prediction], [reference])[0]) if score else {}


def _per_answer(family: MetricFamily, metric: Metric) -> Callable[..., float | NotScored]:
    def score(references: list[str], predictions: list[str], **_: object) -> float | NotScored:
        reference = references[0] if family.references else ""
        values = _scores(family.name, answer_of(predictions[0].strip()), reference)
        return values[metric.name] if metric.name in values else _not_scored(family)

    score.__name__ = score.__qualname__ = metric.name
    return score


FUNCTIONS = {
    metric.name: register_metric(metric=metric.name, higher_is_better=metric.best != "low", aggregation="mean")(
        _per_answer(family, metric)
    )
    for family in of_answers().values()
    if family.score
    for metric in family.metrics
    if not metric.pooled
}


def __getattr__(name: str) -> Callable[..., float | NotScored]:
    """`s2_rouge1` …: what the entry points in `pyproject.toml` name."""
    try:
        return FUNCTIONS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


@register_metric(metric="s2_bertscore", higher_is_better=True, aggregation="s2_bertscore")
def s2_bertscore(
    references: list[str],
    predictions: list[str],
    encoder: str = "roberta-large",
    num_layers: int | None = None,
    **_: object,
) -> BertPair:
    """BERTScore F1, 0..1. Only collects the pair; the encoder runs once over all pairs of the task.

    `encoder` and `num_layers` may stand beside the metric's name in the YAML.
    """
    return BertPair(answer_of(predictions[0].strip()), references[0], encoder, num_layers)
