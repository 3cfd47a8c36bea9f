"""The head of a safetensors file: names, types, shapes and offsets of its tensors.

Format: 8 bytes of length (little endian), that many bytes of JSON, then the tensors' bytes without gaps;
https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from s2eval.errors import PrerequisiteError

SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8,
}  # fmt: skip
_LONGEST = 100_000_000  # bytes of JSON, the format's own limit


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor in a file: `dtype` as the format calls it, e.g. `BF16`; `start` is its first byte in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int = 0

    @property
    def items(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """In bytes."""
        return self.items * SIZES[self.dtype]


def read(path: Path) -> list[Entry]:
    """The tensors of a file, in the order of their bytes.

    Raises:
        PrerequisiteError: the file cannot be read, is not a safetensors file, or ends too early.
    """
    try:
        with path.open("rb") as file:
            file_size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if file_size < 8 or length > min(_LONGEST, file_size - 8):
                raise _broken(path, f"it has {file_size:,} bytes, and its head alone would have {length + 8:,}")
            head: object = json.loads(file.read(length))
    except OSError as error:
        raise PrerequisiteError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise _broken(path, "its head is no JSON") from error
    end = 8 + length
    entries = sorted(_entries(path, head, end), key=lambda entry: entry.start)
    for entry in entries:
        if entry.start != end:
            raise _broken(path, f"{entry.name} begins at byte {entry.start:,}, expected {end:,}")
        end += entry.size
    if end != file_size:
        raise _broken(path, f"it has {file_size:,} bytes, its head speaks of {end:,}")
    return entries


def _entries(path: Path, head: object, offset: int) -> Iterator[Entry]:
    if not isinstance(head, dict):
        raise _broken(path, "its head is no mapping")
    for name, fields in head.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape, (start, end) = fields["dtype"], tuple(fields["shape"]), fields["data_offsets"]
            entry = Entry(name, dtype, shape, offset + start)
            if entry.size != end - start or any(length < 0 for length in shape):
                raise ValueError("sizes")
        except (KeyError, TypeError, ValueError) as error:
            raise _broken(path, f"what it says of {name} is wrong: {fields}") from error
        yield entry


def _broken(path: Path, why: str) -> PrerequisiteError:
    return PrerequisiteError(f"{path}: no whole safetensors file: {why}. Fetch or copy it again")


def placed(entries: Iterable[Entry]) -> tuple[bytes, list[Entry]]:
    """The head of a new file, and its tensors with their offsets.

    Wider types come first, as the format's own writer puts them, so that each tensor begins at a multiple of its item's
    size; apart from that the order stays.
    """
    fields: dict[str, object] = {"__metadata__": {"format": "pt"}}
    ordered: list[Entry] = []
    begin = 0
    for entry in sorted(entries, key=lambda entry: -SIZES[entry.dtype]):
        end = begin + entry.size
        fields[entry.name] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": [begin, end]}
        ordered.append(replace(entry, start=begin))
        begin = end
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    return head, [replace(entry, start=len(head) + entry.start) for entry in ordered]
