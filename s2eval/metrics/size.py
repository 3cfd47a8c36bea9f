"""How long an answer is, whether it is empty, and whether it was cut off."""

from __future__ import annotations

from collections.abc import Sequence

from s2eval.metrics.counts import count
from s2eval.metrics.metric import Metric, MetricFamily
from s2eval.metrics.scales import COUNT, YES_NO

CUT = "s2_cut"  # the run knows it: the answer ended at the limit of new tokens


def score(texts: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:  # noqa: ARG001
    return [{"s2_words": float(count(text).words), "s2_empty": float(not text)} for text in texts]


SIZE = MetricFamily(
    "size",
    (
        Metric("s2_words", "Words per answer", 1, None, COUNT),
        Metric("s2_empty", "Empty answers", 0, "low", YES_NO, counted=True),
        Metric(CUT, "Cut answers", 0, "low", YES_NO, counted=True),
    ),
    "Size of answers",
    score,
    of="every answer",
    references=False,
)
MEASURED = ("s2_words", "s2_empty")  # by which answers of our tasks are recognised
