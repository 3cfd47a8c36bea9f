"""Forward passes over a token trie: batch after batch, each token once, the vocabulary head only where it is needed."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from s2eval.models.trie import attention, batches
from s2eval.models.trie.batches import Batch
from s2eval.models.trie.flex import FlexPlan
from s2eval.models.trie.trie import Ints, Trie

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_log = logging.getLogger(__name__)

SMALLEST = 16  # tokens of a batch below which there is no use in halving it again


class Engine:
    """Computes tries with a model that `support.refusal` lets in: at most `budget` tokens and `most_rows` vocabulary
    rows a forward pass, in mixed precision with `autocast`, through FlexAttention with `flex`. `computed` and
    `forwards` count tokens and passes."""

    def __init__(
        self,
        model: PreTrainedModel,
        budget: int,
        most_rows: int,
        *,
        autocast: torch.dtype | None = None,
        flex: bool = False,
    ) -> None:
        self.model, self.budget, self.most_rows, self._autocast = model, budget, most_rows, autocast
        self._plan: type[attention.TreePlan] = FlexPlan if flex else attention.BlocksPlan
        self.computed = self.forwards = 0

    @torch.no_grad()
    def run(
        self,
        trie: Trie,
        rows: Ints,
        sequences: attention.Keys | None = None,
        leaves: Sequence[tuple[int, int]] = (),
    ) -> Iterator[tuple[Batch, Ints, Tensor]]:
        """Each batch with those of `rows` (ascending token indices) that it holds and their logits, (R, V).

        Out of memory halves the budget and tries the same batch again. `sequences` takes the keys and values of
        complete sequences; `leaves` are (token, row of `sequences`) for the last token of each of them.
        """
        store = attention.Keys(1, int(trie.depth.max(initial=-1)) + 1)
        start, stored = 0, np.empty(0, np.int32)
        with attention.installed(self.model):
            while start < len(trie):
                batch = batches.cut(trie, start, stored, self.budget, rows, self.most_rows)
                here = slice(batch.start, batch.stop)
                wanted = rows[slice(*np.searchsorted(rows, (batch.start, batch.stop)))]
                ended = [leaf for leaf in leaves if batch.start <= leaf[0] < batch.stop]
                plan = self._plan(trie, batch, store, sequences, ended)
                parts = (trie.tokens[here], trie.depth[here], wanted - np.int32(batch.start))
                tokens, depth, keep = (torch.from_numpy(part).long() for part in parts)
                try:
                    logits = self.forward(plan, tokens[None], depth[None], keep)[0]
                except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                    if not out_of_memory(error) or self.budget <= SMALLEST:
                        raise
                    self.budget, self.most_rows = (max(n // 2, SMALLEST) for n in (self.budget, self.most_rows))
                    _log.warning("out of memory: continuing with %d tokens a forward pass", self.budget)
                    free_memory()
                    continue
                plan.commit()
                self.computed += batch.stop - batch.start
                self.forwards += 1
                yield batch, wanted, logits
                start, stored = batch.stop, batches.after(batch)

    def forward(self, plan: attention.Plan, tokens: Tensor, positions: Tensor, keep: Tensor | int = 0) -> Tensor:
        """Logits, (B, R, V), of one pass over tokens and positions, (B, T), under a plan; call it where the
        attention is installed. `keep` = which of the T positions the vocabulary head is for; 0 = all."""
        device = self.model.device
        mixed = torch.autocast(device.type, self._autocast, enabled=self._autocast is not None)
        with attention.following(plan), mixed:
            return self.model(
                input_ids=tokens.to(device),
                position_ids=positions.to(device),
                logits_to_keep=keep.to(device) if isinstance(keep, Tensor) else keep,
                use_cache=False,
            ).logits


def free_memory() -> None:
    """Release what nothing refers to."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """PyTorch raises a plain RuntimeError on a CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
