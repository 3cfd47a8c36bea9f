"""Adapters merged into their base, one tensor at a time: `s2train merge`, or from Python `merge(…)`.

    request → adapters and base read and checked (preparation) → what each tensor is made of (plan)
    → arithmetic (delta, methods) → written, resumable (stream) → the rest of the folder (folder) → compared (verify)

Nothing is mapped into memory, so memory in use is memory held. Which merge is better: `effect`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from s2eval.callable_package import make_callable

if TYPE_CHECKING:
    from s2train.checkpoint import Checkpoint

__all__ = ["merge"]


def merge(
    *,
    adapter: str | Path | Sequence[str | Path],
    method: str,
    out: str | Path,
    base: str | Path | None = None,
    weights: Sequence[float] = (),
    dtype: str | None = None,
    quantization: Mapping[str, object] | None = None,
    template: str | None = None,
    verify: bool = False,
    log: Callable[[str], object] = lambda _: None,
) -> Checkpoint:
    """Merge LoRA adapters into their base; an interrupted merge is resumed, a complete one is kept.

    Args:
        adapter: folder or hub id, or several.
        method: `bf16`, `qdq`, or another of `s2train.merge.methods.MERGE_METHODS`.
        out: the merged model's folder.
        base: folder, hub id, or an embedded model's name; None: as the adapter's configuration names it.
        weights: of the adapters; () for 1 each.
        dtype: that the base is loaded in, e.g. `bfloat16`; None: as it was in training, else as its files have it.
        quantization: fields of `s2train.checkpoint.Quantization` that replace what training recorded.
        template: prompt template of the merged model; None: as training recorded it.
        verify: compare logits with PEFT on the unmerged model, which needs it in memory.
        log: called with each line of progress.

    Returns:
        The merged model's `s2train.json`.

    Raises:
        UsageError: base and adapters do not fit together, or cannot be merged.
        PrerequisiteError: a file is missing or broken, or there is no space.
        DisagreementError: with `verify`, the logits differ by more than rounding.
    """
    from s2eval.models import base_of
    from s2train import checkpoint
    from s2train.merge.job import Request
    from s2train.merge.preparation import prepare

    adapters = tuple(map(str, [adapter] if isinstance(adapter, (str, Path)) else adapter))
    request = Request(
        base=str(base or base_of(adapters[0])),
        adapters=adapters,
        method=method,
        out=Path(out),
        weights=tuple(weights),
        options=dict(quantization or {}),
        dtype=dtype,
        template=template,
    )
    job = prepare(request)
    for line in job.lines():
        log(line)
    complete = job.is_done()
    proof = job.run(prove=verify)
    for line in proof.lines() if proof else ():
        log(line)
    log(f"{'already complete' if complete else 'written'}: {request.out}")
    merged = checkpoint.read(request.out)
    assert merged is not None
    return merged


make_callable(__name__, "s2train.merge:merge")
