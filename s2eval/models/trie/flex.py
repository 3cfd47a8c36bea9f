"""The attention of a batch through PyTorch's FlexAttention: one call a layer, of which hidden parts are never computed.

For accelerators, where it is compiled. On a CPU it runs uncompiled and computes every score, for tests only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from s2eval.models.trie.attention import Pair, TreePlan
from s2eval.models.trie.batches import Batch
from s2eval.models.trie.trie import Trie


class FlexPlan(TreePlan):
    """The stored path and the batch as one row of keys; `Trie.end` determines which of them a query sees."""

    def _prepare(self, trie: Trie, batch: Batch) -> None:
        self._path = len(batch.stored)
        ends = np.concatenate([trie.end[batch.stored], trie.end[batch.start : batch.stop]]) - batch.start
        self._ends = torch.from_numpy(ends)
        self._masks: dict[torch.device, BlockMask] = {}

    def _mix(self, query: Tensor, fresh: Pair, stored: Pair, scale: float | None) -> Tensor:
        device, path = query.device, self._path
        if device not in self._masks:
            ends = self._ends.to(device)

            def visible(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
                return (key - path <= query) & (ends[key] > query)

            sizes = {"B": None, "H": None, "Q_LEN": len(ends) - path, "KV_LEN": len(ends)}
            self._masks[device] = create_block_mask(visible, **sizes, device=str(device))
        keys, values = (torch.cat([old[:, :, :path], new], 2) for old, new in zip(stored, fresh, strict=True))
        grouped = query.shape[1] != keys.shape[1]
        kernel = _kernel(device.type)
        return kernel(query, keys, values, block_mask=self._masks[device], scale=scale, enable_gqa=grouped).transpose(
            1, 2
        )


@cache
def _kernel(device: str) -> Callable[..., Tensor]:
    return flex_attention if device == "cpu" else torch.compile(flex_attention, dynamic=True)
