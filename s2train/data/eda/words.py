"""Words of questions and answers: which occur, which distinguish two groups, and which one opens a question."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from statistics import NormalDist

from s2train.data.eda.tallies import Counts

PRIOR = 500.0  # words' worth of what both groups have
FEWEST = 5  # pairs a word must occur in, so that it identifies nobody and its z is near normal
COMMON = 0.1  # of all pairs; a word in more of them is grammar, not topic
FAR = 3.0  # |z| of a word that is shown; 0.27% of words that do not differ exceed it
CHANCE = 0.05  # that so many exceed it where the groups do not differ

QUESTION_WORDS = ("what", "why", "how", "when", "where", "who", "which")
YES_OR_NO, NO_WORD = "yes or no", "none of these"

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_SHORTEST = 3
_VERB = re.compile(
    r"(?:am|is|are|was|were|be|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must|won't|can't"
    r"|(?:is|are|was|were|do|does|did|has|have|had|could|would|should)n't)"
)
_FORMS = {"whom": "who", "whose": "who", "what's": "what", "how's": "how", "why's": "why", "who's": "who"}


def words_of(*texts: str) -> frozenset[str]:
    """Runs of three letters or more in lower case, apostrophes inside (`don't`); each once."""
    return frozenset(word for text in texts for word in _words(text) if len(word) >= _SHORTEST)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("’", "'"))


def question_word(question: str) -> str:
    """The first of `QUESTION_WORDS` in the first line, or yes or no if that line begins with a verb.

    >>> question_word("ELI5: Is it true, and why?"), question_word("Rainbows, how do they form?")
    ('yes or no', 'how')
    """
    words = _words(question.partition("\n")[0])
    if words[:1] == ["eli"]:  # digits are no letters
        words = words[1:]
    if words and _VERB.fullmatch(words[0]):
        return YES_OR_NO
    return next((word for word in (_FORMS.get(word, word) for word in words) if word in QUESTION_WORDS), NO_WORD)


@dataclass(frozen=True, slots=True)
class WordContrast:
    """How far a word distinguishes two groups, and in how many pairs of each it occurs."""

    word: str
    z: float
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Contrast:
    """The words compared between two groups of pairs, from those of the first group to those of the second."""

    words: tuple[WordContrast, ...]

    @property
    def far(self) -> int:
        """How many words have |z| above 3."""
        return sum(abs(word.z) > FAR for word in self.words)

    @property
    def by_chance(self) -> float:
        """How many would have it if the groups did not differ."""
        return len(self.words) * 2 * NormalDist().cdf(-FAR)

    @property
    def differs(self) -> bool:
        """Whether more words are far than chance gives in 95% of cases (a count's standard deviation is its root), or
        the furthest is further than chance puts it (Bonferroni)."""
        most = self.by_chance + NormalDist().inv_cdf(1 - CHANCE) * math.sqrt(self.by_chance)
        furthest = max((abs(word.z) for word in self.words), default=0.0)
        return self.far > most or furthest > NormalDist().inv_cdf(1 - CHANCE / 2 / max(1, len(self.words)))

    def more_in_first(self, most: int) -> list[WordContrast]:
        """Words of z above 3, the furthest first; none where chance explains them."""
        return [word for word in self.words[:most] if word.z > FAR] if self.differs else []

    def more_in_second(self, most: int) -> list[WordContrast]:
        """The same of the second group."""
        return [word for word in self.words[: -most - 1 : -1] if word.z < -FAR] if self.differs else []


def contrast(first: Counts[str], second: Counts[str], pairs: int) -> Contrast:
    """Log-odds ratios with an informative Dirichlet prior, as z-scores: Monroe, Colaresi & Quinn, "Fightin' Words",
    Political Analysis 16 (2008) 372-403.

    With y occurrences of a word among the n of a group, and a = 500 * (y of both) / (n of both):

        z = (ln((y1 + a) / (n1 + 500 - y1 - a)) - ln((y2 + a) / (n2 + 500 - y2 - a))) / √(1 / (y1 + a) + 1 / (y2 + a))

    An occurrence is a pair that has the word: an answer that repeats a word does not make it a topic. Words in more
    than a tenth of the `pairs` of both groups are left out, and those in fewer than five.
    """
    n_first, n_second = first.total, second.total
    words: list[WordContrast] = []
    for word in sorted(first.counts.keys() | second.counts.keys()):
        y_first, y_second = first.counts[word], second.counts[word]
        both = y_first + y_second
        if FEWEST <= both <= COMMON * pairs:
            prior = PRIOR * both / (n_first + n_second)
            odds = _log_odds(y_first, n_first, prior) - _log_odds(y_second, n_second, prior)
            z = odds / math.sqrt(1 / (y_first + prior) + 1 / (y_second + prior))
            words.append(WordContrast(word, z, y_first, y_second))
    words.sort(key=lambda word: -word.z)
    return Contrast(tuple(words))


def _log_odds(y: int, n: int, prior: float) -> float:
    return math.log((y + prior) / (n + PRIOR - y - prior))
