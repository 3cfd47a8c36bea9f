"""Published readability formulas, of counts; they are undefined without a word or a sentence."""

from __future__ import annotations

import math


def dale_chall(words: float, sentences: float, unfamiliar: float) -> float:
    """The formula of 1948 on a school grade's scale: 4.9 and less is grade 4, 10 and more a graduate.

    Dale & Chall (1948): 0.1579 * percentage of unfamiliar words + 0.0496 * words a sentence, and 3.6365 more where
    that percentage is above 5.
    """
    percentage = 100 * unfamiliar / words
    return 0.1579 * percentage + 0.0496 * words / sentences + 3.6365 * (percentage > 5)


def spache(words: float, sentences: float, unknown: float) -> float:
    """School grade, for texts up to grade 4; every unknown word counts, repeated or not, as in a sample of 100 words.

    Spache, "Good reading for poor readers" (1974): 0.121 * words a sentence + 0.082 * percentage unknown + 0.659.
    """
    return 0.121 * words / sentences + 8.2 * unknown / words + 0.659


def smog(sentences: float, polysyllables: float) -> float:
    """School grade. McLaughlin, Journal of Reading 12 (1969): 3.1291 + 1.043 * sqrt(30 * polysyllables / sentences)."""
    return 3.1291 + 1.043 * math.sqrt(30 * polysyllables / sentences)


def ari(words: float, sentences: float, letters: float) -> float:
    """School grade. Senter & Smith, AMRL-TR-66-220 (1967): 4.71 * letters a word + 0.5 * words a sentence - 21.43."""
    return 4.71 * letters / words + 0.5 * words / sentences - 21.43
