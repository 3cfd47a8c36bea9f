"""A trie cut into packs, each one forward pass, and the attention of a pack cut into blocks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from s2eval.models.trie import Ints, Trie

BLOCK = 256  # queries of one attention call, before neighbours are joined
CALL = 8192  # what one more attention call costs, in pairs of query and key


@dataclass(frozen=True, slots=True)
class Pack:
    """The tokens [start, stop) of a trie, computed together.

    Attributes:
        start, stop: the slice.
        stored: (P,) where the ancestors of the first token lie: computed in earlier packs, by depth 0 to P - 1.
        kept: tokens of this pack, counted from its start, that are ancestors of the next pack's first token.
        shared: how many of `stored` are ancestors of the next pack's first token too.
    """

    start: int
    stop: int
    stored: Ints
    kept: Ints
    shared: int


@dataclass(frozen=True, slots=True)
class Block:
    """One attention call: the queries [start, stop) of a pack against the keys that any of them sees.

    Attributes:
        start, stop: the queries, counted from the pack's start.
        stored: how many stored keys, from depth 0.
        opened: earlier tokens of the pack that are among the keys, before the block's own.
        visible: (stop - start, stored + len(opened) + stop - start), which query sees which key.
    """

    start: int
    stop: int
    stored: int
    opened: Ints
    visible: NDArray[np.bool_]


def cut(trie: Trie, start: int, stored: Ints, budget: int, rows: Ints, most_rows: int) -> Pack:
    """The next pack of a trie.

    Args:
        start: its first token; 0, then the `stop` of the pack before.
        stored: where the ancestors of that token lie; none, then `after` the pack before.
        budget: tokens at most.
        rows: ascending indices of the tokens at which the vocabulary head is needed.
        most_rows: those of the pack at most.
    """
    stop = min(start + budget, len(trie))
    first = int(np.searchsorted(rows, start))
    if first + most_rows < len(rows):
        stop = min(stop, int(rows[first + most_rows]))
    shared = int((trie.end[stored] > stop).sum())
    kept = np.flatnonzero(trie.end[start:stop] > stop).astype(np.int32)
    return Pack(start, stop, stored, kept, shared)


def after(pack: Pack) -> Ints:
    """What is stored once the pack was computed: the ancestors of the next pack's first token."""
    return np.concatenate([pack.stored[: pack.shared], pack.kept + np.int32(pack.start)])


def blocks(trie: Trie, pack: Pack) -> list[Block]:
    """The attention calls of a pack, chosen so that little is computed that no query sees.

    A call costs its queries times its keys, plus `CALL`. Its keys are the ancestors of its first query, as many as
    that is deep, and its own tokens.
    """
    depth = trie.depth[pack.start : pack.stop]
    cuts = _cuts(depth)
    chosen: list[tuple[int, int]] = []
    for start, stop in zip(cuts, [*cuts[1:], len(depth)], strict=True):
        if chosen:
            first, last = chosen[-1]
            apart = _pairs(depth, first, last) + _pairs(depth, start, stop) + CALL
            if _pairs(depth, first, stop) <= apart:
                chosen[-1] = (first, stop)
                continue
        chosen.append((start, stop))
    return [_block(trie, pack, start, stop) for start, stop in chosen]


def path(trie: Trie, pack: Pack, token: int) -> tuple[int, Ints]:
    """Where the keys of a token of the pack and of its ancestors lie.

    Args:
        token: its index in the trie.

    Returns:
        How many are stored, from depth 0; and the others, counted from the pack's start.
    """
    stored = int((trie.end[pack.stored] > token).sum())
    return stored, np.flatnonzero(trie.end[pack.start : token + 1] > token).astype(np.int32)


def _pairs(depth: Ints, start: int, stop: int) -> int:
    return (stop - start) * (int(depth[start]) + stop - start)


def _cuts(depth: Ints) -> list[int]:
    """Where a branch begins, and every `BLOCK` tokens of a long one."""
    branches = [0, *(np.flatnonzero(np.diff(depth) != 1) + 1).tolist(), len(depth)]
    return [cut for start, stop in pairwise(branches) for cut in range(start, stop, BLOCK)]


def _block(trie: Trie, pack: Pack, start: int, stop: int) -> Block:
    queries = np.arange(pack.start + start, pack.start + stop, dtype=np.int32)
    ends = trie.end[pack.start : pack.stop]
    stored_ends = trie.end[pack.stored]
    stored = int((stored_ends > queries[0]).sum())
    opened = np.flatnonzero(ends[:start] > queries[0]).astype(np.int32)
    key_ends = np.concatenate([stored_ends[:stored], ends[opened], ends[start:stop]])
    visible = key_ends[None, :] > queries[:, None]
    own = visible[:, stored + len(opened) :]
    np.logical_and(own, np.tri(len(queries), dtype=np.bool_), out=own)
    return Block(start, stop, stored, opened, visible)
