"""The measures of a text's prose, from one pass over its words."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np

from s2eval.metrics.panel.lexicon import COLUMNS, Floats, Lexicon
from s2eval.metrics.panel.prose import sentences

LONG = 20  # words, above which a sentence is long
ENGLISH = 0.1  # share of function words in English prose, at least; 0.25 and more in most

_LEXICON = Lexicon()
_AT = {name: number for number, name in enumerate(COLUMNS)}


@dataclass(frozen=True, slots=True)
class Measures:
    """Counts of a text with a sentence or more; its vocabulary is its words without names.

    Attributes:
        lengths: words of each sentence.
        vocabulary: how many words are no names.
        sums: of each column of the lexicon over the vocabulary.
        letters, syllables, long: of all words, names included; long are those of three syllables and more.
    """

    lengths: Floats
    vocabulary: int
    sums: Floats
    letters: float
    syllables: float
    long: float

    @property
    def words(self) -> float:
        return float(self.lengths.sum())

    @property
    def sentences(self) -> float:
        return float(len(self.lengths))

    def share(self, column: str) -> float:
        """Mean of a column over the vocabulary."""
        return float(self.sums[_AT[column]]) / self.vocabulary

    @property
    def in_long_sentences(self) -> float:
        """Share of the words that stand in long sentences."""
        return float(self.lengths[self.lengths > LONG].sum() / self.words)


def measure(text: str) -> Measures | str:
    """Measures of a text, or why it has none: `no words`, `not English prose`.

    A sentence that comes again is read once: saying the same short one ten times makes nothing easier.
    """
    written = list({" ".join(sentence).lower(): sentence for sentence in sentences(text)}.values())
    if not written:
        return "no words"
    words = [word for sentence in written for word in sentence]
    lower = list(map(str.lower, words))
    rows = _LEXICON.rows(lower)
    totals = rows.sum(axis=0)
    if totals[_AT["function"]] < ENGLISH * len(words):
        return "not English prose"
    sizes = np.fromiter(map(len, written), np.intp, len(written))
    starts = np.concatenate([[0], sizes[:-1].cumsum()])
    # a capital inside a sentence: a name, unless most of the sentence has one
    named = np.fromiter(map(operator.ne, words, lower), bool, len(words)) & (rows[:, _AT["first_person"]] == 0)
    named[starts] = False
    named &= np.repeat(2 * np.add.reduceat(named, starts, dtype=np.intp) <= sizes, sizes)
    vocabulary = rows[~named]
    return Measures(
        sizes.astype(float),
        len(vocabulary),
        vocabulary.sum(axis=0),
        float(totals[_AT["letters"]]),
        float(totals[_AT["syllables"]]),
        float(totals[_AT["long"]]),
    )
