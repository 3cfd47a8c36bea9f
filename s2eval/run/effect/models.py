"""The models that are compared, as entries of a run's configuration, and how each is loaded."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2eval import chat_arguments
from s2eval.config import ModelEntry
from s2eval.errors import PrerequisiteError, S2Error
from s2eval.models.spec import ModelSpec, parse
from s2eval.report.effect import TRAINED
from s2eval.run.effect.merges import Quantization


def entries(
    spec: ModelSpec, how: Quantization | None, merged: Mapping[str, Path], template_arguments: Mapping[str, Any]
) -> dict[str, ModelEntry]:
    """Name → entry: the adapter on its base as it was trained, then each merge.

    All take the tokenizer that the merges have.

    Args:
        spec: the unmerged adapter.
        how: quantisation of its base in training; None: it had none.
        merged: method → folder.
        template_arguments: of the tokenizer's chat template, for all of them.
    """
    shared = {chat_arguments.MAPPING: dict(template_arguments)} if template_arguments else {}
    trained = {
        "model": spec.text,
        "dtype": (how.dtype if how else None) or "auto",
        "args": {"tokenizer": str(next(iter(merged.values()))), **(how.arguments() if how else {}), **shared},
    }
    every = {TRAINED: trained, **{method: {"model": str(folder), "args": shared} for method, folder in merged.items()}}
    return {name: ModelEntry.model_validate({**entry, "name": name}) for name, entry in every.items()}


@contextmanager
def loaded(entry: ModelEntry) -> Iterator[Any]:
    """lm-eval's model object for an entry; its memory is free again when the block ends.

    Raises:
        PrerequisiteError: it cannot be loaded.
        UsageError: the adapter does not fit the base, or changes nothing.
    """
    from s2eval.models.s2 import S2LM

    spec = parse(entry.model)
    lm: Any = None
    try:
        arguments = chat_arguments.without(entry.args)
        lm = S2LM(pretrained=spec.pretrained, peft=spec.peft, dtype=entry.dtype, batch_size=1, **arguments)
    except S2Error:
        raise
    except Exception as error:  # transformers, torch and safetensors raise a dozen unrelated classes
        why = f"{type(error).__name__}: {error}"
        raise PrerequisiteError(f"model {spec.text}: cannot be loaded: {why}") from error
    try:
        yield lm
    finally:
        lm._model = None  # whoever still holds the object does not hold the weights
        del lm
        gc.collect()
