"""Aggregations of lm-eval: the items of many documents → a number, with a standard error of its own.

`s2eval.plugin.use_own_stderr` lets lm-eval print an aggregation's `stderr`. `scores.csv` uses the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from s2eval.metrics import Counts, bertscore
from s2eval.records import Estimate
from s2eval.scoring import bertscore_means, corpus_estimate

Item = TypeVar("Item")


class Aggregation(Generic[Item]):
    """Wraps `items → Estimate` for lm-eval; the last estimate is cached for `stderr`."""

    def __init__(self, name: str, estimate: Callable[[Sequence[Item]], Estimate]) -> None:
        self.__name__ = name
        self._estimate = estimate
        self._items: Sequence[Item] | None = None
        self._last: Estimate | None = None

    def _of(self, items: Sequence[Item]) -> Estimate:
        if self._last is None or items is not self._items:
            self._items, self._last = items, self._estimate(items)
        return self._last

    def __call__(self, items: Sequence[Item]) -> float:
        """NaN if no item is valid."""
        value = self._of(items).value
        return float("nan") if value is None else value

    def stderr(self, items: Sequence[Item]) -> float | str:
        """In the same unit; "N/A" where it cannot be computed (one item)."""
        error = self._of(items).stderr
        return "N/A" if error is None else error


class BertPair(NamedTuple):
    """An item of the BERTScore metrics."""

    prediction: str
    reference: str
    encoder: str
    num_layers: int | None


@lru_cache(maxsize=4)  # a call of the encoder serves all three
def _bertscores(pairs: tuple[BertPair, ...]) -> dict[str, Estimate]:
    encoders = {(pair.encoder, pair.num_layers) for pair in pairs}
    if len(encoders) != 1:
        raise ValueError(f"one BERTScore over several encoders: {sorted(encoders, key=str)}")
    encoder, num_layers = encoders.pop()
    predictions, references = [pair.prediction for pair in pairs], [pair.reference for pair in pairs]
    return bertscore_means(bertscore(predictions, references, encoder=encoder, num_layers=num_layers)[0])


def _mean_bertscore(part: str) -> Aggregation[BertPair]:
    def estimate(items: Sequence[BertPair]) -> Estimate:
        return _bertscores(tuple(BertPair(*item) for item in items))[f"s2_bertscore_{part}"]

    return Aggregation(f"mean_bertscore_{part}", estimate)


mean_bertscore_precision = _mean_bertscore("precision")
mean_bertscore_recall = _mean_bertscore("recall")
mean_bertscore_f1 = _mean_bertscore("f1")


def _corpus(part: str) -> Aggregation[tuple[int, int, int]]:
    def estimate(items: Sequence[tuple[int, int, int]]) -> Estimate:
        return corpus_estimate(part, [Counts(*item) for item in items])

    return Aggregation(f"corpus_{part}", estimate)


# Items are (words, sentences, syllables): the readability of all answers as one text.
corpus_fre = _corpus("fre")
corpus_fkg = _corpus("fkg")
