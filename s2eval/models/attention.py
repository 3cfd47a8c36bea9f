"""Attention over a pack of a token trie, put in place of a transformers model's own while a pack is computed.

transformers looks the attention function up by name at every call; ours is registered there as `s2_tree` and does
what the plan of the moment says. Queries, keys and values arrive with their rotary positions applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface

from s2eval.models.packs import Block

NAME = "s2_tree"
# What a model may hand to its attention that changes the result; the plans know none of it.
_UNKNOWN = ("softcap", "position_bias", "s_aux", "head_mask")


class Plan(Protocol):
    """What the attention of one forward pass does."""

    longest: int  # tokens of the longest sequence

    def attend(self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """One layer: query (B, H, T, D), key and value (B, Hk, T, D) → (B, T, H, D)."""
        ...


_plan: ContextVar[Plan | None] = ContextVar("s2_plan", default=None)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **options: Any,
) -> tuple[Tensor, None]:
    """The function behind the name: what the present plan does with a layer.

    Raises:
        NotImplementedError: the model asks for what trees do not do; it should not have been let in.
    """
    plan = _plan.get()
    window = options.get("sliding_window")
    asked = [name for name in _UNKNOWN if options.get(name) is not None]
    if plan is None or asked or attention_mask is not None or (window and window < plan.longest):
        raise NotImplementedError(f"{type(module).__name__} under {NAME}: {asked or 'a window, a mask, or no plan'}")
    return plan.attend(module, query, key, value, scaling), None


@contextmanager
def installed(model: Any) -> Iterator[None]:
    """Put the function in place of a model's own attention."""
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def following(plan: Plan) -> Iterator[None]:
    """Let the function follow that plan in this thread."""
    token = _plan.set(plan)
    try:
        yield
    finally:
        _plan.reset(token)


AttentionInterface.register(NAME, attend)


class Store:
    """Keys and values of the path that leads to the next pack, by layer; (1, Hk, capacity, D) each."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._layers: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def of(self, module: nn.Module, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The layer's two tensors, made like the given ones."""
        if module not in self._layers:
            sizes = ((*part.shape[:2], self.capacity, part.shape[3]) for part in (key, value))
            self._layers[module] = (key.new_empty(next(sizes)), value.new_empty(next(sizes)))
        return self._layers[module]


class TreePlan:
    """The attention of one pack, block by block through PyTorch's scaled_dot_product_attention.

    Args:
        longest: tokens of the longest sequence.
        blocks: the calls; they cover the pack.
        store: holds the ancestors computed before, and takes those that the next pack needs.
        kept, shared: as in `Pack`.
    """

    def __init__(self, longest: int, blocks: list[Block], store: Store, kept: Any, shared: int) -> None:
        self.longest, self._blocks, self._store, self._shared = longest, blocks, store, shared
        self._kept = torch.as_tensor(kept, dtype=torch.long)
        self._opened = [_index(block.opened) for block in blocks]
        self._pending: list[tuple[Tensor, Tensor]] = []
        self._masks: dict[tuple[torch.device, torch.dtype, int], list[Tensor]] = {}

    def attend(self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """See `Plan.attend`; B = 1, T = the pack's tokens."""
        groups = query.shape[1] // key.shape[1]
        stored_key, stored_value = self._store.of(module, key, value)
        out = query.new_empty(1, query.shape[2], query.shape[1], value.shape[3])
        masks = self._masks_for(query, groups)
        for block, opened, mask in zip(self._blocks, self._opened, masks, strict=True):
            start, stop, stored = block.start, block.stop, block.stored
            keys = _gather(stored_key, key, stored, opened, start, stop)
            values = _gather(stored_value, value, stored, opened, start, stop)
            # all queries of a key's group in one row of heads: no key is repeated
            grouped = query[:, :, start:stop].reshape(1, key.shape[1], -1, query.shape[3])
            mixed = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask, scale=scale)
            out[:, start:stop] = mixed.view(1, query.shape[1], stop - start, -1).transpose(1, 2)
        if len(self._kept):
            kept = self._kept.to(key.device)
            self._pending += [(stored_key, key[:, :, kept]), (stored_value, value[:, :, kept])]
        return out

    def commit(self) -> None:
        """Store what the next pack needs; only now, so that a pack which ran out of memory can be tried again."""
        for stored, fresh in self._pending:
            stored[:, :, self._shared : self._shared + fresh.shape[2]] = fresh
        self._pending.clear()

    def _masks_for(self, query: Tensor, groups: int) -> list[Tensor]:
        """What SDPA adds to the scores, once for all layers of a kind."""
        kind = (query.device, query.dtype, groups)
        if kind not in self._masks:
            self._masks[kind] = [_mask(block, query, groups) for block in self._blocks]
        return self._masks[kind]


def _index(opened: Any) -> slice | Tensor:
    """A slice where the tokens are neighbours, which needs no copy of its own."""
    if len(opened) == 0 or opened[-1] - opened[0] + 1 == len(opened):
        return slice(int(opened[0]), int(opened[-1]) + 1) if len(opened) else slice(0, 0)
    return torch.as_tensor(opened, dtype=torch.long)


def _gather(stored: Tensor, fresh: Tensor, count: int, opened: slice | Tensor, start: int, stop: int) -> Tensor:
    if isinstance(opened, slice):
        begin = opened.start if opened.stop == start else start
        middle = fresh[:, :, opened] if opened.stop not in (0, start) else fresh[:, :, :0]
    else:
        begin, middle = start, fresh[:, :, opened.to(fresh.device)]
    parts = [part for part in (stored[:, :, :count], middle, fresh[:, :, begin:stop]) if part.shape[2]]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def _mask(block: Block, query: Tensor, groups: int) -> Tensor:
    visible = torch.from_numpy(block.visible).to(query.device)
    added = torch.zeros(visible.shape, dtype=query.dtype, device=query.device).masked_fill_(~visible, float("-inf"))
    return added.repeat(groups, 1)[None, None]
