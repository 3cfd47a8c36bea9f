"""One call's requests sharded over several processes so that hardly a prefix is computed twice.

lm-eval gives documents to its ranks in turn; each would compute the few-shot examples that they share. So the ranks
pool their requests, sort them, and each takes one stretch, computing again only the path to its first request.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch.distributed

from s2eval.models.trie import trie

T = TypeVar("T")


def shard(sequences: Sequence[Sequence[int]], parts: int) -> list[list[int]]:
    """Numbers of the sequences of each part: stretches of the sorted order, about equally many new tokens each."""
    order, new = trie.order(sequences)
    total = np.cumsum(new)
    goals = [total[-1] * part / parts if len(total) else 0 for part in range(1, parts)]
    bounds = np.searchsorted(total, goals, side="right")
    starts = [0, *bounds.tolist(), len(order)]
    return [order[start:stop] for start, stop in pairwise(starts)]


def all_gather(mine: T) -> list[T]:
    """What every rank gives, in their order."""
    everyone = [mine] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, mine)
    return everyone
