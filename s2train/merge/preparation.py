"""A merge before its first byte: base and adapters read, checked against one another, and planned."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace

from s2eval.errors import UsageError
from s2eval.models.sources.adapter_names import left_by_wrapper
from s2eval.weights import some
from s2train import checkpoint
from s2train.checkpoint import Checkpoint, Source
from s2train.merge import adapters as adapters_of
from s2train.merge import folder, meta_model, plan, quantization
from s2train.merge.adapters import Adapter
from s2train.merge.job import Job, Request
from s2train.merge.methods import MERGE_METHODS
from s2train.weights import location, shards, tensors
from s2train.weights.shards import Weights


def prepare(request: Request) -> Job:
    """Read and check everything; writes nothing. UsageError or PrerequisiteError if something does not fit."""
    method = MERGE_METHODS.find(request.method)
    if request.options and not method.quantizes:
        names = ", ".join(other.name for other in MERGE_METHODS.values() if other.quantizes)
        raise UsageError(
            f"how the base was quantised matters for --method {names} only: leave it out, or choose that one"
        )
    adapters = _adapters(request)
    folders = [adapter.folder for adapter in adapters]
    base = location.of_model(request.base)
    weights = shards.find(base.folder)
    quantization.check_unquantized(base.folder, weights)
    how, source = None, ""
    if method.quantizes:
        how, source = quantization.choose(base.folder, adapters, request.options)
    dtype = request.dtype or (how.dtype if how else None)
    if how:
        how = how.model_copy(update={"dtype": dtype})
    meta = meta_model.build(weights, adapters, how.skip if how else None)
    if how and not meta.quantised:
        raise UsageError(
            f"bitsandbytes quantises no layer of {meta.architecture}: there is nothing for --method {method.name}"
        )
    stored = next((name for name, torch_name in tensors.FLOATS.items() if torch_name == dtype), None)
    planned = plan.make(weights, meta, adapters, quantise=how is not None, dtype=stored)
    fingerprint = shards.fingerprint(weights)
    for adapter in adapters:
        trained = adapter.checkpoint.base if adapter.checkpoint else None
        if trained and trained.sha256 and trained.sha256 != fingerprint:
            raise UsageError(
                f"adapter {adapter.name} was trained on {trained.name}, whose weights have the fingerprint "
                f"{trained.sha256[:12]}…; those of {weights.folder.name} have {fingerprint[:12]}…: these are others"
            )
    rows = min((meta.shapes[name][0] for name in meta.embeddings if name in meta.shapes), default=sys.maxsize)
    tokenizer, tokenizer_notes = folder.tokenizer_of(base.folder, folders, rows)
    first = adapters[0].checkpoint
    merged = Checkpoint(
        template=request.template or folder.template(base.folder, folders, tokenizer),
        kind="merge",
        base=Source(name=base.name, sha256=fingerprint),
        adapters=tuple(Source(name=adapter.name, sha256=adapter.sha256, weight=adapter.weight) for adapter in adapters),
        method=method.name,
        quantization=how,
        recipe=first.recipe if first else None,
        data=first.data if first else {},
        versions=checkpoint.versions(),
    )
    job = Job(request.out, base, adapters, planned, method, meta.architecture, dtype, merged, (), tokenizer)
    return replace(job, notes=(*_notes(job, weights, quantization_known=bool(source)), *tokenizer_notes))


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


def _notes(job: Job, weights: Weights, *, quantization_known: bool) -> Iterator[str]:
    base, adapters, planned, how = job.base, job.adapters, job.plan, job.checkpoint.quantization
    for adapter in adapters:
        named = adapter.base.rstrip("/")
        trained = adapter.checkpoint.base if adapter.checkpoint else None
        fits = named.rpartition("/")[2] in ("", base.name.rpartition("/")[2], base.folder.name)
        if not fits and (trained is None or trained.sha256 is None):
            yield f"adapter {adapter.name} names {named} as its base; merged into {base.name}, whose shapes fit"
        if adapter.wrappers:
            yield left_by_wrapper(f"adapter {adapter.name}", adapter.wrappers)
        if adapter.untrained:
            yield f"adapter {adapter.name}: every B matrix is zero, as before training: it changes nothing"
    if how and not quantization_known:
        yield (
            f"nothing tells how the base was quantised in training; taken: {how.type}, blocks of {how.blocksize}, "
            f"{'double' if how.double else 'single'} quantisation (--quant-type, --blocksize, --double-quant)"
        )
    if not how and any(adapter.checkpoint and adapter.checkpoint.quantization for adapter in adapters):
        yield "the adapter was trained on a base in 4 bits; --method qdq merges it into what it was trained on"
    if len(adapters) > 1:
        yield "several adapters: the weighted sum of their changes, as add_weighted_adapter(…, combination_type='cat')"
    for name in planned.untied:
        yield f"{name} was tied to the embeddings; one of the two is changed alone, so each has its own tensor now"
    if planned.left_out:
        yield f"left out, because {len(planned.left_out)} tensors are not part of the merged model: " + some(
            planned.left_out
        )
    stored = {dtype for dtype, _ in weights.shapes().values()} & tensors.FLOATS.keys()
    stated = folder.dtype(base.folder)
    if stated and stored and stated not in {tensors.FLOATS[name] for name in stored} and not job.dtype:
        yield f"config.json of the base says {stated}, its files hold {', '.join(sorted(stored))}: kept; see --dtype"
