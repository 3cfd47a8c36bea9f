"""A trie cut into batches, each one forward pass, and the attention of a batch cut into blocks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from s2eval.models.trie.trie import Ints, Trie

BLOCK = 256  # queries of one attention call, before neighbours are joined
CALL = 8192  # what one more attention call costs, in pairs of query and key


@dataclass(frozen=True, slots=True)
class Batch:
    """The tokens [start, stop) of a trie, computed together.

    Attributes:
        stored: (P,) where the ancestors of the first token lie: computed in earlier batches, by depth 0 to P - 1.
        kept: tokens of this batch, counted from its start, that are ancestors of the next batch's first token.
        shared: how many of `stored` are ancestors of the next batch's first token too.
    """

    start: int
    stop: int
    stored: Ints
    kept: Ints
    shared: int


@dataclass(frozen=True, slots=True)
class Block:
    """One attention call: the queries [start, stop) of a batch against the keys that any of them sees.

    Queries and `opened` are counted from the batch's start.

    Attributes:
        stored: how many stored keys, from depth 0.
        opened: earlier tokens of the batch that are among the keys, before the block's own.
        visible: (stop - start, stored + len(opened) + stop - start), which query sees which key.
    """

    start: int
    stop: int
    stored: int
    opened: Ints
    visible: NDArray[np.bool_]


def cut(trie: Trie, start: int, stored: Ints, budget: int, rows: Ints, most_rows: int) -> Batch:
    """The next batch of a trie, from token `start` (0, then the `stop` of the batch before), whose ancestors are
    `stored` (none, then `after` the batch before), of `budget` tokens and `most_rows` at most of the ascending
    `rows` at which the vocabulary head is needed."""
    stop = min(start + budget, len(trie))
    first = int(np.searchsorted(rows, start))
    if first + most_rows < len(rows):
        stop = min(stop, int(rows[first + most_rows]))
    shared = int((trie.end[stored] > stop).sum())
    kept = np.flatnonzero(trie.end[start:stop] > stop).astype(np.int32)
    return Batch(start, stop, stored, kept, shared)


def after(batch: Batch) -> Ints:
    """What is stored once the batch was computed: the ancestors of the next batch's first token."""
    return np.concatenate([batch.stored[: batch.shared], batch.kept + np.int32(batch.start)])


def blocks(trie: Trie, batch: Batch) -> list[Block]:
    """The attention calls of a batch, chosen so that little is computed that no query sees.

    A call costs its queries times its keys, plus `CALL`. Its keys are the ancestors of its first query, as many as
    that is deep, and its own tokens.
    """
    depth = trie.depth[batch.start : batch.stop]
    branches = [0, *(np.flatnonzero(np.diff(depth) != 1) + 1).tolist(), len(depth)]
    cuts = [cut for start, stop in pairwise(branches) for cut in range(start, stop, BLOCK)]

    def pairs(start: int, stop: int) -> int:
        return (stop - start) * (int(depth[start]) + stop - start)

    chosen: list[tuple[int, int]] = []
    for start, stop in zip(cuts, [*cuts[1:], len(depth)], strict=True):
        if chosen:
            first, last = chosen[-1]
            if pairs(first, stop) <= pairs(first, last) + pairs(start, stop) + CALL:
                chosen[-1] = (first, stop)
                continue
        chosen.append((start, stop))
    return [_block(trie, batch, start, stop) for start, stop in chosen]


def path(trie: Trie, batch: Batch, token: int) -> tuple[int, Ints]:
    """Where the keys of a token of the batch and of its ancestors lie: how many are stored, from depth 0; and the
    others, counted from the batch's start. `token` is its index in the trie."""
    stored = int((trie.end[batch.stored] > token).sum())
    return stored, np.flatnonzero(trie.end[batch.start : token + 1] > token).astype(np.int32)


def _block(trie: Trie, batch: Batch, start: int, stop: int) -> Block:
    queries = np.arange(batch.start + start, batch.start + stop, dtype=np.int32)
    ends = trie.end[batch.start : batch.stop]
    stored_ends = trie.end[batch.stored]
    stored = int((stored_ends > queries[0]).sum())
    opened = np.flatnonzero(ends[:start] > queries[0]).astype(np.int32)
    key_ends = np.concatenate([stored_ends[:stored], ends[opened], ends[start:stop]])
    visible = key_ends[None, :] > queries[:, None]
    own = visible[:, stored + len(opened) :]
    np.logical_and(own, np.tri(len(queries), dtype=np.bool_), out=own)
    return Block(start, stop, stored, opened, visible)
