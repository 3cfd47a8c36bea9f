"""What an adapter adds to a tensor, in PEFT's default order of operations and types, a group of rows at a time.

The products and sums are those of `peft.tuners.lora` (layer.py `Linear.merge` and `Embedding.merge`, variants.py
`DoraLinearVariant.merge_unsafe`) without `safe_merge`, which rounds the change before it is added. So every number is
the one that `merge_and_unload` gives. PEFT computes with adapters in fp32, whatever their files hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from s2eval.errors import PrerequisiteError
from s2train.checkpoint import Quantization
from s2train.merge.adapters import Adapter
from s2train.merge.methods import MergeMethod
from s2train.merge.plan import Step
from s2train.merge.workers import Workers
from s2train.weights import tensors

if TYPE_CHECKING:
    from s2train.merge.methods.method import Rows

CHUNK = 1 << 19  # bytes of the tensor that are computed together: what stays in a processor's cache


@dataclass(frozen=True, slots=True)
class Merger:
    """Computes the tensors of a plan; `how` is the base's quantisation in training, for methods that need it."""

    adapters: Sequence[Adapter]
    rank: int
    method: MergeMethod
    how: Quantization
    workers: Workers

    def chunks(self, step: Step) -> Iterator[bytearray | memoryview]:
        """The bytes of a tensor, as they are written; PrerequisiteError for NaN or infinity in the base or the sum."""
        if step.copied:
            yield from self._copied(step)
            return
        compute = self._rows(step)

        def checked(group: tuple[int, int]) -> torch.Tensor:
            rows = compute(*group)
            if not rows.isfinite().all():
                raise _not_finite(step, rows.dtype)
            return rows

        by_columns = step.layout != "linear" and any(target.magnitude for target in step.factors)
        groups = [(0, step.entry.shape[0])] if by_columns else tensors.steps(step.entry, CHUNK)
        for rows in self.workers.map(checked, groups):
            yield tensors.as_bytes(rows)

    def _copied(self, step: Step) -> Iterator[bytearray]:
        place, size = step.place, step.entry.size
        assert place is not None
        dtype = tensors.DTYPES.get(step.entry.dtype)

        def checked(start: int) -> bytearray:
            chunk = place.read(start, min(start + CHUNK, size))
            if dtype and dtype.is_floating_point and not torch.frombuffer(chunk, dtype=dtype).isfinite().all():
                raise _not_finite(step, dtype)
            return chunk

        yield from self.workers.map(checked, range(0, size, CHUNK))

    def _rows(self, step: Step) -> Rows:
        """Rows with the change added; of matrices that are stored the other way round, rows of the transpose."""
        read = self._base(step)
        if (target := step.bias) is not None:
            assert target.bias is not None
            bias = self._float(target.adapter, target.bias)
            return lambda start, end: read(start, end).add_(bias[start:end] * target.scaling)
        if not step.factors:
            return read
        a, b, scaling = self._factors(step)
        magnitude = step.factors[0].magnitude
        length = None if magnitude is None else self._float(step.factors[0].adapter, magnitude)
        first_rounded = self.rank or (step.layout == "embedding" and magnitude is None)
        rounded = tensors.DTYPES[step.entry.dtype] if first_rounded else torch.float32
        add = self.method.add

        def rows(start: int, end: int) -> torch.Tensor:
            product = b[start:end] @ a if step.layout == "linear" else (b @ a[:, start:end]).T
            change, base = product.mul_(scaling).to(rounded), read(start, end)
            if length is None:
                return add(base, change).to(base.dtype)
            if step.layout == "linear":
                return _rescaled(add(base, change), length[start:end]).to(base.dtype)
            return _rescaled(add(base, change.contiguous()).T, length).T.to(base.dtype)

        return rows

    def _base(self, step: Step) -> Rows:
        """The rows before anything is added: the base's, prepared by the method, or the adapter's replacement."""
        dtype = tensors.DTYPES[step.entry.dtype]
        place, replacement, prepare = step.place, step.replacement, self.method.prepare
        if replacement is not None:
            adapter = self.adapters[replacement.adapter]
            return lambda start, end: adapter.rows(replacement.key, start, end).to(dtype, copy=True)
        assert place is not None
        if not step.quantised or prepare is None:
            return lambda start, end: tensors.rows(place, start, end).to(dtype)
        rows, width = place.entry.shape
        if step.layout != "conv1d":
            return prepare(
                lambda start, end: tensors.numbers(place, start, end).to(dtype), (rows, width), self.how, self.workers
            )
        turned = tensors.load(place).to(dtype).T.reshape(-1)  # bitsandbytes gets it out × in
        back = prepare(lambda start, end: turned[start:end], (width, rows), self.how, self.workers)(0, width)
        return lambda start, end: back[:, start:end].T.contiguous()

    def _factors(self, step: Step) -> tuple[torch.Tensor, torch.Tensor, float]:
        """A (rank × in), B (out × rank) and what their product is multiplied by.

        Several adapters are put side by side as `add_weighted_adapter(…, combination_type="cat")` does, which keeps
        them in the base's type: their product is the weighted sum of the adapters' own.
        """
        pairs = [
            (self._float(target.adapter, target.a), self._float(target.adapter, target.b)) for target in step.factors
        ]
        if not self.rank:
            return *pairs[0], step.factors[0].scaling
        a = torch.zeros(self.rank, pairs[0][0].shape[1])
        b = torch.zeros(pairs[0][1].shape[0], self.rank)
        start = 0
        for target, (part_a, part_b) in zip(step.factors, pairs, strict=True):
            end = start + len(part_a)
            a[start:end] = part_a * self.adapters[target.adapter].weight * target.scaling
            b[:, start:end] = part_b
            start = end
        dtype = tensors.DTYPES[step.entry.dtype]
        return a.to(dtype).float(), b.to(dtype).float(), 1.0

    def _float(self, adapter: int, key: str) -> torch.Tensor:
        return self.adapters[adapter].tensor(key).float()


def _rescaled(moved: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """Rows, each with a learned length in place of its own (DoRA, arXiv 2402.09353, equation 5)."""
    norm = torch.linalg.norm(moved, dim=1).to(moved.dtype)
    return (length / norm).view(-1, 1) * moved


def _not_finite(step: Step, dtype: torch.dtype) -> PrerequisiteError:
    """The error for a tensor with NaN or infinity, which says whether the base or the sum has it."""
    place = step.place
    if place is not None and step.replacement is None:
        groups = (tensors.rows(place, *group) for group in tensors.steps(place.entry, CHUNK))
        if not all(rows.isfinite().all() for rows in groups):
            return PrerequisiteError(
                f"base {place.path.parent.name}: NaN or infinity stands in {place.entry.name}: it diverged in "
                "training, or the file is damaged. Fetch it again, or take another base"
            )
    advice = "The adapter's training diverged, or its lora_alpha or --weight is wrong"
    if dtype == torch.float16:
        advice = "Merge in another type: --dtype bfloat16"
    return PrerequisiteError(
        f"{step.entry.name}: merged, some numbers are too large for {str(dtype).removeprefix('torch.')}, though base "
        f"and adapter are finite. {advice}"
    )
