"""Attention over a batch of a token trie, put in place of a transformers model's own while a batch is computed.

transformers looks the attention function up by name at every call; ours is registered as `s2_tree` and follows the
present plan. Queries, keys and values arrive with their rotary positions applied.
"""

from __future__ import annotations

import math
import mmap
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from s2eval.errors import PrerequisiteError
from s2eval.models.trie.batches import Batch, blocks, path
from s2eval.models.trie.trie import Ints, Trie

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Pair = tuple[Tensor, Tensor]  # keys and values

NAME = "s2_tree"
TOGETHER = 8  # rows of one attention call while decoding
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
    sliding_window: int | None = None,
    **options: object,
) -> tuple[Tensor, None]:
    """The registered function: what the present plan does with a layer. Raises PrerequisiteError if the model needs
    what a trie does not do; `support.refusal` should have excluded it."""
    plan = _plan.get()
    unknown = [name for name in _UNKNOWN if options.get(name) is not None]
    if plan is None or unknown or attention_mask is not None or (sliding_window and sliding_window < plan.longest):
        what = ", ".join(unknown) or "a mask, a window, or a pass of its own"
        raise PrerequisiteError(
            f"{type(module).__name__} asks its attention for what the token trie does not know ({what}): evaluate with "
            "trie=False among the model's arguments, and please report the model's architecture"
        )
    return plan.attend(module, query, key, value, scaling), None


AttentionInterface.register(NAME, attend)


@contextmanager
def installed(model: PreTrainedModel) -> Iterator[None]:
    """Put the function in place of a model's own attention."""
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)  # pyright: ignore[reportArgumentType], None is accepted


@contextmanager
def following(plan: Plan) -> Iterator[None]:
    """Let the function follow that plan in this thread."""
    token = _plan.set(plan)
    try:
        yield
    finally:
        _plan.reset(token)


class Keys:
    """Keys and values by layer, (rows, Hk, capacity, D) each, made when a layer first needs them."""

    def __init__(self, rows: int, capacity: int) -> None:
        self.rows, self.capacity = rows, capacity
        self.layers: dict[nn.Module, Pair] = {}

    def of(self, module: nn.Module, key: Tensor, value: Tensor) -> Pair:
        """The layer's two tensors, at first zeros of the type of the arguments (memory is used as it is written)."""
        if module not in self.layers:
            self.layers[module] = self._zeros(key), self._zeros(value)
        return self.layers[module]

    def _zeros(self, like: Tensor) -> Tensor:
        """On a CPU they take memory only where they are written (PyTorch fills, numpy asks for huge pages)."""
        shape = (self.rows, like.shape[1], self.capacity, like.shape[3])
        if like.device.type != "cpu" or not hasattr(mmap, "MAP_ANONYMOUS"):
            return like.new_zeros(shape)
        pages = mmap.mmap(-1, math.prod(shape) * like.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        return torch.frombuffer(pages, dtype=like.dtype).view(shape)

    def move(self, source: int, target: int, length: int) -> None:
        """Let one row take the place of another."""
        for key, value in self.layers.values():
            key[target, :, :length] = key[source, :, :length]
            value[target, :, :length] = value[source, :, :length]


class TreePlan(ABC):
    """The attention of one batch. `store`, one row, holds the ancestors computed before, and takes those that the
    next batch needs. `leaves` are (token, row of `sequences`) of sequences that end in this batch, whose keys go
    there."""

    def __init__(
        self,
        trie: Trie,
        batch: Batch,
        store: Keys,
        sequences: Keys | None = None,
        leaves: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.longest, self._store, self._shared, self._sequences = store.capacity, store, batch.shared, sequences
        self._kept = torch.as_tensor(batch.kept, dtype=torch.long)
        paths = ((row, *path(trie, batch, token)) for token, row in leaves)
        self._paths = [(row, stored, torch.as_tensor(rest, dtype=torch.long)) for row, stored, rest in paths]
        self._pending: list[tuple[Tensor, Tensor]] = []
        self._prepare(trie, batch)

    @abstractmethod
    def _prepare(self, trie: Trie, batch: Batch) -> None: ...

    @abstractmethod
    def _mix(self, query: Tensor, fresh: Pair, stored: Pair, scale: float | None) -> Tensor:
        """The values that each query sees, mixed: query (1, H, T, D), keys and values of the batch (1, Hk, T, D) and of
        the store (1, Hk, capacity, D) → (1, T, H, D)."""

    def attend(self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """See `Plan.attend`; B = 1, T = the batch's tokens."""
        stored = self._store.of(module, key, value)
        if self._sequences is not None:  # of those that end here: what is stored, then what is fresh
            targets = self._sequences.of(module, key, value)
            for row, count, rest in self._paths:
                for target, old, new in zip(targets, stored, (key, value), strict=True):
                    target[row, :, :count] = old[0, :, :count]
                    target[row, :, count : count + len(rest)] = new[0][:, rest.to(new.device)]
        mixed = self._mix(query, (key, value), stored, scale)
        if len(self._kept):
            kept = self._kept.to(key.device)
            self._pending += [(stored[0], key[:, :, kept]), (stored[1], value[:, :, kept])]
        return mixed

    def commit(self) -> None:
        """Store what the next batch needs; only now, so that a batch which ran out of memory can be tried again."""
        for stored, fresh in self._pending:
            stored[:, :, self._shared : self._shared + fresh.shape[2]] = fresh
        self._pending.clear()


class BlocksPlan(TreePlan):
    """Block by block through PyTorch's scaled_dot_product_attention."""

    def _prepare(self, trie: Trie, batch: Batch) -> None:
        self._blocks = blocks(trie, batch)
        self._opened = [_index(block.opened) for block in self._blocks]
        self._masks: dict[tuple[torch.device, torch.dtype, int], list[Tensor]] = {}  # once for all layers of a kind

    def _mix(self, query: Tensor, fresh: Pair, stored: Pair, scale: float | None) -> Tensor:
        key, value = fresh
        heads, kinds = query.shape[1], key.shape[1]
        groups = heads // kinds
        if (kind := (query.device, query.dtype, groups)) not in self._masks:
            masks = (_additive(torch.from_numpy(block.visible), query) for block in self._blocks)
            self._masks[kind] = [mask.repeat(groups, 1)[None, None] for mask in masks]
        out = query.new_empty(1, query.shape[2], heads, value.shape[3])
        for block, opened, mask in zip(self._blocks, self._opened, self._masks[kind], strict=True):
            start, stop = block.start, block.stop
            keys = _gather(stored[0], key, block.stored, opened, start, stop)
            values = _gather(stored[1], value, block.stored, opened, start, stop)
            # all queries of a key's group in one row of heads: no key is repeated
            grouped = query[:, :, start:stop].reshape(1, kinds, -1, query.shape[3])
            mixed = scaled_dot_product_attention(grouped, keys, values, attn_mask=mask, scale=scale)
            out[:, start:stop] = mixed.view(1, heads, stop - start, -1).transpose(1, 2)
        return out


class RowsPlan:
    """The attention of one decoding step: every row's new token against all that its row holds, of `lengths` (B,)
    before the step. Neighbouring rows are taken together, a few at a time, as far as the longest of them reaches."""

    def __init__(self, rows: Keys, lengths: Tensor) -> None:
        self.longest, self._rows, self._lengths = rows.capacity, rows, lengths
        starts = range(0, len(lengths), TOGETHER)
        self._parts = [(start, int(lengths[start : start + TOGETHER].max()) + 1) for start in starts]
        self._masks: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}

    def attend(self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """See `Plan.attend`; T = 1."""
        batch, heads, _, width = query.shape
        if (kind := (query.device, query.dtype)) not in self._masks:
            seen = self._lengths.cpu()[:, None]
            visible = (torch.arange(most)[None] <= seen[start : start + TOGETHER] for start, most in self._parts)
            self._masks[kind] = [_additive(part, query)[:, None, None] for part in visible]
        here, lengths = torch.arange(batch, device=key.device), self._lengths.to(key.device)
        keys, values = self._rows.of(module, key, value)
        keys[here, :, lengths] = key[:, :, 0]
        values[here, :, lengths] = value[:, :, 0]
        grouped = query.reshape(batch, key.shape[1], -1, width)
        mixed = [
            scaled_dot_product_attention(
                grouped[start : start + TOGETHER],
                keys[start : min(start + TOGETHER, batch), :, :most],
                values[start : min(start + TOGETHER, batch), :, :most],
                attn_mask=mask,
                scale=scale,
            )
            for (start, most), mask in zip(self._parts, self._masks[kind], strict=True)
        ]
        return torch.cat(mixed).reshape(batch, 1, heads, -1)


def _index(opened: Ints) -> slice | Tensor:
    """A slice where the tokens are neighbours, which needs no copy of its own."""
    if len(opened) == 0:
        return slice(0, 0)
    if opened[-1] - opened[0] + 1 == len(opened):
        return slice(int(opened[0]), int(opened[-1]) + 1)
    return torch.as_tensor(opened, dtype=torch.long)


def _gather(stored: Tensor, fresh: Tensor, count: int, opened: slice | Tensor, start: int, stop: int) -> Tensor:
    if isinstance(opened, slice):
        begin = opened.start if opened.stop == start else start
        middle = fresh[:, :, opened] if opened.stop not in (0, start) else fresh[:, :, :0]
    else:
        begin, middle = start, fresh[:, :, opened.to(fresh.device)]
    parts = [part for part in (stored[:, :, :count], middle, fresh[:, :, begin:stop]) if part.shape[2]]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def _additive(visible: Tensor, like: Tensor) -> Tensor:
    """0 where it is visible, -inf elsewhere."""
    hidden = ~visible.to(like.device)
    return torch.zeros(hidden.shape, dtype=like.dtype, device=like.device).masked_fill_(hidden, float("-inf"))
