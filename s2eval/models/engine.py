"""Forward passes over a token trie: pack after pack, each token once, the vocabulary head only where it is needed."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2eval.models import attention, packs
from s2eval.models.packs import Pack
from s2eval.models.trie import Ints, Trie

_log = logging.getLogger(__name__)

SMALLEST = 16  # tokens of a pack below which there is no use in halving it again


class Engine:
    """Computes tries with one model.

    Args:
        model: a causal language model that `support.refusal` lets in.
        budget: tokens of a forward pass at most.
        most_rows: vocabulary rows of a forward pass at most.
        autocast: the dtype of mixed precision; None = none.

    Attributes:
        computed: tokens computed so far.
        forwards: passes so far.
    """

    def __init__(self, model: Any, budget: int, most_rows: int, *, autocast: torch.dtype | None = None) -> None:
        self.model, self.budget, self.most_rows, self._autocast = model, budget, most_rows, autocast
        self.computed = self.forwards = 0

    @torch.no_grad()
    def run(self, trie: Trie, rows: Ints) -> Iterator[tuple[Pack, Ints, Tensor]]:
        """Each pack with those of `rows` (ascending token indices) that it holds and their logits, (R, V).

        Out of memory halves the budget and tries the same pack again.
        """
        longest = int(trie.depth.max(initial=-1)) + 1
        store = attention.Store(longest)
        start, stored = 0, np.empty(0, np.int32)
        with attention.installed(self.model):
            while start < len(trie):
                pack = packs.cut(trie, start, stored, self.budget, rows, self.most_rows)
                wanted = rows[np.searchsorted(rows, pack.start) : np.searchsorted(rows, pack.stop)]
                plan = attention.TreePlan(longest, packs.blocks(trie, pack), store, pack.kept, pack.shared)
                try:
                    logits = self._forward(trie, pack, wanted, plan)
                except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                    self._shrink(error)
                    continue
                plan.commit()
                self.computed += pack.stop - pack.start
                self.forwards += 1
                yield pack, wanted, logits
                start, stored = pack.stop, packs.after(pack)

    def _forward(self, trie: Trie, pack: Pack, wanted: Ints, plan: attention.TreePlan) -> Tensor:
        device = self.model.device
        here = slice(pack.start, pack.stop)
        mixed = torch.autocast(device.type, self._autocast, enabled=self._autocast is not None)
        with attention.following(plan), mixed:
            return self.model(
                input_ids=torch.from_numpy(trie.tokens[here]).long()[None].to(device),
                position_ids=torch.from_numpy(trie.depth[here]).long()[None].to(device),
                logits_to_keep=torch.from_numpy(wanted - pack.start).long().to(device),
                use_cache=False,
            ).logits[0]

    def _shrink(self, error: BaseException) -> None:
        if not out_of_memory(error) or self.budget <= SMALLEST:
            raise error
        self.budget, self.most_rows = max(self.budget // 2, SMALLEST), max(self.most_rows // 2, SMALLEST)
        _log.warning("out of memory: going on with %d tokens a forward pass", self.budget)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether it says so; PyTorch raises a plain RuntimeError on a CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
