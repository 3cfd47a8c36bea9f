"""`qdq`: the change is added to the base as it was in training, through bitsandbytes' 4 bits and back.

A matrix is quantised in pieces, with the numbers that it has as a whole.
Blocks are quantised each by itself, so pieces of whole blocks give the blocks of the whole. The scales of double
quantisation are centred on their mean and quantised over the whole matrix (QLoRA, arXiv 2305.14314, section 3), so they
are gathered first, and then treated as `bitsandbytes.functional.quantize_4bit` does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s2eval.errors import PrerequisiteError
from s2train.merge.methods.bf16 import add
from s2train.merge.methods.method import MergeMethod

if TYPE_CHECKING:
    import torch

    from s2train.checkpoint import Quantization
    from s2train.merge.methods.method import Rows
    from s2train.merge.workers import Workers

PIECE = 1 << 16  # numbers quantised together: bitsandbytes takes about 24 bytes for each
_SCALES = 256  # scales that share one of their own, in double quantisation


@dataclass(frozen=True, slots=True)
class Packed:
    """A matrix in 4 bits.

    Attributes:
        codes: two numbers a byte, in the order of the matrix' rows.
        scales: one a block, fp32; quantised and back already, where they were.
        shape: of the matrix.
        dtype: that it is given back in: the one it had.
        how: blocks and type.
    """

    codes: torch.Tensor
    scales: torch.Tensor
    shape: tuple[int, int]
    dtype: torch.dtype
    how: Quantization

    def rows(self, start: int, end: int) -> torch.Tensor:
        """Rows `start` to `end`, dequantised."""
        import torch
        from bitsandbytes.functional import QuantState, dequantize_4bit, get_4bit_type

        width, size = self.shape[1], self.how.blocksize
        first, last = start * width // size, -(-end * width // size)
        count = min(last * size, self.shape[0] * width) - first * size
        count += count % 2  # of an odd number the last byte holds one number and nothing; bitsandbytes wants pairs
        state = QuantState(
            absmax=self.scales[first:last],
            shape=torch.Size([count]),
            dtype=self.dtype,
            blocksize=size,
            code=get_4bit_type(self.how.type, device="cpu"),
            quant_type=self.how.type,
        )
        back = dequantize_4bit(self.codes[first * size // 2 :][: count // 2], state).reshape(-1)
        begin = start * width - first * size
        return back[begin : begin + (end - start) * width].reshape(-1, width)


def pack(
    read: Callable[[int, int], torch.Tensor], shape: tuple[int, int], how: Quantization, workers: Workers
) -> Packed:
    """Quantise a matrix.

    Args:
        read: gives its numbers from and to, row after row, in the type that is quantised.
        shape: of the matrix.
        how: as in training.
        workers: that compute.

    Raises:
        PrerequisiteError: bitsandbytes is not installed.
    """
    import torch

    try:
        from bitsandbytes.functional import dequantize_blockwise, quantize_4bit, quantize_blockwise
    except ImportError as error:
        raise PrerequisiteError("--method qdq needs bitsandbytes: pip install bitsandbytes") from error
    count, size = shape[0] * shape[1], how.blocksize
    codes = torch.empty((-(-count // 2), 1), dtype=torch.uint8)
    scales = torch.empty(-(-count // size), dtype=torch.float32)

    def quantise(start: int) -> None:
        numbers = read(start, min(start + PIECE, count))
        packed, state = quantize_4bit(numbers, blocksize=size, quant_type=how.type)
        codes[start // 2 :][: len(packed)] = packed
        scales[start // size :][: len(state.absmax)] = state.absmax

    for _ in workers.map(quantise, range(0, count, PIECE)):  # PIECE is a multiple of every block size
        pass
    if how.double:
        offset = scales.mean()
        scales = dequantize_blockwise(*quantize_blockwise(scales - offset, blocksize=_SCALES))
        scales += offset
    return Packed(codes, scales, shape, read(0, 0).dtype, how)


def dequantized(read: Rows, shape: tuple[int, int], how: Quantization, workers: Workers) -> Rows:
    """The rows of a matrix as they were in training."""
    return pack(read, shape, how, workers).rows


QDQ = MergeMethod(
    "qdq",
    help="through 4 bits and back, as in QLoRA",
    card="{quantized} linear layers went through bitsandbytes' {how} and back before the adapter was added, so they "
    "are what it was trained on.",
    add=add,
    prepare=dequantized,
)
