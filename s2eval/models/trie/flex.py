"""The attention of a batch through PyTorch's FlexAttention: one call a layer, of which hidden parts are never computed.

For accelerators, where it is compiled. On a CPU it runs uncompiled and computes every score, for tests only.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from s2eval.models.trie.attention import Pair, TreePlan
from s2eval.models.trie.batches import Batch
from s2eval.models.trie.trie import Trie


class FlexPlan(TreePlan):
    """The stored path and the batch as one row of keys; `Trie.end` says which of them a query sees."""

    def __init__(self, trie: Trie, batch: Batch, *args: Any, **kwargs: Any) -> None:
        super().__init__(trie, batch, *args, **kwargs)
        self._path = len(batch.stored)
        ends = np.concatenate([trie.end[batch.stored], trie.end[batch.start : batch.stop]]) - batch.start
        self._ends = torch.from_numpy(ends)
        self._masks: dict[torch.device, BlockMask] = {}

    def _mix(self, query: Tensor, fresh: Pair, stored: Pair, scale: float | None) -> Tensor:
        keys, values = (torch.cat([old[:, :, : self._path], new], 2) for old, new in zip(stored, fresh, strict=True))
        mask = self._mask_on(query.device)
        grouped = query.shape[1] != keys.shape[1]
        mixed: Any = _kernel(query.device.type)(query, keys, values, block_mask=mask, scale=scale, enable_gqa=grouped)
        return mixed.transpose(1, 2)

    def _mask_on(self, device: torch.device) -> BlockMask:
        if device not in self._masks:
            ends, path = self._ends.to(device), self._path

            def visible(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
                return (key - path <= query) & (ends[key] > query)

            sizes = {"B": None, "H": None, "Q_LEN": len(ends) - path, "KV_LEN": len(ends)}
            self._masks[device] = create_block_mask(visible, **sizes, device=str(device))
        return self._masks[device]


@cache
def _kernel(device: str) -> Any:
    return flex_attention if device == "cpu" else torch.compile(flex_attention, dynamic=True)
