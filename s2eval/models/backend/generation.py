"""Answers to many prompts: read as one token trie, written in wide batches that lose their ended rows."""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from s2eval.models.backend.decoding import Decoding, choose
from s2eval.models.trie import attention, trie
from s2eval.models.trie.engine import Engine, free_memory, out_of_memory

_log = logging.getLogger(__name__)

REFILL = 0.25  # share of the rows that must be free before prompts are read for them


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of one or more tokens to answer with `limit` new ones at most, until one of `ends` or until the
    answer's tokens so far have `stopped` (hold a stop string). `truncated` = it was longer, and was cut from the
    left."""

    tokens: Sequence[int]
    limit: int
    decoding: Decoding = field(default_factory=Decoding)
    ends: frozenset[int] = frozenset()
    stopped: Callable[[Sequence[int]], bool] = lambda _: False
    random: random.Random = field(default_factory=random.Random)
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The new tokens of a prompt, the one that ended them included; `cut` = the limit was reached first."""

    number: int
    tokens: list[int]
    cut: bool


@dataclass(slots=True)
class _Row:
    number: int
    prompt: Prompt
    new: list[int] = field(default_factory=list[int])
    held: int = 0  # tokens whose keys its row holds: all but the last


@torch.no_grad()
def answer(engine: Engine, prompts: Sequence[Prompt], width: int) -> Iterator[Answer]:
    """Each answer as soon as it has ended; long prompts are started first.

    At most `width` rows are decoded together. Out of memory halves it; answers resume where they were.
    """
    order = sorted(range(len(prompts)), key=lambda number: len(prompts[number].tokens), reverse=True)
    queue = deque(_Row(number, prompts[number]) for number in order)
    while queue:
        capacity = max(len(row.prompt.tokens) + row.prompt.limit for row in queue)
        width = min(width, len(queue))
        active: list[_Row] = []
        try:
            yield from _decode(engine, queue, active, attention.Keys(width, capacity))
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or width == 1:
                raise
            queue.extendleft(reversed(active))
            width = max(width // 2, 1)
            free_memory()
            _log.warning("out of memory: continuing with %d answers at a time", width)


def _decode(engine: Engine, queue: deque[_Row], active: list[_Row], keys: attention.Keys) -> Iterator[Answer]:
    """Empty the queue. `active` are the rows being decoded, row i of `keys` belonging to the i-th."""
    while queue or active:
        free = keys.rows - len(active)
        if queue and (free >= REFILL * keys.rows or not active):
            fresh = [queue.popleft() for _ in range(min(free, len(queue)))]
            active += fresh
            logits = _read(engine, fresh, len(active) - len(fresh), keys)
            yield from _take(fresh, logits, active, keys)
        if active:
            yield from _take(list(active), _step(engine, active, keys), active, keys)


def _read(engine: Engine, rows: Sequence[_Row], first: int, keys: attention.Keys) -> Tensor:
    """Compute the prompts of rows that stand at `first` and after; their next token's logits, (B, V)."""
    sequences = [[*row.prompt.tokens, *row.new] for row in rows]
    tree = trie.build(sequences)
    ends = [int(tail[0]) for tail in tree.tails]
    wanted = np.unique(np.asarray(ends, np.int32))
    leaves = [(end, first + number) for number, end in enumerate(ends)]
    parts = [logits for _, _, logits in engine.run(tree, wanted, keys, leaves)]
    for row, sequence in zip(rows, sequences, strict=True):
        row.held = len(sequence)
    return torch.cat(parts)[torch.from_numpy(np.searchsorted(wanted, ends)).to(parts[0].device)]


def _step(engine: Engine, active: Sequence[_Row], keys: attention.Keys) -> Tensor:
    lengths = torch.tensor([row.held for row in active])
    tokens = torch.tensor([[row.new[-1]] for row in active])
    plan = attention.RowsPlan(keys, lengths)
    with attention.installed(engine.model):
        logits = engine.forward(plan, tokens, lengths[:, None])[:, 0]
    for row in active:
        row.held += 1
    return logits


def _take(rows: Sequence[_Row], logits: Tensor, active: list[_Row], keys: attention.Keys) -> Iterator[Answer]:
    """Choose the next token of each row; a row that ends gives its place to the last one."""
    tokens = [0] * len(rows)
    for decoding in dict.fromkeys(row.prompt.decoding for row in rows):  # together for all rows of the same settings
        mine = [number for number, row in enumerate(rows) if row.prompt.decoding == decoding]
        part = logits if len(mine) == len(rows) else logits[mine]
        chosen = choose(part, decoding, [rows[number].prompt.random for number in mine])
        for number, token in zip(mine, chosen.tolist(), strict=True):
            tokens[number] = token
    for row, token in zip(rows, tokens, strict=True):
        row.new.append(token)
        ended = token in row.prompt.ends or row.prompt.stopped(row.new)
        if not ended and len(row.new) < row.prompt.limit:
            continue
        place, last = active.index(row), len(active) - 1
        if place != last:
            keys.move(last, place, active[last].held)
            active[place] = active[last]
        active.pop()
        yield Answer(row.number, row.new, not ended)
