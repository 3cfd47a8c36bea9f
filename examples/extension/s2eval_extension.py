"""A metric and a merge method of your own.

pip install ./examples/extension
s2eval score sentence_length answers.jsonl
s2train merge --base BASE --adapter ADAPTER --method half --out merged
"""

from __future__ import annotations

from collections.abc import Sequence

from s2eval.metrics import Metric, MetricFamily, count
from s2train.merge.methods import MergeMethod


def sentence_length(texts: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:
    """Words per sentence of each text; a text without words has no value."""
    del references
    counted = (count(text) for text in texts)
    return [{"sentence_length": c.words / c.sentences} if c.words and c.sentences else {} for c in counted]


SENTENCE_LENGTH = MetricFamily(
    "sentence_length",
    (Metric("sentence_length", "Words per sentence", digits=1, best="low"),),
    "Sentence length of answers",
    sentence_length,
    references=False,
)

HALF = MergeMethod(
    "half",
    help="half of the change",
    card="half of the adapter's change was added.",
    add=lambda base, change: base + change / 2,
    peft=False,
)
