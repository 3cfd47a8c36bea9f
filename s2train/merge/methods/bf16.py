"""`bf16`: the change is added to the base as its files have it, which is what PEFT's `merge_and_unload` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s2train.merge.methods.method import MergeMethod

if TYPE_CHECKING:
    import torch


def add(base: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """Their sum, in the change's type, as PEFT computes it without `safe_merge`."""
    return change.add_(base)


BF16 = MergeMethod(
    "bf16",
    help="the base as it is",
    card="the adapter was added to the base's weights, bit for bit as PEFT does it.",
    add=add,
)
