"""The processes that train together: what one knows of all the others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from accelerate import Accelerator


def _same(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True, slots=True)
class Processes:
    """By default this one alone.

    Attributes:
        rank: number of this one.
        total: a tensor → its sum over all processes.
        gather: (n, …) → (count · n, …), in the order of ranks.
        backward: takes a loss to its gradients.
        hold: context of a backward pass that is not the last of its update.
    """

    rank: int = 0
    count: int = 1
    total: Callable[[Tensor], Tensor] = _same
    gather: Callable[[Tensor], Tensor] = _same
    backward: Callable[[Tensor], object] = Tensor.backward
    hold: Callable[[], AbstractContextManager[object]] = nullcontext

    def mine(self, gathered: Tensor) -> Tensor:
        """The part of this process of what `gather` returned."""
        size = len(gathered) // self.count
        return gathered[self.rank * size : (self.rank + 1) * size]


def accelerated(accelerator: Accelerator, wrapped: object) -> Processes:
    """Those of accelerate, which hold the module that `accelerator.prepare` wrapped."""

    def total(tensor: Tensor) -> Tensor:
        summed: Any = accelerator.reduce(tensor.to(accelerator.device), "sum")
        return summed.to(tensor.device)

    def gather(tensor: Tensor) -> Tensor:
        gathered: Any = accelerator.gather(tensor.to(accelerator.device))
        return gathered.to(tensor.device)

    rank, count = accelerator.process_index, accelerator.num_processes
    return Processes(rank, count, total, gather, accelerator.backward, lambda: accelerator.no_sync(wrapped))
