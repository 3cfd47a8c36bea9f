"""What an evaluation comes to, before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Counts:
    """What some requests of one kind come to, with one model.

    Attributes:
        requests: how many.
        truncated: of them, longer than the model's context and cut from the left.
        naive: tokens to read if each request is by itself.
        shared: tokens that are read: the trie's, or on hf's path its own.
        rows: places in them at which the vocabulary head is needed.
        pairs: of a query and a key that it sees, among them.
        new: tokens of answers, at most.
        new_pairs: the same for these.
        longest: tokens of the longest sequence, with its answer.
        by_hf: reason → requests that go through hf's path for it.
    """

    requests: int = 0
    truncated: int = 0
    naive: int = 0
    shared: int = 0
    rows: int = 0
    pairs: int = 0
    new: int = 0
    new_pairs: int = 0
    longest: int = 0
    by_hf: Mapping[str, int] = field(default_factory=dict[str, int])


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
