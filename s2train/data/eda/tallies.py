"""What many pairs have in common, in bounded memory: counts and histograms that can be added up.

Tallies of parts of a set, merged in the order of the parts, give the same bytes in every process.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)

Group = tuple[str, str]
"""A kind of name, and a name."""

DIFFERENT = 400_000  # names that are told apart; of words some 60 MB
BINS = 1_000_000  # on either side of 0: what lies further out counts in the last


@dataclass(slots=True)
class Counts(Generic[Name]):
    """How often each of many names came; where there are too many different ones, the rarest are forgotten.

    Attributes:
        counts: name → how often, of those that are remembered.
        forgotten: occurrences of the others.
        most: names that are told apart.
    """

    counts: Counter[Name] = field(default_factory=Counter)
    forgotten: int = 0
    most: int = DIFFERENT

    @property
    def total(self) -> int:
        return self.counts.total() + self.forgotten

    def add(self, names: Iterable[Name]) -> None:
        self.counts.update(names)
        self._forget()

    def merge(self, other: Counts[Name]) -> None:
        self.counts.update(other.counts)
        self.forgotten += other.forgotten
        self._forget()

    def _forget(self) -> None:
        """Half of `most` stay, or fewer where many are equally rare: which, does not depend on their order."""
        if len(self.counts) > self.most:
            rare = sorted(self.counts.values(), reverse=True)[self.most // 2]
            for name in [name for name, count in self.counts.items() if count <= rare]:
                self.forgotten += self.counts.pop(name)

    def ordered(self) -> list[tuple[Name, int]]:
        """The most frequent first; equally frequent ones by their names."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], str(item[0])))


@dataclass(slots=True)
class Histogram:
    """Numbers in bins of one width, with their exact mean and standard deviation.

    A bin holds what is at least `key * width` and less than `(key + 1) * width`.

    Attributes:
        width: of a bin; 1 for whole numbers.
        bins: key → how many.
        total, squares: sums of the numbers and of their squares.
    """

    width: float
    bins: Counter[int] = field(default_factory=Counter[int])
    total: float = 0.0
    squares: float = 0.0

    @property
    def n(self) -> int:
        return self.bins.total()

    def add(self, value: float) -> None:
        self.bins[max(-BINS, min(BINS, math.floor(value / self.width)))] += 1
        self.total += value
        self.squares += value * value

    def merge(self, other: Histogram) -> None:
        if self.width != other.width:
            raise ValueError(f"bins of {self.width} and of {other.width}")
        self.bins.update(other.bins)
        self.total += other.total
        self.squares += other.squares

    @property
    def mean(self) -> float:
        """Of one number at least."""
        return self.total / self.n

    @property
    def deviation(self) -> float:
        """The standard deviation of these numbers, √(mean of squares - square of the mean)."""
        return math.sqrt(max(0.0, self.squares / self.n - self.mean**2))

    def percentile(self, share: float) -> float:
        """The least number that so many of all do not exceed (nearest rank); of bins less than 1 wide their middle."""
        wanted, seen = share * self.n, 0
        for key, count in sorted(self.bins.items()):
            seen += count
            if seen >= wanted:
                return self._shown(key)
        raise ValueError("percentile of no numbers")

    def counted(self, edges: Sequence[float]) -> list[int]:
        """How many lie between each two edges, the lower one included."""
        counts, place = [0] * (len(edges) - 1), 0
        for value, count in self.values():
            while place < len(edges) and value >= edges[place]:
                place += 1
            if 0 < place < len(edges):
                counts[place - 1] += count
        return counts

    def values(self) -> Iterator[tuple[float, int]]:
        """Number → how many, ascending; a bin stands for what it shows."""
        for key, count in sorted(self.bins.items()):
            yield self._shown(key), count

    def _shown(self, key: int) -> float:
        return key * self.width if self.width == 1 else (key + 0.5) * self.width


@dataclass(frozen=True, slots=True)
class Facts:
    """What is measured of one pair.

    Attributes:
        numbers: measure → value.
        names: what it is one of, kind → name.
        words: its different words.
        groups: to which the words are counted as well.
        drawn: whether it comes of a question of its own; not, where the pair before has the same.
    """

    numbers: Mapping[str, float]
    names: Mapping[str, Hashable]
    words: frozenset[str] = frozenset()
    groups: tuple[Group, ...] = ()
    drawn: bool = True


@dataclass(slots=True)
class Tally:
    """The facts of many pairs.

    Attributes:
        pairs: how many.
        drawn: how many of them come of a question of their own.
        numbers: measure → histogram.
        names: kind → how many pairs are of each name.
        words: in how many pairs each word stands.
        by_group: the same by group; the more groups, the fewer words of each are told apart.
    """

    pairs: int = 0
    drawn: int = 0
    numbers: dict[str, Histogram] = field(default_factory=dict[str, Histogram])
    names: dict[str, Counts[Hashable]] = field(default_factory=dict[str, Counts[Hashable]])
    words: Counts[str] = field(default_factory=Counts[str])
    by_group: dict[Group, Counts[str]] = field(default_factory=dict["Group", Counts[str]])

    def add(self, facts: Facts, widths: Mapping[str, float]) -> None:
        """Count one pair; `widths` are the measures' bins."""
        self.pairs += 1
        self.drawn += facts.drawn
        for name, value in facts.numbers.items():
            self.numbers.setdefault(name, Histogram(widths[name])).add(value)
        for kind, name in facts.names.items():
            self.names.setdefault(kind, Counts()).add((name,))
        self.words.add(facts.words)
        for group in facts.groups:
            self.by_group.setdefault(group, Counts()).add(facts.words)

    def merge(self, other: Tally) -> None:
        """Add what another counted."""
        self.pairs += other.pairs
        self.drawn += other.drawn
        for name, histogram in other.numbers.items():
            self.numbers.setdefault(name, Histogram(histogram.width)).merge(histogram)
        for kind, counts in other.names.items():
            self.names.setdefault(kind, Counts()).merge(counts)
        self.words.merge(other.words)
        for group, counts in other.by_group.items():
            mine = self.by_group.setdefault(group, Counts())
            mine.most = max(DIFFERENT // len(self.by_group), 1)
            mine.merge(counts)

    def number(self, name: str) -> Histogram | None:
        """A measure, where a pair at least has it."""
        return self.numbers.get(name)

    def shares(self, kind: str) -> dict[Hashable, int]:
        """Name → pairs, the most frequent first; empty where no pair is of that kind."""
        return dict(self.names[kind].ordered()) if kind in self.names else {}

    def split_words(self, group: Group) -> tuple[Counts[str], Counts[str]]:
        """The words of a group's pairs, and those of all others."""
        own = self.by_group[group]
        return own, Counts(self.words.counts - own.counts)


def merged(tallies: Iterable[Tally]) -> Tally:
    """All as one, in their order."""
    whole = Tally()
    for tally in tallies:
        whole.merge(tally)
    return whole
