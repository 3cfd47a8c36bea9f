"""Words of questions and answers: which there are, which tell two groups apart, and which one opens a question."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from statistics import NormalDist

from s2train.data.eda.tallies import Counts

PRIOR = 500.0  # words' worth of what both groups say
FEWEST = 5  # pairs that a word must stand in, so that it betrays nobody and its z is near normal
COMMON = 0.1  # of all pairs: what stands in more of them is grammar, not topic
FAR = 3.0  # |z| of a word that is shown; of words that do not differ 0.27% lie beyond
CHANCE = 0.05  # that so many lie beyond where the groups do not differ

ASKED = ("what", "why", "how", "when", "where", "who", "which")
YES_OR_NO, NO_WORD = "yes or no", "none of these"

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_SHORTEST = 3
_VERB = re.compile(
    r"(?:am|is|are|was|were|be|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must|won't|can't"
    r"|(?:is|are|was|were|do|does|did|has|have|had|could|would|should)n't)"
)
_SAME = {"whom": "who", "whose": "who", "what's": "what", "how's": "how", "why's": "why", "who's": "who"}


def words_of(*texts: str) -> frozenset[str]:
    """Runs of three letters or more in lower case, apostrophes inside (`don't`); each once."""
    return frozenset(word for text in texts for word in _words(text) if len(word) >= _SHORTEST)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("’", "'"))


def question_word(question: str) -> str:
    """What a question asks by: its first line's first of `ASKED`, if it does not begin with a verb (yes or no).

    >>> question_word("ELI5: Is it true, and why?"), question_word("Rainbows, how do they form?")
    ('yes or no', 'how')
    """
    words = _words(question.partition("\n")[0])
    if words[:1] == ["eli"]:  # digits are no letters
        words = words[1:]
    if words and _VERB.fullmatch(words[0]):
        return YES_OR_NO
    return next((word for word in (_SAME.get(word, word) for word in words) if word in ASKED), NO_WORD)


# --- what tells two groups apart ---


@dataclass(frozen=True, slots=True)
class Distinct:
    """A word, how far it tells two groups apart, and in how many pairs of each it stands."""

    word: str
    z: float
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Contrast:
    """All words that two groups of pairs may be told apart by, those that the first has more of first."""

    words: tuple[Distinct, ...]

    @property
    def far(self) -> int:
        """How many lie beyond |z| = 3."""
        return sum(abs(word.z) > FAR for word in self.words)

    @property
    def by_chance(self) -> float:
        """How many would, if the groups did not differ."""
        return len(self.words) * 2 * NormalDist().cdf(-FAR)

    @property
    def tells(self) -> bool:
        """Whether more lie beyond than chance gives in 95% of cases (a count's standard deviation is its root), or
        one of them further than chance puts the furthest of all (Bonferroni)."""
        most = self.by_chance + NormalDist().inv_cdf(1 - CHANCE) * math.sqrt(self.by_chance)
        furthest = max((abs(word.z) for word in self.words), default=0.0)
        return self.far > most or furthest > NormalDist().inv_cdf(1 - CHANCE / 2 / max(1, len(self.words)))

    def more_in_first(self, most: int) -> list[Distinct]:
        """Those of |z| above 3, the furthest first; none where chance explains them."""
        return [word for word in self.words[:most] if word.z > FAR] if self.tells else []

    def more_in_second(self, most: int) -> list[Distinct]:
        """The same of the second group."""
        return [word for word in self.words[: -most - 1 : -1] if word.z < -FAR] if self.tells else []


def contrast(first: Counts[str], second: Counts[str], pairs: int) -> Contrast:
    """Log-odds ratios with an informative Dirichlet prior, as z-scores: Monroe, Colaresi & Quinn, "Fightin' Words",
    Political Analysis 16 (2008) 372-403.

    With y occurrences of a word among the n of a group, and a = 500 * (y of both) / (n of both):

        z = (ln((y1 + a) / (n1 + 500 - y1 - a)) - ln((y2 + a) / (n2 + 500 - y2 - a))) / √(1 / (y1 + a) + 1 / (y2 + a))

    An occurrence is a pair that the word stands in: an answer that repeats a word does not make it a topic.

    Args:
        first, second: pairs by word.
        pairs: of both; words in more than a tenth of them are left out, and those in fewer than five.
    """
    n_first, n_second = first.total, second.total
    words: list[Distinct] = []
    for word in sorted(first.counts.keys() | second.counts.keys()):
        y_first, y_second = first.counts[word], second.counts[word]
        both = y_first + y_second
        if FEWEST <= both <= COMMON * pairs:
            prior = PRIOR * both / (n_first + n_second)
            odds = _log_odds(y_first, n_first, prior) - _log_odds(y_second, n_second, prior)
            words.append(
                Distinct(word, odds / math.sqrt(1 / (y_first + prior) + 1 / (y_second + prior)), y_first, y_second)
            )
    words.sort(key=lambda word: -word.z)
    return Contrast(tuple(words))


def _log_odds(y: int, n: int, prior: float) -> float:
    return math.log((y + prior) / (n + PRIOR - y - prior))
