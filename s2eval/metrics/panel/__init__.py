"""Readability of prose by a panel of measures, and Ease, the index that is fitted on people's simplifications.

Markup, code, tables and formulas are taken out first (`prose`); a text without words, or whose words are not those of
English prose, has no value in any of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2eval.metrics.metric import Metric, MetricFamily
from s2eval.metrics.panel import formulas
from s2eval.metrics.panel.ease import Index, fit, shipped
from s2eval.metrics.panel.measures import Measures, measure
from s2eval.metrics.scales import COUNT, GRADED
from s2eval.records import Scale

__all__ = ["EASE", "Index", "Measures", "fit", "measure", "panel", "shipped"]

_GRADE = Scale(None, None, graded=True)


def panel(text: Measures) -> dict[str, float]:
    """Ease, the formulas and the shares of a text, by the names of `EASE`."""
    words, sentences = text.words, text.sentences
    return {
        "s2_ease": shipped().score(text),
        "s2_dale_chall": formulas.dale_chall(words, sentences, text.share("unfamiliar") * words),
        "s2_spache": formulas.spache(words, sentences, text.share("unknown_to_children") * words),
        "s2_smog": formulas.smog(sentences, text.long),
        "s2_ari": formulas.ari(words, sentences, text.letters),
        "s2_above_b1": text.share("above_b1"),
        "s2_rare_words": text.share("rare"),
        "s2_long_sentences": text.in_long_sentences,
        "s2_words_per_sentence": words / sentences,
        "s2_letters_per_word": text.letters / words,
    }


def score(texts: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:  # noqa: ARG001
    """The panel of each text; nothing of one that holds no English prose."""
    return [{} if isinstance(text, str) else panel(text) for text in map(measure, texts)]


EASE = MetricFamily(
    "ease",
    (
        Metric("s2_ease", "Ease", 1, "high", _GRADE),
        Metric("s2_dale_chall", "Dale-Chall", 2, "low", _GRADE, secondary=True),
        Metric("s2_spache", "Spache", 2, "low", _GRADE, secondary=True),
        Metric("s2_smog", "SMOG", 1, "low", _GRADE, secondary=True),
        Metric("s2_ari", "ARI", 1, "low", _GRADE, secondary=True),
        Metric("s2_above_b1", "Words above B1", 3, "low", GRADED),
        Metric("s2_rare_words", "Rare words", 3, "low", GRADED, secondary=True),
        Metric("s2_long_sentences", "Words in long sentences", 3, "low", GRADED, secondary=True),
        Metric("s2_words_per_sentence", "Words a sentence", 1, "low", COUNT),
        Metric("s2_letters_per_word", "Letters a word", 2, "low", COUNT, secondary=True),
    ),
    "Ease and a panel of readability measures",
    score,
    references=False,
)
