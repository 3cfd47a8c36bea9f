"""Ease: what it is fitted to, what moves it, and what people say of the same texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import s2eval
from s2eval.metrics.panel import EASE, fit, measure, shipped
from s2eval.metrics.panel.ease import FEATURES
from s2eval.metrics.panel.measures import Measures

EASY = "The heart is a pump. It sends the blood to all parts of the body. It never stops."
HARD = (
    "The heart, which is a muscular organ of considerable endurance, continuously circulates oxygenated blood to all "
    "tissues of the organism, notwithstanding temporary fluctuations of metabolic requirements."
)


def measured(text: str) -> Measures:
    measures = measure(text)
    assert isinstance(measures, Measures), measures
    return measures


def ease(text: str) -> float:
    return shipped().score(measured(text))


def test_a_simple_text_is_easier_than_a_hard_one() -> None:
    assert ease(EASY) > 70
    assert ease(HARD) < 30


def test_nothing_depends_on_the_length_of_a_text() -> None:
    again = EASY.replace("heart", "fist").replace("blood", "water").replace("never", "seldom")
    assert ease(f"{EASY}\n\n{again}") == pytest.approx((ease(EASY) + ease(again)) / 2, abs=0.5)


def test_a_sentence_that_comes_again_is_read_once() -> None:
    assert ease(f"{HARD} {'We see it now. ' * 50}") == ease(f"{HARD} We see it now.")


def test_no_weight_is_above_zero() -> None:
    # so longer sentences, and harder or rarer words, never make a text easier
    weights = shipped().weights
    assert list(weights) == list(FEATURES)
    assert all(weight <= 0 for weight in weights.values())
    assert ease("It is the photosynthesis of the plant.") < ease("It is the colour of the plant.")
    assert ease("We saw the dog and it ran to the cat and then it sat.") < ease(
        "We saw the dog. It ran to the cat. Then it sat."
    )


def test_fit_finds_what_tells_the_pairs_apart() -> None:
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(200):
        base = measured(EASY if rng.random() < 0.5 else HARD)
        noise = rng.normal(size=len(base.sums)) * 0.1
        words = base.words * float(np.exp(rng.normal(0, 0.05)))
        shorter = replace(base, lengths=np.array([words / 2] * 2), sums=base.sums + noise)
        longer = replace(base, lengths=np.array([words * 0.75] * 2), sums=base.sums + rng.permutation(noise))
        pairs.append((shorter, longer))
    index = fit(pairs)
    texts = [text for pair in pairs for text in pair]
    effects = {name: index.weights[name] * np.std([read(text) for text in texts]) for name, read in FEATURES.items()}
    assert min(effects, key=effects.__getitem__) in ("sentence_length", "long_words")  # both are per sentence
    assert sum(index.score(a) > index.score(b) for a, b in pairs) == len(pairs)
    scores = [index.score(text) for text in texts]
    assert (np.mean(scores), np.std(scores)) == (pytest.approx(50), pytest.approx(10))


def test_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="no pairs to fit on"):
        fit([])
    same = measured(EASY)
    with pytest.raises(ValueError, match="sentence_length is the same in all texts"):
        fit([(same, same)])


def test_the_family() -> None:
    scores = s2eval.score([EASY, "", "print(x)"], metrics=["ease"])
    assert scores.samples["s2_ease"].isna().tolist() == [False, True, True]  # not scored is no zero
    assert scores.samples["s2_ease"][0] == pytest.approx(ease(EASY))
    estimate = scores.scores.set_index("metric").loc["s2_ease"]
    assert (estimate["n"], estimate["n_valid"]) == (3, 1)
    assert set(EASE.names) <= set(scores.samples.columns)


def excerpts(shared_data: Path) -> Iterator[tuple[str, float]]:
    with (shared_data / "readability" / "clear.jsonl").open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            yield row["text"], row["BT_easiness"]


def test_teachers_agree(shared_data: Path) -> None:
    # CLEAR was never fitted on; its own best formula, New Dale-Chall, has 0.595 (docs/readability.md)
    from scipy.stats import spearmanr

    texts, easiness = zip(*excerpts(shared_data), strict=True)
    assert spearmanr([ease(text) for text in texts], easiness)[0] >= 0.60
