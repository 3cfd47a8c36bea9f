"""What an evaluation comes to, before it is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Passes:
    """Forward passes, as their arithmetic sees them.

    Attributes:
        tokens: that are computed.
        pairs: of a query and a key that it sees, among them.
        rows: places in them at which the vocabulary head is needed.
    """

    tokens: int = 0
    pairs: int = 0
    rows: int = 0

    def __add__(self, other: Passes) -> Passes:
        return Passes(self.tokens + other.tokens, self.pairs + other.pairs, self.rows + other.rows)


def alone(lengths: Iterable[int], *, everywhere: bool) -> Passes:
    """Sequences of so many tokens, each by itself; the head at each of their tokens, or at the last."""
    found = Passes()
    for length in lengths:
        found += Passes(length, length * (length + 1) // 2, length if everywhere else 1)
    return found


@dataclass(frozen=True, slots=True)
class Counts:
    """What some requests of one kind come to, with one model.

    Attributes:
        requests: how many.
        truncated: of them, longer than the model's context and cut from the left.
        naive: tokens to read if each request is by itself.
        read: what is read: the trie, or on hf's path its own batches.
        written: answers, at most.
        checks: the backend's comparison of the first document with hf's path.
        longest: tokens of the longest sequence, with its answer.
        fallbacks: reason → requests that go through hf's path for it.
    """

    requests: int = 0
    truncated: int = 0
    naive: int = 0
    read: Passes = field(default_factory=Passes)
    written: Passes = field(default_factory=Passes)
    checks: Passes = field(default_factory=Passes)
    longest: int = 0
    fallbacks: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Fit:
    """What is held at once.

    Attributes:
        tokens: of a forward pass.
        width: answers, or requests of hf's, that are computed together.
        memory: bytes, weights included.
        free: bytes that are free there now.
    """

    tokens: int
    width: int
    memory: int
    free: int
