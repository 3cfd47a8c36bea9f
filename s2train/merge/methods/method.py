"""What a merge method is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from s2train.checkpoint import Quantization
    from s2train.merge.workers import Workers

    Rows = Callable[[int, int], torch.Tensor]
    Prepare = Callable[[Rows, tuple[int, int], Quantization, Workers], Rows]


@dataclass(frozen=True, slots=True)
class MergeMethod:
    """How an adapter's change is added to a matrix of the base.

    Attributes:
        name: as users type it.
        help: a few words for `--help`.
        card: a sentence for the merged model's card; `{quantized}` is the number of layers that went through 4 bits,
            `{how}` the quantisation.
        add: (base, change) → their sum, both rows of the same shape. `change` may be overwritten.
        prepare: for methods that need to know how the base was quantised in training: gives the rows of the base to
            which the change is added. Arguments: a function from numbers `start` to `end` of the matrix in the order of
            its rows, its shape (out × in), the quantisation, threads to compute with. None: the base as its files have
            it.
        peft: whether the sum is PEFT's, so that `--verify` can compare the two.
    """

    name: str
    help: str
    card: str
    add: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    prepare: Prepare | None = None
    peft: bool = True

    @property
    def quantizes(self) -> bool:
        """Whether the base goes through the 4 bits of the training."""
        return self.prepare is not None
