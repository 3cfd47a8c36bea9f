"""`qdq`: the change is added to the base as it was in training, through bitsandbytes' 4 bits and back.

A matrix is quantised in chunks of entire blocks, which gives the same blocks as quantising it at once. The scales of
double quantisation are centred on their mean and quantised over the entire matrix (QLoRA, arXiv 2305.14314, section 3),
so they are gathered first, and then treated as `bitsandbytes.functional.quantize_4bit` does it.
"""

from __future__ import annotations

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

CHUNK = 1 << 16  # numbers quantised together: bitsandbytes takes about 24 bytes for each
_SCALES = 256  # scales that share one of their own, in double quantisation


@dataclass(frozen=True, slots=True)
class Packed:
    """A matrix in 4 bits.

    Attributes:
        codes: two numbers a byte, in the order of the matrix' rows.
        scales: one a block, fp32; dequantised, of double quantisation.
        dtype: of the original, and of the dequantised rows.
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
        numbers = dequantize_4bit(self.codes[first * size // 2 :][: count // 2], state).reshape(-1)
        begin = start * width - first * size
        return numbers[begin : begin + (end - start) * width].reshape(-1, width)


def pack(read: Rows, shape: tuple[int, int], how: Quantization, workers: Workers) -> Packed:
    """Quantise a matrix as in training; `read` gives its numbers `start` to `end`, row after row."""
    import torch

    try:
        from bitsandbytes.functional import dequantize_blockwise, quantize_4bit, quantize_blockwise
    except ImportError as error:
        raise PrerequisiteError("--method qdq needs bitsandbytes: pip install bitsandbytes") from error
    count, size = shape[0] * shape[1], how.blocksize
    codes = torch.empty((-(-count // 2), 1), dtype=torch.uint8)
    scales = torch.empty(-(-count // size), dtype=torch.float32)

    def quantise(start: int) -> None:
        numbers = read(start, min(start + CHUNK, count))
        packed, state = quantize_4bit(numbers, blocksize=size, quant_type=how.type)
        codes[start // 2 :][: len(packed)] = packed
        scales[start // size :][: len(state.absmax)] = state.absmax

    for _ in workers.map(quantise, range(0, count, CHUNK)):  # CHUNK is a multiple of every block size
        pass
    if how.double:
        offset = scales.mean()
        scales = dequantize_blockwise(*quantize_blockwise(scales - offset, blocksize=_SCALES))
        scales += offset
    return Packed(codes, scales, shape, read(0, 0).dtype, how)


QDQ = MergeMethod(
    "qdq",
    help="through 4 bits and back, as in QLoRA",
    card="{quantized} linear layers went through bitsandbytes' {how} and back before the adapter was added, so they "
    "are what it was trained on.",
    add=add,
    prepare=lambda read, shape, how, workers: pack(read, shape, how, workers).rows,
)
