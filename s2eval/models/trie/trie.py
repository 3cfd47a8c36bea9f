"""The token trie of many sequences, laid flat: every shared prefix occurs once.

The tokens lie in depth-first order, so that a subtree is a range without gaps: token j is an ancestor of token i, or i
itself, exactly if `j <= i < end[j]`. Any slice of the order can be computed in one forward pass, given the keys and
values of the ancestors of its first token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Trie:
    """n distinct prefixes of S sequences, in depth-first order.

    Attributes:
        tokens: (n,) token ids.
        depth: (n,) position of each token in its sequences, 0 first; the number of its ancestors.
        end: (n,) index behind the last token of its subtree.
        tails: for each of the S sequences, where its last tokens lie (as many as `build` is asked for).
    """

    tokens: Ints
    depth: Ints
    end: Ints
    tails: list[Ints]

    def __len__(self) -> int:
        return len(self.tokens)


def build(sequences: Sequence[Sequence[int]], tails: Sequence[int] | None = None, first: Sequence[int] = ()) -> Trie:
    """The trie of sequences of one token (0 to 2³¹ - 1) or more; equal ones share everything.

    Args:
        tails: how many of each sequence's last tokens to locate, at most its length; None = 1 each.
        first: where the order begins: at the branches that go along with this sequence.
    """
    wanted = [1] * len(sequences) if tails is None else tails
    interned: dict[bytes, bytes] = {}
    turned = np.asarray(first, dtype=">i4")
    keys = [interned.setdefault(key, key) for key in (_key(sequence, turned) for sequence in sequences)]
    numbers, shared = _sorted(keys)
    longest = max(map(len, sequences), default=0)
    total = sum(map(len, sequences)) - sum(shared)
    tokens, depth, end = (np.empty(total, np.int32) for _ in range(3))
    path = np.empty(longest, np.int32)  # where the tokens of the present sequence lie, by depth
    located: list[Ints] = [path[:0]] * len(keys)
    here = open_depth = 0
    for number, prefix in zip(numbers, shared, strict=True):
        sequence = sequences[number]
        new = len(sequence) - prefix
        if new:
            end[path[prefix:open_depth]] = here
            tokens[here : here + new] = sequence[prefix:]
            depth[here : here + new] = np.arange(prefix, len(sequence))
            path[prefix : len(sequence)] = np.arange(here, here + new)
            here, open_depth = here + new, len(sequence)
        located[number] = path[len(sequence) - wanted[number] : len(sequence)].copy()
    end[path[:open_depth]] = here
    return Trie(tokens, depth, end, located)


def count(sequences: Iterable[Sequence[int]]) -> int:
    """The tokens of the trie of those sequences, without building it."""
    keys = list({_key(sequence) for sequence in sequences})
    return sum(map(len, keys)) // 4 - sum(_sorted(keys)[1])


def order(sequences: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """The sequences' numbers in the trie's order, and how many tokens each of them adds to those before it."""
    numbers, shared = _sorted([_key(sequence) for sequence in sequences])
    return numbers, [len(sequences[number]) - prefix for number, prefix in zip(numbers, shared, strict=True)]


def _key(sequence: Sequence[int], turned: NDArray[np.int32] | None = None) -> bytes:
    """Big-endian, so that bytes sort as the tokens do, at the speed of memcmp.

    Each token is combined by exclusive or with the one at its place in `turned`, which becomes nothing but zeros
    itself and so sorts first; two keys begin alike exactly as far as their sequences do.
    """
    key = np.array(sequence, dtype=">i4")
    if turned is not None:
        common = min(len(key), len(turned))
        key[:common] ^= turned[:common]
    return key.tobytes()


def _sorted(keys: Sequence[bytes]) -> tuple[list[int], list[int]]:
    """The keys' numbers in order, and how many tokens at the start each of them shares with the one before it."""
    numbers = sorted(range(len(keys)), key=keys.__getitem__)
    ordered = [keys[number] for number in numbers]
    shared = [0] if keys else []
    for first, second in pairwise(ordered):
        length = min(len(first), len(second))
        if first[:length] != second[:length]:
            differ = np.frombuffer(first, np.uint8, length) != np.frombuffer(second, np.uint8, length)
            length = int(differ.argmax())
        shared.append(length // 4)
    return numbers, shared
