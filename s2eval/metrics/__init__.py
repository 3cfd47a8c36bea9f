"""Metrics of texts: pure functions to frozen records, and the table of metrics (`s2eval.metrics.table`).

    >>> from s2eval.metrics import readability
    >>> round(readability("Cool dogs wear da sunglasses.").fre, 2)
    83.32

Torch, transformers and bert_score are imported by the first call that needs them. Functions have the names of their
modules, so write `from s2eval.metrics.rouge import rouge`, not `import s2eval.metrics.rouge as …`.
"""

from __future__ import annotations

from s2eval.metrics.bertscore import BertScore, Scorer, bertscore
from s2eval.metrics.counts import Counts, count
from s2eval.metrics.encoders import Encoder, require_encoder, resolve_encoder
from s2eval.metrics.metric import Metric, MetricFamily
from s2eval.metrics.readability import (
    Readability,
    corpus_readability,
    flesch,
    readability,
    readability_2023,
    rounded,
    total,
)
from s2eval.metrics.rouge import Rouge, rouge, rouge_all
from s2eval.metrics.safety import toxicity
from s2eval.metrics.scripts import flesch_applies, is_latin, rouge_applies
from s2eval.metrics.table import METRICS, scale_of

__all__ = [
    "METRICS",
    "BertScore",
    "Counts",
    "Encoder",
    "Metric",
    "MetricFamily",
    "Readability",
    "Rouge",
    "Scorer",
    "bertscore",
    "corpus_readability",
    "count",
    "flesch",
    "flesch_applies",
    "is_latin",
    "readability",
    "readability_2023",
    "require_encoder",
    "resolve_encoder",
    "rouge",
    "rouge_all",
    "rouge_applies",
    "rounded",
    "scale_of",
    "total",
    "toxicity",
]
