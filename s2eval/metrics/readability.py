"""Flesch reading ease and Flesch-Kincaid grade, of one answer and of a whole set of answers.

    fre = 206.835 - 1.015 * words / sentences - 84.6 * syllables / words      (higher is easier)
    fkg = 0.39 * words / sentences + 11.8 * syllables / words - 15.59         (a school year of the USA)

Flesch, "A new readability yardstick", Journal of Applied Psychology 32 (1948) 221-233; Kincaid, Fishburne,
Rogers & Chissom, "Derivation of new readability formulas", Research Branch Report 8-75 (1975).

Words, sentences and syllables are counted as textstat 0.7.13 does (`s2eval.metrics.counts`), whatever is installed.
Three conventions, because published numbers mix them:

* `readability`: of one answer, unrounded, as textstat 0.7.13 has it;
* `corpus_readability`: of all answers as one text, from the sums of their counts;
* `readability_2023`: of one answer as textstat 0.7.3 had it, the release of September 2023 and the one behind
  the paper's tables: syllables by Pyphen alone (4 to 9% fewer on real texts), and the averages rounded to one
  decimal before they enter the formula. Reading ease is 6 to 9 points above today's there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2eval.metrics.counts import Counts, count
from s2eval.metrics.metric import Metric, MetricFamily
from s2eval.metrics.scales import READING_EASE, SCHOOL_GRADE
from s2eval.metrics.scripts import flesch_applies

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Readability:
    """Reading ease (0 hard to 100 easy, unbounded), grade (school years, unbounded), and their counts."""

    fre: float
    fkg: float
    counts: Counts


def readability(text: str) -> Readability:
    """Unrounded; equal to `textstat.flesch_reading_ease` and `flesch_kincaid_grade`, 0.7.13; 0 of an empty text."""
    counts = count(text)
    return Readability(*flesch(counts.words, counts.sentences, counts.syllables), counts)


def readability_2023(text: str) -> Readability:
    """As of textstat 0.7.3, but 0 of an empty text; the paper's Table 4 is the mean of these over the answers."""
    return rounded(count(text, syllables="pyphen"))


def rounded(counts: Counts) -> Readability:
    """The two values with every rounding of textstat up to 0.7.3: FRE to 2 decimals, FKG to 1.

    The two ratios were rounded as well, to 1 decimal: up to 4.3 points of reading ease, as in all eight pairs of the
    paper's MT(S)-Bench table. For an entire text pass `total`.
    """
    if not (counts.words and counts.sentences and counts.syllables):
        return Readability(0.0, 0.0, counts)
    per_sentence = _round_2023(counts.words / counts.sentences, 1)
    per_word = _round_2023(counts.syllables / counts.words, 1)
    fre, fkg = _formulas(per_sentence, per_word)
    return Readability(_round_2023(fre, 2), _round_2023(fkg, 1), counts)


def total(counts: Iterable[Counts]) -> Counts:
    """The sums over texts.

    Unlike textstat of the joined texts, an answer that was cut off does not run into the next one, and one of one or
    two words has a sentence. On 1000 Reddit answers: 6780 sentences against 6694, reading ease 63.02 against 62.78.
    """
    listed = list(counts)
    return Counts(sum(c.words for c in listed), sum(c.sentences for c in listed), sum(c.syllables for c in listed))


def corpus_readability(counts: Sequence[Counts]) -> tuple[float, float]:
    """(fre, fkg) of all texts taken as one, unrounded, from the `total` of their counts; ValueError of no texts.

    For resamples: `flesch(w @ words, w @ sentences, w @ syllables)` with weights w of shape (B, n).
    """
    if not counts:
        raise ValueError("corpus_readability of no texts")
    summed = total(counts)
    return flesch(summed.words, summed.sentences, summed.syllables)


def score(texts: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:  # noqa: ARG001
    """Both of each text in the conventions above; none of texts that are mostly not in Latin letters."""
    return [_values(text) if flesch_applies(text) else {} for text in texts]


def _values(text: str) -> dict[str, float]:
    today, then = readability(text), readability_2023(text)
    return {
        "s2_fre": round(today.fre, 2),
        "s2_fkg": round(today.fkg, 1),
        "s2_fre_unrounded": today.fre,
        "s2_fkg_unrounded": today.fkg,
        "s2_fre_2023": then.fre,
        "s2_fkg_2023": then.fkg,
    }


READABILITY = MetricFamily(
    "readability",
    (
        Metric("s2_fre", "FRE", 4, "high", READING_EASE),
        Metric("s2_fkg", "FKG", 3, "low", SCHOOL_GRADE),
        Metric("s2_fre_unrounded", "FRE, unrounded", 4, "high", READING_EASE),
        Metric("s2_fkg_unrounded", "FKG, unrounded", 4, "low", SCHOOL_GRADE),
        Metric("s2_fre_2023", "FRE of 2023", 4, "high", READING_EASE, secondary=True),
        Metric("s2_fkg_2023", "FKG of 2023", 3, "low", SCHOOL_GRADE, secondary=True),
        Metric("s2_fre_corpus", "FRE, whole text", 2, "high", READING_EASE, pooled=True, secondary=True),
        Metric("s2_fkg_corpus", "FKG, whole text", 1, "low", SCHOOL_GRADE, pooled=True, secondary=True),
    ),
    "Flesch reading ease and Flesch-Kincaid grade",
    score,
    references=False,
    latin_only=True,
)


@overload
def flesch(words: float, sentences: float, syllables: float) -> tuple[float, float]: ...
@overload
def flesch(words: Floats, sentences: Floats, syllables: Floats) -> tuple[Floats, Floats]: ...
def flesch(words: ArrayLike, sentences: ArrayLike, syllables: ArrayLike) -> tuple[float, float] | tuple[Floats, Floats]:
    """(fre, fkg) by the formulas at the head of this module, of numbers or of arrays, which are broadcast.

    Both are 0 where one of the three is 0, as in textstat.
    """
    if isinstance(words, int | float) and isinstance(sentences, int | float) and isinstance(syllables, int | float):
        if words > 0 and sentences > 0 and syllables > 0:
            return _formulas(float(words) / float(sentences), float(syllables) / float(words))
        return 0.0, 0.0
    n, s, y = (np.asarray(part, dtype=np.float64) for part in (words, sentences, syllables))
    counted = (n > 0) & (s > 0) & (y > 0)
    n, s, y = (np.where(counted, part, 1.0) for part in (n, s, y))
    fre, fkg = _formulas(n / s, y / n)
    fre, fkg = np.where(counted, fre, 0.0), np.where(counted, fkg, 0.0)
    return (fre, fkg) if counted.ndim else (fre.item(), fkg.item())


Number = TypeVar("Number", float, Floats)


def _formulas(per_sentence: Number, per_word: Number) -> tuple[Number, Number]:
    # in textstat's order of operations, so that the floats are the same to the last bit
    fre = 206.835 - 1.015 * per_sentence - 84.6 * per_word
    fkg = 0.39 * per_sentence + 11.8 * per_word - 15.59
    return fre, fkg


def _round_2023(number: float, places: int) -> float:
    """textstat 0.7.3's `_legacy_round`, with its defect: ties away from zero, but -2.62 to one decimal is -2.7."""
    scale = 10.0**places
    return math.floor(number * scale + math.copysign(0.5, number)) / scale
