"""What an adapter adds to a tensor, in PEFT's default order of operations and types, a group of rows at a time.

The products and sums are those of `peft.tuners.lora` (layer.py `Linear.merge` and `Embedding.merge`, variants.py
`DoraLinearVariant.merge_unsafe`) without `safe_merge`, which rounds the change before it is added. So every number is
the one that `merge_and_unload` gives. PEFT computes with adapters in fp32, whatever their files hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from s2eval.errors import PrerequisiteError
from s2train.checkpoint import Quantization
from s2train.merge.adapters import Adapter
from s2train.merge.methods import MergeMethod
from s2train.merge.plan import Step
from s2train.merge.workers import Workers
from s2train.weights import tensors

PIECE = 1 << 19  # bytes of the tensor that are computed together: what stays in a processor's cache
Rows = Callable[[int, int], torch.Tensor]


def pieces(
    step: Step, adapters: Sequence[Adapter], rank: int, method: MergeMethod, how: Quantization, workers: Workers
) -> Iterator[torch.Tensor]:
    """The tensor of a step, in groups of its rows, in the type that it is written in.

    Args:
        step: what it is made of.
        adapters: that the step speaks of.
        rank: `Plan.rank`.
        method: how the change is added.
        how: the base's quantisation in training, for methods that need it.
        workers: that compute.

    Raises:
        PrerequisiteError: NaN or infinity stands in the base, or came of the sum or of its rounding.
    """
    read = _base(step, adapters, method, how, workers)
    make = _added(step, adapters, read) if step.addend else _changed(step, adapters, rank, method, read)

    def piece(rows: tuple[int, int]) -> torch.Tensor:
        made = make(*rows)
        if not made.isfinite().all():
            raise _not_finite(step, made.dtype)
        return made

    by_columns = step.layout != "linear" and any(one.magnitude for one in step.factors)
    groups = [(0, step.entry.shape[0])] if by_columns else tensors.steps(step.entry, PIECE)
    yield from workers.map(piece, groups)


def copied(step: Step, workers: Workers) -> Iterator[bytearray]:
    """The bytes of a tensor that stays what it is in the base.

    Raises:
        PrerequisiteError: NaN or infinity stands in it.
    """
    place, size = step.place, step.entry.size
    assert place is not None
    dtype = tensors.DTYPES.get(step.entry.dtype)
    wanted = dtype if dtype is not None and dtype.is_floating_point else None

    def piece(start: int) -> bytearray:
        read = place.read(start, min(start + PIECE, size))
        if wanted is not None and not torch.frombuffer(read, dtype=wanted).isfinite().all():
            raise _not_finite(step, wanted)
        return read

    yield from workers.map(piece, range(0, size, PIECE))


def _not_finite(step: Step, dtype: torch.dtype) -> PrerequisiteError:
    """The error for a tensor with NaN or infinity; whose they are is looked up."""
    place, name = step.place, step.entry.name
    if place is not None and step.given is None:
        parts = (tensors.rows(place, *rows) for rows in tensors.steps(place.entry, PIECE))
        if not all(part.isfinite().all() for part in parts):
            return PrerequisiteError(
                f"base {place.path.parent.name}: NaN or infinity stands in {place.entry.name}: it diverged in "
                "training, or the file is damaged. Fetch it again, or take another base"
            )
    advice = "Merge in another type: --dtype bfloat16" if dtype == torch.float16 else (
        "The adapter's training diverged, or its lora_alpha or --weight is wrong"
    )  # fmt: skip
    return PrerequisiteError(
        f"{name}: merged, some numbers are too large for {str(dtype).removeprefix('torch.')}, though base and adapter "
        f"are finite. {advice}"
    )


def _base(step: Step, adapters: Sequence[Adapter], method: MergeMethod, how: Quantization, workers: Workers) -> Rows:
    """The rows before anything is added: the base's, prepared by the method, or those that the adapter brings."""
    dtype = tensors.DTYPES[step.entry.dtype]
    place, given = step.place, step.given
    if given is not None:
        return lambda start, end: adapters[given.adapter].rows(given.key, start, end).to(dtype, copy=True)
    assert place is not None
    if not step.quantised or method.prepare is None:
        return lambda start, end: tensors.rows(place, start, end).to(dtype)
    rows, width = place.entry.shape
    if step.layout != "conv1d":
        return method.prepare(
            lambda start, end: tensors.numbers(place, start, end).to(dtype), (rows, width), how, workers
        )
    turned = tensors.load(place).to(dtype).T.reshape(-1)  # bitsandbytes gets it out × in
    back = method.prepare(lambda start, end: turned[start:end], (width, rows), how, workers)(0, width)
    return lambda start, end: back[:, start:end].T.contiguous()


def _added(step: Step, adapters: Sequence[Adapter], read: Rows) -> Rows:
    given = step.addend
    assert given is not None
    bias = _float(adapters, given.adapter, given.key)
    return lambda start, end: read(start, end).add_(bias[start:end] * given.scaling)


def _changed(step: Step, adapters: Sequence[Adapter], rank: int, method: MergeMethod, read: Rows) -> Rows:
    """Rows with scaling · B A added; of matrices that are stored the other way round, rows of its transpose."""
    if not step.factors:
        return read
    a, b, scaling = _factors(step, adapters, rank)
    magnitude = step.factors[0].magnitude
    first_rounded = rank or (step.layout == "embedding" and magnitude is None)
    rounded = tensors.DTYPES[step.entry.dtype] if first_rounded else torch.float32
    length = None if magnitude is None else _float(adapters, step.factors[0].adapter, magnitude)

    def rows(start: int, end: int) -> torch.Tensor:
        product = b[start:end] @ a if step.layout == "linear" else (b @ a[:, start:end]).T
        change, base = product.mul_(scaling).to(rounded), read(start, end)
        if length is None:
            return method.add(base, change).to(base.dtype)
        if step.layout == "linear":
            return _rescaled(method.add(base, change), length[start:end]).to(base.dtype)
        return _rescaled(method.add(base, change.contiguous()).T, length).T.to(base.dtype)

    return rows


def _rescaled(moved: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """Rows, each with a learned length in place of its own (DoRA, arXiv 2402.09353, equation 5)."""
    norm = torch.linalg.norm(moved, dim=1).to(moved.dtype)
    return (length / norm).view(-1, 1) * moved


def _factors(step: Step, adapters: Sequence[Adapter], rank: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """A (rank × in), B (out × rank) and what their product is multiplied by.

    Several adapters are put side by side as `add_weighted_adapter(…, combination_type="cat")` does, which keeps them
    in the base's type: their product is the weighted sum of the adapters' own.
    """
    if not rank:
        one = step.factors[0]
        return _float(adapters, one.adapter, one.a), _float(adapters, one.adapter, one.b), one.scaling
    parts = [
        (
            _float(adapters, one.adapter, one.a) * adapters[one.adapter].weight * one.scaling,
            _float(adapters, one.adapter, one.b),
        )
        for one in step.factors
    ]
    a = torch.zeros(rank, parts[0][0].shape[1])
    b = torch.zeros(parts[0][1].shape[0], rank)
    done = 0
    for some_a, some_b in parts:
        a[done : done + len(some_a)] = some_a
        b[:, done : done + len(some_a)] = some_b
        done += len(some_a)
    dtype = tensors.DTYPES[step.entry.dtype]
    return a.to(dtype).float(), b.to(dtype).float(), 1.0


def _float(adapters: Sequence[Adapter], number: int, key: str) -> torch.Tensor:
    return adapters[number].tensor(key).float()
