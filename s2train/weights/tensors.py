"""Bytes of a file as tensors, and back."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from s2train.weights.header import Entry
from s2train.weights.shards import Place

DTYPES = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "I16": torch.int16, "I32": torch.int32,
    "I64": torch.int64, "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64,
}  # fmt: skip
FLOATS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32"}  # what is merged: the format's name, torch's
NAMES = {dtype: name for name, dtype in DTYPES.items()}
_FEWEST = 64  # rows


def numbers(place: Place, start: int, end: int) -> torch.Tensor:
    """Numbers `start` to `end` of a tensor, in the order in which they are stored."""
    dtype = DTYPES[place.entry.dtype]
    if start == end:
        return torch.empty(0, dtype=dtype)
    return torch.frombuffer(place.read(start * dtype.itemsize, end * dtype.itemsize), dtype=dtype)


def rows(place: Place, start: int, end: int) -> torch.Tensor:
    """Rows `start` to `end` of a tensor, (end - start) × the rest of its shape; a single number is a row."""
    entry = place.entry
    width = entry.items // max(1, _count(entry))
    return numbers(place, start * width, end * width).reshape(end - start, *entry.shape[1:])


def load(place: Place) -> torch.Tensor:
    """The tensor in full."""
    return numbers(place, 0, place.entry.items).reshape(place.entry.shape)


def steps(entry: Entry, size: int) -> Iterator[tuple[int, int]]:
    """Rows of a tensor, from and to, in groups of about `size` bytes.

    No group of several has fewer than 64 rows: with a few rows only, libraries sum in another order than with many.
    """
    count = _count(entry)
    step = max(_FEWEST, size * count // max(1, entry.size))
    start = 0
    while start < count:
        end = count if count - start < step + _FEWEST else start + step
        yield start, end
        start = end


def _count(entry: Entry) -> int:
    return entry.shape[0] if entry.shape else 1


def as_bytes(tensor: torch.Tensor) -> memoryview:
    """The tensor's own memory where it is contiguous, else a copy's."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data
