"""Counts and histograms of many pairs, in bounded memory: merged in order, tallies of batches give the same bytes."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)

Group = tuple[str, str]
"""A kind of name, and a name."""

DIFFERENT = 400_000  # names that are counted apart; of words some 60 MB
BINS = 1_000_000  # on either side of 0; numbers further out count in the last bin


@dataclass(slots=True)
class Counts(Generic[Name]):
    """Occurrences by name; above `most` different names the rarest are forgotten, and `forgotten` counts them."""

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
        """Keep half of `most`, or fewer where many are equally rare, so that the names' order does not matter."""
        if len(self.counts) > self.most:
            rare = sorted(self.counts.values(), reverse=True)[self.most // 2]
            for name in [name for name, count in self.counts.items() if count <= rare]:
                self.forgotten += self.counts.pop(name)


@dataclass(slots=True)
class Histogram:
    """Numbers in bins of one width, with their exact mean and standard deviation.

    Bin `key` holds numbers from `key * width` to less than `(key + 1) * width`; whole numbers have width 1.
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
        return self.total / self.n

    @property
    def deviation(self) -> float:
        """The population standard deviation, √(mean of squares - square of the mean)."""
        return math.sqrt(max(0.0, self.squares / self.n - self.mean**2))

    def values(self) -> Iterator[tuple[float, int]]:
        """Number and count, ascending; a bin less than 1 wide stands for its middle."""
        for key, count in sorted(self.bins.items()):
            yield key * self.width if self.width == 1 else (key + 0.5) * self.width, count

    def percentile(self, share: float) -> float:
        """The nearest rank: the least number that at least this share of all numbers does not exceed."""
        rank, seen = share * self.n, 0
        for value, count in self.values():
            seen += count
            if seen >= rank:
                return value
        raise ValueError("percentile of no numbers")

    def below(self, bounds: Sequence[float], *, inclusive: bool = False) -> list[int]:
        """How many numbers are less than each bound, or equal to it if `inclusive`."""
        values, counts = zip(*self.values(), strict=True)
        totals = [0, *accumulate(counts)]
        bisect = bisect_right if inclusive else bisect_left
        return [totals[bisect(values, bound)] for bound in bounds]

    def counted(self, edges: Sequence[float]) -> list[int]:
        """How many numbers lie between each two edges, the lower edge included."""
        return [high - low for low, high in pairwise(self.below(edges))]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is measured of one pair.

    Attributes:
        numbers: by measure.
        names: by kind of name.
        groups: those under which its words are counted as well.
        drawn: False where the pair before it has the same question.
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
        drawn: pairs with a question of their own.
        words: in how many pairs each word occurs.
        by_group: the same by group; the more groups, the fewer words of each are counted apart.
    """

    pairs: int = 0
    drawn: int = 0
    numbers: dict[str, Histogram] = field(default_factory=dict[str, Histogram])
    names: dict[str, Counts[Hashable]] = field(default_factory=dict[str, Counts[Hashable]])
    words: Counts[str] = field(default_factory=Counts[str])
    by_group: dict[Group, Counts[str]] = field(default_factory=dict["Group", Counts[str]])

    def add(self, facts: Facts, widths: Mapping[str, float]) -> None:
        """Count one pair; `widths` are the bins of the measures."""
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
        self.pairs += other.pairs
        self.drawn += other.drawn
        for name, histogram in other.numbers.items():
            self.numbers.setdefault(name, Histogram(histogram.width)).merge(histogram)
        for kind, counts in other.names.items():
            self.names.setdefault(kind, Counts()).merge(counts)
        self.words.merge(other.words)
        for group, counts in other.by_group.items():
            own = self.by_group.setdefault(group, Counts())
            own.most = max(DIFFERENT // len(self.by_group), 1)
            own.merge(counts)

    def shares(self, kind: str) -> dict[Hashable, int]:
        """Pairs by name, the most frequent first, equally frequent ones by name; empty if no pair has such a name."""
        counts = self.names[kind].counts if kind in self.names else {}
        return dict(sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))))


def merged(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.merge(tally)
    return total
