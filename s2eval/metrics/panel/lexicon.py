"""What is known of an English word: its syllables and letters, and which readers know it.

* Dale-Chall: the 3,000 words that four of five pupils of grade 4 know (the copy in textstat), with their regular forms
  by the rules of Dale & Chall, "A formula for predicting readability", Educational Research Bulletin 27 (1948).
* Spache: 1,064 stems of the revised list (Spache 1974; the copy of py-readability-metrics, MIT), by Porter's stemmer.
* CEFR: the mean level of the word's parts of speech, 1 = A1 to 6 = C2 (package cefrpy, MIT).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from s2eval.metrics.counts import REMEMBERED, syllables_of

Floats = NDArray[np.float64]

COLUMNS = (
    "syllables",
    "letters",
    "long",
    "unfamiliar",
    "unknown_to_children",
    "level",
    "above_b1",
    "rare",
    "abstract",
    "function",
    "first_person",
)
"""Of a word's row; all but `syllables`, `letters` and `level` are 0 or 1."""

POLYSYLLABIC = 3  # syllables of a long word, and more
ABOVE_B1 = 3.5  # a mean level that is nearer to B2 than to B1
UNLISTED = 5.0  # level of a word that cefrpy lacks and grade 4 does not know
_RARE = 5.0  # level from which a word is rare

_FORMS = ("'s", "s'", "s", "es", "d", "ed", "ing", "n", "er", "r", "est", "st", "ly")
_ABSTRACT = ("tion", "sion", "ment", "ness", "ity", "ance", "ence", "ism", "ship", "hood", "acy", "ure")


@dataclass(frozen=True, slots=True)
class _Lists:
    grade_four: frozenset[str]
    spache: frozenset[str]
    function: frozenset[str]


class Lexicon:
    """Rows of words, computed when a word is first met; all are forgotten when there are more than `most`."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._numbers: dict[str, int] = {}
        self._rows = np.zeros((1 << 12, len(COLUMNS)))

    def rows(self, words: Sequence[str]) -> Floats:
        """(len(words), len(COLUMNS)); words are in lower case."""
        find = self._numbers.__getitem__
        try:
            return self._rows[list(map(find, words))]
        except KeyError:
            if len(self._numbers) > self._most:
                self._numbers.clear()
            for word in {*words} - self._numbers.keys():
                self._add(word)
            return self._rows[list(map(find, words))]

    def _add(self, word: str) -> None:
        number = len(self._numbers)
        if number == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._rows[number] = _row(word)
        self._numbers[word] = number


def _row(word: str) -> tuple[float, ...]:
    plain = word.replace("’", "'")
    spoken = syllables_of(plain)
    familiar = is_familiar(plain)
    level = _level(plain)
    if level is None:
        level = 1.0 if familiar else UNLISTED
    lists = _lists()
    return (
        float(spoken),
        float(len(plain.replace("'", ""))),
        float(spoken >= POLYSYLLABIC),
        float(not familiar),
        float(not _known_to_children(plain)),
        level,
        float(level > ABOVE_B1),
        float(level >= _RARE and not familiar),
        float(len(plain) > 5 and plain.removesuffix("s").endswith(_ABSTRACT)),
        float(plain in lists.function),
        float(plain in ("i", "i'm", "i'd", "i'll", "i've")),
    )


def is_familiar(word: str) -> bool:
    """Whether grade 4 knows a word, or the word of which it is a regular form."""
    known = _lists().grade_four
    if word in known:
        return True
    for form in _FORMS:
        if not word.endswith(form):
            continue
        stem = word[: -len(form)]
        stems = [stem, f"{stem}e"] if form not in ("ly", "s", "'s", "s'") else [stem]
        if form not in ("ly", "n", "'s", "s'") and len(stem) > 2:
            if stem[-1] == stem[-2]:
                stems.append(stem[:-1])
            if stem[-1] == "i":
                stems.append(f"{stem[:-1]}y")
        if any(part in known for part in stems):
            return True
    return False


@cache
def _lists() -> _Lists:
    return _Lists(read_words("dale_chall_words"), read_words("spache_stems"), read_words("function_words"))


def read_words(name: str) -> frozenset[str]:
    """A list of `data/`."""
    text = files("s2eval.metrics.panel").joinpath(f"data/{name}.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def _known_to_children(word: str) -> bool:
    stems = _lists().spache
    stem = _stemmer().stemWord(word.removesuffix("'s"))
    return word in stems or stem in stems or (stem.endswith("i") and f"{stem[:-1]}y" in stems)


def _level(word: str) -> float | None:
    return 1.0 if word == "i" else _analyzer().get_average_word_level_float(word)


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...  # noqa: N802


class _Analyzer(Protocol):
    def get_average_word_level_float(self, word: str) -> float | None: ...


@cache
def _stemmer() -> _Stemmer:
    import snowballstemmer  # pyright: ignore[reportMissingTypeStubs]

    return cast("_Stemmer", snowballstemmer.stemmer("porter"))  # pyright: ignore[reportUnknownMemberType]


@cache
def _analyzer() -> _Analyzer:
    from cefrpy import CEFRAnalyzer  # pyright: ignore[reportMissingTypeStubs]

    return cast("_Analyzer", CEFRAnalyzer())
