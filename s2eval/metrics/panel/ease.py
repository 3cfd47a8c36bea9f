"""Ease: one index of how easy English prose is to read, fitted on pairs of texts about the same subject.

    ease = 50 + 10 * (w · x - m) / s

x are the features below; w is fitted so that the easier text of a pair comes out higher (a logistic model of the
difference within the pair, with a ridge), no weight being above 0: a longer sentence or a rarer word never makes a text
easier. m and s are mean and standard deviation over the texts of the fit, so 10 points are one of their standard
deviations. Nothing in x depends on how long the text is.

The shipped weights (`data/ease.json`) are from OneStopEnglish (Vajjala & Lučić 2018, CC BY-SA 4.0) and from leads of
Simple English against English Wikipedia (SWiPE, CC BY-SA); `python -m benchmarks.ease` fits and validates them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import cast

import numpy as np

from s2eval.metrics.panel.lexicon import Floats
from s2eval.metrics.panel.measures import Measures

FEATURES: Mapping[str, Callable[[Measures], float]] = {
    "sentence_length": lambda text: float(np.log(text.words / text.sentences)),
    "long_sentences": lambda text: text.in_long_sentences,
    "unfamiliar": lambda text: text.share("unfamiliar"),
    "unknown_to_children": lambda text: text.share("unknown_to_children"),
    "level": lambda text: text.share("level"),
    "syllables": lambda text: text.share("syllables"),
    "abstract": lambda text: text.share("abstract"),
    "long_words": lambda text: float(np.sqrt(text.long / text.sentences)),
}
RIDGE = 300.0


@dataclass(frozen=True, slots=True)
class Index:
    """Weights of `FEATURES`, by name, and the mean and standard deviation that make them a score."""

    weights: Mapping[str, float]
    mean: float
    deviation: float

    def score(self, text: Measures) -> float:
        """Ease of a text; higher is easier, most lie between 20 and 80."""
        raw = sum(weight * FEATURES[name](text) for name, weight in self.weights.items())
        return 50 + 10 * (raw - self.mean) / self.deviation

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


@cache
def shipped() -> Index:
    """The index that comes with the package."""
    text = files("s2eval.metrics.panel").joinpath("data/ease.json").read_text(encoding="utf-8")
    return Index(**json.loads(text))


def fit(pairs: Sequence[tuple[Measures, Measures]], ridge: float = RIDGE) -> Index:
    """Fit the index on (easier, harder) pairs.

    Raises:
        ValueError: no pair, or a feature that is the same in all texts.
    """
    if not pairs:
        raise ValueError("no pairs to fit on")
    values = np.array([[[read(text) for read in FEATURES.values()] for text in pair] for pair in pairs])  # (P, 2, F)
    texts = values.reshape(-1, len(FEATURES))
    spread = texts.std(axis=0)
    if not spread.all():
        raise ValueError(f"{list(FEATURES)[int(spread.argmin())]} is the same in all texts")
    weights = _logistic((values[:, 0] - values[:, 1]) / spread, ridge) / spread
    raw = texts @ weights
    return Index(dict(zip(FEATURES, weights.tolist(), strict=True)), float(raw.mean()), float(raw.std()))


def _logistic(differences: Floats, ridge: float) -> Floats:
    """argmin over w ≤ 0 of sum log(1 + exp(-d · w)) + ridge / 2 * |w|²."""
    from scipy.optimize import minimize  # pyright: ignore

    def loss(weights: Floats) -> tuple[float, Floats]:
        margins = differences @ weights
        pull = 1 / (1 + np.exp(margins))
        value = np.logaddexp(0, -margins).sum() + ridge / 2 * weights @ weights
        return float(value), ridge * weights - pull @ differences

    start = np.zeros(differences.shape[1])
    best = minimize(loss, start, jac=True, bounds=[(None, 0)] * len(start), method="L-BFGS-B")  # pyright: ignore
    return cast("Floats", best.x)  # pyright: ignore
