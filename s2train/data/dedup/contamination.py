"""Contamination: which training pairs share words in a row with an item of an evaluation set.

As in the paper of GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C): an overlap of N words, case and
punctuation ignored, N the 5th percentile of the lengths of a set's items in words, but at least 8 and at most 13;
a shorter text must occur as a whole. It differs from the paper at `_SHORTEST` and `_COMMON`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from s2train.data.build.split import normalised
from s2train.data.dedup.evaluations import EvaluationSet
from s2train.data.engine import batched
from s2train.data.records import Pair

EXAMPLES = 10  # of each set

# A text of fewer words would occur by chance: such a question counts where it equals the training question, such
# an answer never.
_SHORTEST = 8
_LONGEST = 13
# What stands in more items of a set is its phrasing and leaks nothing. (The paper counts in the training texts: an
# item that leaked eleven times would be common.)
_COMMON = 10
_BATCH = 512  # pairs

Keys: TypeAlias = NDArray[np.uint64]
Indices: TypeAlias = NDArray[np.int64]

_NO_KEYS, _NO_POSITIONS = np.zeros(0, np.uint64), np.zeros(0, np.int64)


def run_length(evaluation: EvaluationSet) -> int:
    """N: the words in a row that count as overlap with this set."""
    lengths = [sum(len(normalised(text).split()) for text in item.texts) for item in evaluation.items]
    return min(_LONGEST, max(_SHORTEST, int(np.percentile(lengths, 5))))


@dataclass(frozen=True, slots=True)
class Hit:
    """A training pair and an evaluation item that share `words`, the first run of them in the pair."""

    pair: str
    set: str
    item: str
    words: str


@dataclass(frozen=True, slots=True)
class _Text:
    """A text of an item, normalised, of which `run` words in a row must occur."""

    set: str
    item: str
    words: str
    run: int


class Index:
    """The runs of words of evaluation sets, to be looked up in batches of training pairs.

    Of each run the first eight words make a 64-bit key in a sorted array (16 bytes a run); where a training text has
    the key, the whole run is compared word by word.
    """

    def __init__(self, sets: Sequence[EvaluationSet]) -> None:
        self.sets = tuple(sets)
        self.run_lengths = {evaluation.name: run_length(evaluation) for evaluation in sets}
        self._codes: dict[str, int] = {}  # word → its number, from 1
        self._texts: list[_Text] = []
        self._short: dict[str, list[_Text]] = defaultdict(list)  # by short question
        runs = [(_NO_KEYS, _NO_POSITIONS), *chain.from_iterable(map(self._runs, sets))]
        keys, positions = (np.concatenate(arrays) for arrays in zip(*runs, strict=True))
        order = np.argsort(keys, kind="stable")
        self._keys, self._positions = keys[order], positions[order]

    def _runs(self, evaluation: EvaluationSet) -> Iterator[tuple[Keys, Indices]]:
        """Of the set's runs that are not common: keys of their first words, positions in `_texts` of their texts."""
        longest = self.run_lengths[evaluation.name]
        by_run: dict[int, list[tuple[int, int, list[str]]]] = defaultdict(list)  # item, position, words
        for number, item in enumerate(evaluation.items):
            for nth, text in enumerate(map(normalised, item.texts)):
                words = text.split()
                run = min(longest, len(words))
                if run >= _SHORTEST:
                    by_run[run].append((number, len(self._texts), words))
                    self._texts.append(_Text(evaluation.name, item.id, text, run))
                elif nth == 0 and run:
                    self._short[text].append(_Text(evaluation.name, item.id, text, run))
        for run, texts in sorted(by_run.items()):
            items, positions, words = (list(column) for column in zip(*texts, strict=True))
            for word in dict.fromkeys(chain.from_iterable(words)):
                self._codes.setdefault(word, len(self._codes) + 1)
            owner, _, at = _windows(words, run)
            codes = self._coded(words)
            rare = _in_few_items(_keys(codes, at, run), np.array(items)[owner])
            yield _keys(codes, at[rare], _SHORTEST), np.array(positions)[owner[rare]]

    def _coded(self, texts: Sequence[Sequence[str]]) -> Keys:
        """The numbers of all words, text after text; 0 where no evaluation set has the word."""
        codes = self._codes
        return np.fromiter((codes.get(word, 0) for words in texts for word in words), np.uint64)

    def hits(self, pairs: Sequence[Pair]) -> list[Hit]:
        """What a batch of pairs shares with the sets: a hit for each pair and item, in the order of the pairs."""
        questions = [normalised(pair.question) for pair in pairs]
        texts = [text.split() for text in questions] + [normalised(pair.answer).split() for pair in pairs]
        hits: list[dict[tuple[str, str], Hit]] = [{} for _ in pairs]  # set and item → hit

        def add(number: int, text: _Text, words: str) -> None:
            hits[number].setdefault((text.set, text.item), Hit(pairs[number].id, text.set, text.item, words))

        for number, question in enumerate(questions):
            for text in self._short.get(question, ()):
                add(number, text, question)
        for owner, first, positions in self._run_starts(texts):
            for text in map(self._texts.__getitem__, positions):
                run = texts[owner][first : first + text.run]
                if len(run) == text.run and f" {' '.join(run)} " in f" {text.words} ":
                    add(owner % len(pairs), text, " ".join(run))
        return [hit for of_pair in hits for hit in of_pair.values()]

    def _run_starts(self, texts: Sequence[Sequence[str]]) -> Iterator[tuple[int, int, list[int]]]:
        """Where a run may begin: the text, the word, and the positions of the texts with the same first words."""
        if not len(self._keys):
            return
        owner, first, at = _windows(texts, _SHORTEST)
        keys = _keys(self._coded(texts), at, _SHORTEST)
        left = np.searchsorted(self._keys, keys)
        matches = np.flatnonzero(self._keys.take(left, mode="clip") == keys)
        right = np.searchsorted(self._keys, keys[matches], side="right")
        for match, end in zip(matches.tolist(), right.tolist(), strict=True):
            yield int(owner[match]), int(first[match]), self._positions[left[match] : end].tolist()


def _windows(texts: Sequence[Sequence[str]], run: int) -> tuple[Indices, Indices, Indices]:
    """Every run of that many words: its text, its first word, and that word's position among all words."""
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    owner = np.repeat(np.arange(len(texts)), sizes)
    first = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    at = np.flatnonzero(first + run <= sizes[owner])
    return owner[at], first[at], at


def _keys(codes: Keys, at: Indices, run: int) -> Keys:
    """A hash of each run of word numbers, multiplied and shifted as in SplitMix64."""
    keys = np.zeros(len(at), np.uint64)
    for nth in range(run):
        keys = (keys ^ codes[at + nth]) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys


def _in_few_items(keys: Keys, items: Indices) -> NDArray[np.bool_]:
    """Which of the runs stand in ten items at most."""
    order = np.lexsort((items, keys))
    once = np.append(True, (keys[order][1:] != keys[order][:-1]) | (items[order][1:] != items[order][:-1]))[: len(keys)]
    runs, counts = np.unique(keys[order][once], return_counts=True)  # of each run the items that it stands in
    return counts[np.searchsorted(runs, keys)] <= _COMMON


# --- report ---


@dataclass(frozen=True, slots=True)
class SetOverlap:
    """What the training pairs share with one set, whose N is `words`.

    `examples` are ten hits at most, of the smallest SHA-256 of their ids: a sample that no order changes.
    """

    name: str
    words: int
    items: int
    items_hit: int
    pairs_hit: int
    examples: tuple[Hit, ...]

    @property
    def share(self) -> float:
        """Of the set's items: the paper's dirty part."""
        return self.items_hit / self.items


@dataclass(frozen=True, slots=True)
class Contamination:
    """The report on `read` pairs; `leaked`: id of a pair to leave out → the set of its first shared run of words."""

    read: int
    sets: tuple[SetOverlap, ...]
    leaked: Mapping[str, str]

    def entry(self) -> dict[str, object]:
        """As JSON values, for a manifest."""
        sets = [asdict(overlap) | {"share": overlap.share} for overlap in self.sets]
        return {"read": self.read, "hit": len(self.leaked), "sets": sets}


def contamination(pairs: Iterable[Pair], index: Index) -> Contamination:
    """Compare all training pairs with the index; a few hundred in memory at a time."""
    read = 0
    hits: list[Hit] = []
    for batch in batched(pairs, _BATCH):
        read += len(batch)
        hits += index.hits(batch)
    first: dict[str, str] = {}
    by_set: dict[str, list[Hit]] = {evaluation.name: [] for evaluation in index.sets}
    for hit in hits:
        first.setdefault(hit.pair, hit.set)
        by_set[hit.set].append(hit)
    overlaps = [
        SetOverlap(
            evaluation.name,
            index.run_lengths[evaluation.name],
            len(evaluation.items),
            len({hit.item for hit in by_set[evaluation.name]}),
            len({hit.pair for hit in by_set[evaluation.name]}),
            tuple(sorted(by_set[evaluation.name], key=_random_key)[:EXAMPLES]),
        )
        for evaluation in index.sets
    ]
    return Contamination(read, tuple(overlaps), first)


def _random_key(hit: Hit) -> bytes:
    return sha256(f"{hit.pair}\0{hit.item}".encode()).digest()
