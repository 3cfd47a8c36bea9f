"""A merge before its first byte: base and adapters found, read, checked against one another, and planned."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from s2eval.errors import UsageError
from s2eval.models.sources.adapter_names import left_by_wrapper
from s2eval.weights import some
from s2train import checkpoint
from s2train.checkpoint import Checkpoint, Source
from s2train.merge import adapters as adapters_of
from s2train.merge import folder, outline, plan, quantization
from s2train.merge.adapters import Adapter
from s2train.merge.fit import Given
from s2train.merge.job import Job, Request
from s2train.merge.methods import MERGE_METHODS
from s2train.merge.outline import Outline
from s2train.merge.plan import Plan
from s2train.weights import location, shards, tensors
from s2train.weights.location import Location
from s2train.weights.shards import Place, Weights


def prepare(request: Request) -> Job:
    """Read and check everything; writes nothing.

    Raises:
        UsageError: base and adapters do not go together, or cannot be merged here.
        PrerequisiteError: a file is missing or broken.
    """
    method = MERGE_METHODS.find(request.method)
    if request.options and not method.quantizes:
        names = ", ".join(other.name for other in MERGE_METHODS.values() if other.quantizes)
        raise UsageError(
            f"how the base was quantised matters for --method {names} only: leave it out, or choose that one"
        )
    adapters = _adapters(request)
    base = location.of_model(request.base)
    weights = shards.find(base.folder)
    quantization.check_unquantized(base.folder, weights)
    how, source = None, ""
    if method.quantizes:
        how, source = quantization.choose(base.folder, adapters, request.options)
    dtype = request.dtype or (how.dtype if how else None)
    if how:
        how = how.model_copy(update={"dtype": dtype})
    drawn = outline.draw(weights, adapters, how.skip if how else None)
    if how and not drawn.quantised:
        raise UsageError(
            f"bitsandbytes quantises no layer of {drawn.architecture}: there is nothing for --method {method.name}"
        )
    planned = plan.make(
        weights,
        drawn,
        adapters,
        quantise=how is not None,
        dtype=next((name for name, called in tensors.FLOATS.items() if called == dtype), None),
        equal=lambda one, other: _equal(one, other, adapters),
    )
    fingerprint = _fingerprint(weights, adapters)
    folders, trained = [one.folder for one in adapters], adapters[0].made
    tokenizer, lost = folder.tokenizer_of(base.folder, folders, _rows(drawn))
    made = Checkpoint(
        template=request.template or folder.template(base.folder, folders, tokenizer),
        kind="merge",
        base=Source(name=base.name, sha256=fingerprint),
        adapters=tuple(Source(name=one.name, sha256=one.sha256, weight=one.weight) for one in adapters),
        method=method.name,
        quantization=how,
        recipe=trained.recipe if trained else None,
        data=trained.data if trained else {},
        versions=checkpoint.versions(),
    )
    notes = (*_notes(base, weights, adapters, planned, made, source, dtype), *lost)
    return Job(request.out, base, adapters, planned, method, drawn.architecture, dtype, made, notes, tokenizer)


def _rows(drawn: Outline) -> int:
    """Of the embeddings: tokens that the merged model knows."""
    return min((drawn.shapes[name][0] for name in drawn.embeddings if name in drawn.shapes), default=sys.maxsize)


def _adapters(request: Request) -> tuple[Adapter, ...]:
    locations = [location.of_adapter(text) for text in request.adapters]
    weights: tuple[float, ...] = request.weights or (1.0,) * len(locations)
    if len(weights) != len(locations):
        raise UsageError(f"{len(locations)} adapters, but {len(weights)} weights: give one --weight for each --adapter")
    if not all(map(math.isfinite, weights)):
        raise UsageError(f"--weight {', '.join(map(str, weights))}: expected finite numbers")
    adapters = tuple(
        adapters_of.read(at.folder, at.name, weight) for at, weight in zip(locations, weights, strict=True)
    )
    if len(adapters) > 1 or any(adapter.weight != 1 for adapter in adapters):
        adapters_of.check_together(adapters)
    return adapters


def _fingerprint(weights: Weights, adapters: Sequence[Adapter]) -> str:
    fingerprint = shards.fingerprint(weights)
    for adapter in adapters:
        trained = adapter.made.base if adapter.made else None
        if trained and trained.sha256 and trained.sha256 != fingerprint:
            raise UsageError(
                f"adapter {adapter.name} was trained on {trained.name}, whose weights have the fingerprint "
                f"{trained.sha256[:12]}…; those of {weights.folder.name} have {fingerprint[:12]}…: these are others"
            )
    return fingerprint


def _equal(one: Place | Given, other: Place | Given, adapters: Sequence[Adapter]) -> bool:
    """Whether two tensors, of the base or of an adapter, hold the same."""
    entries = [
        side.entry if isinstance(side, Place) else adapters[side.adapter].entries[side.key] for side in (one, other)
    ]
    if entries[0].shape != entries[1].shape:
        return False

    def rows(side: Place | Given, start: int, end: int) -> Any:
        if isinstance(side, Place):
            return tensors.rows(side, start, end)
        return adapters[side.adapter].rows(side.key, start, end)

    return all(
        bool((rows(one, start, end) == rows(other, start, end)).all())
        for start, end in tensors.steps(entries[0], 1 << 22)
    )


def _notes(
    base: Location,
    weights: Weights,
    adapters: Sequence[Adapter],
    planned: Plan,
    made: Checkpoint,
    source: str,
    dtype: str | None,
) -> Iterator[str]:
    for adapter in adapters:
        named = str(adapter.config.get("base_model_name_or_path") or "").rstrip("/")
        known = adapter.made is not None and adapter.made.base is not None and adapter.made.base.sha256 is not None
        if named and not known and named.rpartition("/")[2] not in (base.name.rpartition("/")[2], base.folder.name):
            yield f"adapter {adapter.name} names {named} as its base; merged into {base.name}, whose shapes fit"
        if adapter.wrappers:
            yield left_by_wrapper(f"adapter {adapter.name}", adapter.wrappers)
        if adapter.untrained:
            yield f"adapter {adapter.name}: every B matrix is zero, as before training: it changes nothing"
    if made.quantization and not source:
        how = made.quantization
        yield (
            f"nothing tells how the base was quantised in training; taken: {how.type}, blocks of {how.blocksize}, "
            f"{'double' if how.double else 'single'} quantisation (--quant-type, --blocksize, --double-quant)"
        )
    if not made.quantization and any(adapter.made and adapter.made.quantization for adapter in adapters):
        yield "the adapter was trained on a base in 4 bits; --method qdq merges it into what it was trained on"
    if len(adapters) > 1:
        yield "several adapters: the weighted sum of their changes, as add_weighted_adapter(…, combination_type='cat')"
    for name in planned.untied:
        yield f"{name} was tied to the embeddings; one of the two is changed alone, so each has its own tensor now"
    if planned.left_out:
        yield f"left out, because {len(planned.left_out)} tensors are not part of the merged model: " + some(
            planned.left_out
        )
    stored = {place.entry.dtype for place in weights.places().values()} & tensors.FLOATS.keys()
    said = folder.dtype(base.folder)
    if said and stored and said not in {tensors.FLOATS[one] for one in stored} and not dtype:
        yield f"config.json of the base says {said}, its files hold {', '.join(sorted(stored))}: kept; see --dtype"
