"""Contamination: which training pairs share words in a row with an item of an evaluation set.

As in the paper of GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C): an overlap of N words, case and
punctuation ignored, N the 5th percentile of the lengths of a set's items in words, but at least 8 and at most 13;
a shorter text must occur whole. Two things differ, and are said at `_SHORTEST` and `_COMMON`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from s2train.data.build.split import normalised
from s2train.data.dedup.evaluations import EvaluationSet
from s2train.data.records import Pair

EXAMPLES = 10  # of each set

# A text of fewer words would occur by chance: such a question counts where it is the whole training question, such
# an answer never.
_SHORTEST = 8
_LONGEST = 13
# What stands in more items of a set is its phrasing and leaks nothing. (The paper counts in the training texts: an
# item that leaked eleven times would be common.)
_COMMON = 10
_BATCH = 512  # pairs

Keys: TypeAlias = NDArray[np.uint64]
Indices: TypeAlias = NDArray[np.int64]

_NO_KEYS, _NO_PLACES = np.zeros(0, np.uint64), np.zeros(0, np.int64)


def run_length(one: EvaluationSet) -> int:
    """N: the words in a row that count as overlap with this set."""
    lengths = [sum(len(normalised(text).split()) for text in item.texts) for item in one.items]
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
        self.run_lengths = {one.name: run_length(one) for one in sets}
        self._codes: dict[str, int] = {}  # word → its number, from 1
        self._texts: list[_Text] = []
        self._whole: dict[str, list[_Text]] = defaultdict(list)  # by short question
        found = [(_NO_KEYS, _NO_PLACES), *(runs for one in sets for runs in self._runs(one))]
        keys, places = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        order = np.argsort(keys, kind="stable")
        self._starts, self._places = keys[order], places[order]

    def _runs(self, one: EvaluationSet) -> Iterator[tuple[Keys, Indices]]:
        """Of the set's runs that are not common: keys of their first words, places of the texts that they stand in."""
        longest = self.run_lengths[one.name]
        by_run: dict[int, list[tuple[int, int, list[str]]]] = defaultdict(list)  # item, place, words
        for number, item in enumerate(one.items):
            for nth, text in enumerate(map(normalised, item.texts)):
                words = text.split()
                run = min(longest, len(words))
                if run >= _SHORTEST:
                    by_run[run].append((number, len(self._texts), words))
                    self._texts.append(_Text(one.name, item.id, text, run))
                elif nth == 0 and run:
                    self._whole[text].append(_Text(one.name, item.id, text, run))
        for run, texts in sorted(by_run.items()):
            items, places, words = (list(column) for column in zip(*texts, strict=True))
            for word in {word: None for some in words for word in some}:
                self._codes.setdefault(word, len(self._codes) + 1)
            owner, _, at = _windows(words, run)
            codes = self._coded(words)
            rare = _in_few_items(_keys(codes, at, run), np.array(items)[owner])
            yield _keys(codes, at[rare], _SHORTEST), np.array(places)[owner[rare]]

    def _coded(self, texts: Sequence[Sequence[str]]) -> Keys:
        """The numbers of all words, text after text; 0 where no evaluation set has the word."""
        known = self._codes
        return np.fromiter((known.get(word, 0) for words in texts for word in words), np.uint64)

    def hits(self, pairs: Sequence[Pair]) -> list[Hit]:
        """What a batch of pairs shares with the sets: a hit for each pair and item, in the order of the pairs."""
        questions = [normalised(pair.question) for pair in pairs]
        texts = [text.split() for text in questions] + [normalised(pair.answer).split() for pair in pairs]
        found: list[dict[tuple[str, str], Hit]] = [{} for _ in pairs]  # set and item → hit

        def add(number: int, text: _Text, words: str) -> None:
            found[number].setdefault((text.set, text.item), Hit(pairs[number].id, text.set, text.item, words))

        for number, question in enumerate(questions):
            for text in self._whole.get(question, ()):
                add(number, text, question)
        for owner, first, places in self._begun(texts):
            for text in map(self._texts.__getitem__, places):
                run = texts[owner][first : first + text.run]
                if len(run) == text.run and f" {' '.join(run)} " in f" {text.words} ":
                    add(owner % len(pairs), text, " ".join(run))
        return [hit for of_pair in found for hit in of_pair.values()]

    def _begun(self, texts: Sequence[Sequence[str]]) -> Iterator[tuple[int, int, list[int]]]:
        """Where a run may begin: the text, the word, and the places of the texts with the same first words."""
        if not len(self._starts):
            return
        owner, first, at = _windows(texts, _SHORTEST)
        keys = _keys(self._coded(texts), at, _SHORTEST)
        left = np.searchsorted(self._starts, keys)
        there = np.flatnonzero(self._starts.take(left, mode="clip") == keys)
        right = np.searchsorted(self._starts, keys[there], side="right")
        for one, until in zip(there.tolist(), right.tolist(), strict=True):
            yield int(owner[one]), int(first[one]), self._places[left[one] : until].tolist()


def _windows(texts: Sequence[Sequence[str]], run: int) -> tuple[Indices, Indices, Indices]:
    """Every run of that many words: its text, its first word there, and that word's place among all words."""
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
    """What the training pairs share with one set.

    Attributes:
        words: N of the set.
        items, items_hit: how many the set has, and how many of them share words with any pair.
        pairs_hit: training pairs.
        examples: ten hits at most, of the smallest SHA-256 of their ids: a sample that no order changes.
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
    """The report.

    Attributes:
        read: pairs.
        sets: what they share with each.
        found: id of a pair to leave out → the set of the first run of words found, in the order of the pairs.
    """

    read: int
    sets: tuple[SetOverlap, ...]
    found: Mapping[str, str]

    @property
    def drop(self) -> tuple[str, ...]:
        """The ids of the pairs to leave out, in their order."""
        return tuple(self.found)

    def entry(self) -> dict[str, Any]:
        """As JSON values, for a manifest."""
        sets = [asdict(one) | {"share": one.share} for one in self.sets]
        return {"read": self.read, "hit": len(self.found), "sets": sets}

    def lines(self) -> list[str]:
        """As lines of text to print, without the examples."""
        head = f"  {'evaluation set':<20}{'words':>6}{'items':>9}{'hit':>9}{'share':>9}{'pairs':>9}"
        rows = [
            f"  {one.name:<20}{one.words:>6}{one.items:>9,}{one.items_hit:>9,}{one.share:>9.2%}{one.pairs_hit:>9,}"
            for one in self.sets
        ]
        return [head, *rows, f"  {len(self.found):,} of {self.read:,} pairs to leave out"]


def contamination(pairs: Iterable[Pair], index: Index) -> Contamination:
    """Look all training pairs up; a few hundred in memory at a time."""
    read = 0
    found: list[Hit] = []
    source = iter(pairs)
    while batch := list(islice(source, _BATCH)):
        read += len(batch)
        found += index.hits(batch)
    by_set: dict[str, list[Hit]] = {one.name: [] for one in index.sets}
    for hit in found:
        by_set[hit.set].append(hit)
    first: dict[str, str] = {}
    for hit in found:
        first.setdefault(hit.pair, hit.set)
    overlaps = tuple(_overlap(one, index.run_lengths[one.name], by_set[one.name]) for one in index.sets)
    return Contamination(read, overlaps, first)


def _overlap(one: EvaluationSet, words: int, hits: Sequence[Hit]) -> SetOverlap:
    sample = sorted(hits, key=lambda hit: sha256(f"{hit.pair}\0{hit.item}".encode()).digest())[:EXAMPLES]
    items, pairs = {hit.item for hit in hits}, {hit.pair for hit in hits}
    return SetOverlap(one.name, words, len(one.items), len(items), len(pairs), tuple(sample))
