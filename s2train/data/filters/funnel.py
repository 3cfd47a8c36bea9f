"""What the filters did to a set: how many each dropped, for which reasons, with ten examples."""

from __future__ import annotations

import hashlib
from bisect import insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

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


@dataclass(frozen=True, slots=True)
class FilterFunnel:
    """What became of the pairs that were read; a pair counts for the first filter that dropped it."""

    read: int
    steps: tuple[Step, ...]

    @property
    def kept(self) -> int:
        return self.read - sum(step.dropped for step in self.steps)

    @property
    def dropped(self) -> Mapping[str, int]:
        """By filter, in their order."""
        return {step.name: step.dropped for step in self.steps}

    def entry(self) -> dict[str, Any]:
        """As JSON values, for a manifest; the same pairs give the same bytes."""
        steps = [
            {
                "filter": step.name,
                "dropped": step.dropped,
                "reasons": dict(step.reasons),
                "examples": [asdict(example) for example in step.examples],
            }
            for step in self.steps
        ]
        return {"read": self.read, "filters": steps, "kept": self.kept}

    def lines(self) -> list[str]:
        """As lines of text to print, without the examples."""
        lines = [f"  {'read':<34}{self.read:>9,}"]
        for step in self.steps:
            lines.append(f"  {f'- {step.name}':<34}{step.dropped:>9,}")
            lines += [f"      {reason:<30}{count:>9,}" for reason, count in step.reasons.items()]
        return [*lines, f"  {'= kept':<34}{self.kept:>9,}"]


@dataclass(slots=True)
class Tally:
    """Counts verdicts of the filters of these names. Tallies of parts of a set, merged in any order, give its tally."""

    names: Sequence[str]
    read: int = 0
    _reasons: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    _examples: dict[str, list[tuple[str, Example]]] = field(default_factory=dict[str, list[tuple[str, Example]]])

    def __post_init__(self) -> None:
        for name in self.names:
            self._reasons[name], self._examples[name] = Counter(), []

    def add(self, pair: Pair, verdict: Verdict | None) -> None:
        """Count one pair; None = it was kept."""
        self.read += 1
        if verdict is None:
            return
        self._reasons[verdict.filter][verdict.reason] += 1
        rank = hashlib.sha256(pair.id.encode(errors="surrogatepass")).hexdigest()
        examples = self._examples[verdict.filter]
        if len(examples) < EXAMPLES or rank <= examples[-1][0]:
            question, answer = (_excerpt(text) for text in (pair.question, pair.answer))
            self._insert(verdict.filter, (rank, Example(pair.id, verdict.reason, question, answer)))

    def merge(self, other: Tally) -> None:
        """Add what another counted."""
        self.read += other.read
        for name in self.names:
            self._reasons[name].update(other._reasons[name])
            for example in other._examples[name]:
                self._insert(name, example)

    def _insert(self, name: str, example: tuple[str, Example]) -> None:
        insort(self._examples[name], example, key=_sort_key)
        del self._examples[name][EXAMPLES:]

    def funnel(self) -> FilterFunnel:
        """The counts until now."""
        steps: list[Step] = []
        for name in self.names:
            reasons = sorted(self._reasons[name].items(), key=lambda item: (-item[1], item[0]))
            steps.append(Step(name, dict(reasons), tuple(example for _, example in self._examples[name])))
        return FilterFunnel(self.read, tuple(steps))


def _sort_key(ranked: tuple[str, Example]) -> tuple[str, str, str, str]:
    rank, example = ranked
    return rank, example.reason, example.question, example.answer


def _excerpt(text: str) -> str:
    """Masked before it is cut: half an address would not be recognised."""
    text = masked(text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN].rstrip()}…"
