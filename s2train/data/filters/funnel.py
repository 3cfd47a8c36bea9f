"""What the filters did to a set: how many each dropped, for which reasons, with ten examples."""

from __future__ import annotations

import hashlib
from bisect import insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from s2train.data.filters.chain import Verdict
from s2train.data.filters.pii import masked
from s2train.data.records import Pair

EXAMPLES = 10
SHOWN = 200  # characters of an example's texts


@dataclass(frozen=True, slots=True)
class Example:
    """A pair that was dropped: its texts cut to 200 characters, traces of persons masked."""

    id: str
    reason: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Step:
    """One filter: pairs that it dropped, by reason, the most frequent first.

    `examples` are the ten (or fewer) whose ids have the smallest SHA-256: a sample that neither the order of the
    pairs nor the number of processes changes.
    """

    name: str
    reasons: Mapping[str, int]
    examples: tuple[Example, ...]

    @property
    def dropped(self) -> int:
        return sum(self.reasons.values())


@dataclass(slots=True)
class Tally:
    """Counts verdicts of the filters of these names; a pair counts for the first filter that dropped it."""

    names: Sequence[str]
    _reasons: dict[str, Counter[str]] = field(init=False)
    _examples: dict[str, list[tuple[str, Example]]] = field(init=False)

    def __post_init__(self) -> None:
        self._reasons = {name: Counter() for name in self.names}
        self._examples = {name: [] for name in self.names}

    def add(self, pair: Pair, verdict: Verdict | None) -> None:
        """Count one pair; None = it was kept."""
        if verdict is None:
            return
        self._reasons[verdict.filter][verdict.reason] += 1
        rank = hashlib.sha256(pair.id.encode(errors="surrogatepass")).hexdigest()
        examples = self._examples[verdict.filter]
        if len(examples) < EXAMPLES or rank <= examples[-1][0]:
            question, answer = (_excerpt(text) for text in (pair.question, pair.answer))
            insort(examples, (rank, Example(pair.id, verdict.reason, question, answer)), key=_sort_key)
            del examples[EXAMPLES:]

    def steps(self) -> tuple[Step, ...]:
        """The counts until now, by filter."""
        return tuple(
            Step(
                name,
                dict(sorted(self._reasons[name].items(), key=lambda item: (-item[1], item[0]))),
                tuple(example for _, example in self._examples[name]),
            )
            for name in self.names
        )


def _sort_key(ranked: tuple[str, Example]) -> tuple[str, str, str, str]:
    rank, example = ranked
    return rank, example.reason, example.question, example.answer


def _excerpt(text: str) -> str:
    """Masked before it is cut: half an address would not be recognised."""
    text = masked(text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN].rstrip()}…"
