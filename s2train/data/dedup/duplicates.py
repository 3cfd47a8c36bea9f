"""Near-duplicate texts: MinHash and banding propose pairs, the exact Jaccard similarity decides, union-find joins.

MinHash: Broder 1997, "On the resemblance and containment of documents". Banding: Leskovec, Rajaraman, Ullman, "Mining
of Massive Datasets", 3.4. NumPy computes the signatures in less time than it takes to get a library's out of it.

Shingles are runs of four characters. On 1,483 questions of three subreddits they recognised (similarity ≥ 0.8) 84% with
two letters swapped, 93% with a small word dropped, 95% with a plural changed; runs of two words 39, 50 and 32%, single
words 80, 98 and 81%, but these took 81% with another noun for the same question, the four characters 49%.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from s2train.data.build.split import normalised
from s2train.data.engine import HERE, Engine

Indices: TypeAlias = NDArray[np.int64]

THRESHOLD = 0.8
WIDTH = 4  # UTF-16 units a shingle: 64 bits, so that a shingle is a number and no two share one
BANDS, ROWS = 18, 7
PERMUTATIONS = BANDS * ROWS
MIN_AGREEMENT = 78  # of 126; a pair of similarity 0.8 agrees in fewer with probability 8e-7 (binomial)

_TEXTS_A_CHUNK = 5_000
_PAIRS_A_BLOCK = 65_536
_SEED = 20231  # of the permutations; another finds other pairs of those that banding misses


def chance(similarity: float) -> float:
    """The probability that banding proposes a pair of that Jaccard similarity: 1 - (1 - s^rows)^bands.

    >>> [round(chance(similarity), 4) for similarity in (0.3, 0.5, 0.7, 0.8, 0.85, 0.9)]
    [0.0039, 0.1317, 0.7922, 0.9855, 0.999, 1.0]
    """
    return 1 - (1 - similarity**ROWS) ** BANDS


def jaccard(first: str, second: str) -> float:
    """|A ∩ B| / |A ∪ B| of the shingles of two texts; 1.0 where their words are the same."""
    return _similarity(normalised(first), normalised(second))


def near_duplicates(texts: Sequence[str], *, threshold: float = THRESHOLD, engine: Engine = HERE) -> Indices:
    """For each text the position of the first text of its cluster: a text at its own position is the one to keep.

    Two texts share a cluster if a chain of pairs with at least that similarity joins them. A pair is detected with
    probability `chance(similarity)` or more; none below the threshold is ever joined. Clusters depend neither on the
    order of texts nor on `engine`. Texts without a word count as the same.

    Memory: the texts, and once more, normalised, with about 350 bytes for each distinct one.

    Raises:
        ValueError: a threshold under 0.8, for which the bands are too narrow, or over 1.
    """
    _check_threshold(threshold)
    distinct, distinct_of = _distinct(texts)
    forest = Forest(len(distinct))
    for left, right in _near(distinct, threshold, engine, forest):
        forest.join(left, right)
    return _firsts(distinct_of)[
        forest.roots(distinct_of)
    ]  # the root of a cluster is the distinct text that appears first


def near_pairs(texts: Sequence[str], *, threshold: float = THRESHOLD, engine: Engine = HERE) -> list[tuple[int, int]]:
    """Every pair of positions (the smaller first, sorted) that is detected, to inspect and to measure.

    Of texts with the same words only the first is paired. Quadratic in the size of clusters, unlike `near_duplicates`.
    """
    _check_threshold(threshold)
    distinct, distinct_of = _distinct(texts)
    firsts = _firsts(distinct_of)
    pairs = set(_near(distinct, threshold, engine, None))
    return sorted((int(firsts[left]), int(firsts[right])) for left, right in pairs)


def _check_threshold(threshold: float) -> None:
    if not THRESHOLD <= threshold <= 1:
        raise ValueError(f"threshold must lie between {THRESHOLD} and 1, not {threshold}: the bands are made for those")


def _distinct(texts: Sequence[str]) -> tuple[list[str], Indices]:
    """The different normalised texts in the order in which they appear, and for each text the number of its own."""
    numbers: dict[str, int] = {}
    distinct_of = (numbers.setdefault(normalised(text), len(numbers)) for text in texts)
    indices = np.fromiter(distinct_of, np.int64, len(texts))
    return list(numbers), indices


def _firsts(distinct_of: Indices) -> Indices:
    """The position at which each distinct text appears first."""
    return np.unique(distinct_of, return_index=True)[1]


# --- shingles and signatures ---


def _units(text: str) -> bytes:
    """The normalised text in UTF-16, a blank on either side, at least one shingle long."""
    return f" {text} ".ljust(WIDTH).encode("utf-16-le")  # no lone surrogate: none is part of a word


@lru_cache(maxsize=1024)  # texts of one bucket come one after the other
def _shingles(text: str) -> frozenset[int]:
    units = _units(text)
    every_fourth = (units[at : at + (len(units) - at) // 8 * 8] for at in range(0, 2 * WIDTH, 2))
    return frozenset(chain.from_iterable(memoryview(some).cast("Q") for some in every_fourth))


def _similarity(first: str, second: str) -> float:
    left, right = _shingles(first), _shingles(second)
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)


def signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    """MinHash signatures (texts, 126) of normalised texts, none of them without shingles.

    A shingle's 64 bits are mixed (SplitMix64's finaliser, a bijection), cut to 32, and permuted by
    x → a(x ⊕ b) mod 2³² with a random odd a.
    """
    units = [_units(text) for text in texts]
    sizes = np.fromiter(map(len, units), np.int64, len(units)) // 2 - (WIDTH - 1)
    flat = np.frombuffer(b"".join(units), "<u2").astype(np.uint64)
    runs = flat[: len(flat) - WIDTH + 1].copy()
    for nth in range(1, WIDTH):
        runs |= flat[nth : len(flat) - WIDTH + 1 + nth] << np.uint64(16 * nth)
    ends = np.cumsum(sizes + WIDTH - 1)
    inside = np.ones(len(runs), bool)
    for nth in range(1, WIDTH):
        inside[ends[:-1] - nth] = False  # a run over the border of two texts
    mixed = (_mix(runs[inside]) >> np.uint64(32)).astype(np.uint32)
    starts = np.cumsum(sizes) - sizes
    random = np.random.Generator(np.random.PCG64(_SEED))
    numbers = random.integers(0, 2**32, (2, PERMUTATIONS), dtype=np.uint32)
    out = np.empty((len(texts), PERMUTATIONS), np.uint32)
    for column, (factor, mask) in enumerate(zip(numbers[0] | np.uint32(1), numbers[1], strict=True)):
        out[:, column] = np.minimum.reduceat((mixed ^ mask) * factor, starts)
    return out


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _table(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """A digest of the signatures: a key for each band (texts, 18), and one byte of each minimum (texts, 126)."""
    minima = signatures(texts)
    keys = np.zeros((len(texts), BANDS), np.uint64)
    for row in range(ROWS):
        keys = _mix(keys ^ minima[:, row::ROWS])
    return keys, minima.astype(np.uint8)  # the low byte; the high ones of a minimum say little


def _tables(texts: Sequence[str], engine: Engine) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    keys = np.empty((BANDS, len(texts)), np.uint64)
    sketch = np.empty((len(texts), PERMUTATIONS), np.uint8)
    chunks = (texts[at : at + _TEXTS_A_CHUNK] for at in range(0, len(texts), _TEXTS_A_CHUNK))
    if len(texts) <= _TEXTS_A_CHUNK:
        engine = HERE  # faster than sending
    for number, (some_keys, some_sketch) in enumerate(engine.map(_table, chunks)):
        at = slice(number * _TEXTS_A_CHUNK, number * _TEXTS_A_CHUNK + len(some_keys))
        keys[:, at], sketch[at] = some_keys.T, some_sketch
    return keys, sketch


# --- pairs and clusters ---


class Forest:
    """Disjoint sets of numbers; the smallest of a set is its root."""

    def __init__(self, size: int) -> None:
        self._parents = np.arange(size)

    def roots(self, numbers: Indices) -> Indices:
        """The root of each."""
        roots = self._parents[numbers]
        while not np.array_equal(above := self._parents[roots], roots):
            roots = above
        self._parents[numbers] = roots
        return roots

    def join(self, left: int, right: int) -> None:
        left, right = self._root(left), self._root(right)
        self._parents[max(left, right)] = min(left, right)

    def joined(self, left: int, right: int) -> bool:
        return self._root(left) == self._root(right)

    def _root(self, number: int) -> int:
        while (parent := int(self._parents[number])) != number:
            self._parents[number] = self._parents[parent]
            number = parent
        return number


def _near(texts: list[str], threshold: float, engine: Engine, forest: Forest | None) -> Iterator[tuple[int, int]]:
    """Pairs of different normalised texts with that similarity, the smaller position first.

    With a forest, into which the caller joins each pair, pairs of joined texts are skipped: that changes no cluster,
    and keeps the work on large ones from growing with the square.
    """
    if not texts:
        return
    keys, sketch = _tables(texts, engine)
    for band in keys:
        for left, right in _proposed(band, forest):
            for at in range(0, len(left), _PAIRS_A_BLOCK):
                some, others = left[at : at + _PAIRS_A_BLOCK], right[at : at + _PAIRS_A_BLOCK]
                if forest:
                    apart = forest.roots(some) != forest.roots(others)
                    some, others = some[apart], others[apart]
                alike = np.count_nonzero(sketch[some] == sketch[others], axis=1) >= MIN_AGREEMENT
                for a, b in zip(some[alike].tolist(), others[alike].tolist(), strict=True):
                    if not (forest and forest.joined(a, b)) and _similarity(texts[a], texts[b]) >= threshold:
                        yield a, b


def _proposed(keys: NDArray[np.uint64], forest: Forest | None) -> Iterator[tuple[Indices, Indices]]:
    """Every pair of positions with equal keys: neighbours in a bucket first, then every second, every third …

    Buckets that have become one cluster drop out between the rounds.
    """
    members = np.argsort(keys, kind="stable")
    buckets = keys[members]
    distance = 1
    while True:
        equal = buckets[distance:] == buckets[:-distance]
        if not equal.any():
            return
        yield members[:-distance][equal], members[distance:][equal]
        distance += 1
        starts = np.flatnonzero(np.append(True, buckets[1:] != buckets[:-1]))
        sizes = np.diff(starts, append=len(buckets))
        stay = sizes > distance
        if forest:
            roots = forest.roots(members)
            stay &= np.minimum.reduceat(roots, starts) != np.maximum.reduceat(roots, starts)
        stays = np.repeat(stay, sizes)
        members, buckets = members[stays], buckets[stays]
