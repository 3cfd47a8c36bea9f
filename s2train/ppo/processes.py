"""The processes that train together: what one knows of all the others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor


def _same(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True, slots=True)
class Processes:
    """By default this one alone.

    Attributes:
        rank: number of this one.
        count: how many there are.
        total: a tensor → its sum over all processes.
        gather: (n, …) → (count · n, …), in the order of ranks.
        backward: takes a loss to its gradients.
        hold: what a backward pass stands in that is not the last of its update.
    """

    rank: int = 0
    count: int = 1
    total: Callable[[Tensor], Tensor] = _same
    gather: Callable[[Tensor], Tensor] = _same
    backward: Callable[[Tensor], object] = Tensor.backward
    hold: Callable[[], AbstractContextManager[object]] = nullcontext

    def mine(self, gathered: Tensor) -> Tensor:
        """The part of this process of what `gather` gave."""
        size = len(gathered) // self.count
        return gathered[self.rank * size : (self.rank + 1) * size]


def accelerated(accelerator: Any, wrapped: Any) -> Processes:
    """Those of an `accelerate.Accelerator`.

    Args:
        wrapped: the module as `accelerator.prepare` gave it.
    """

    def total(tensor: Tensor) -> Tensor:
        return accelerator.reduce(tensor.to(accelerator.device), "sum").to(tensor.device)

    def gather(tensor: Tensor) -> Tensor:
        return accelerator.gather(tensor.to(accelerator.device)).to(tensor.device)

    return Processes(
        accelerator.process_index,
        accelerator.num_processes,
        total,
        gather,
        accelerator.backward,
        lambda: accelerator.no_sync(wrapped),
    )
