"""The models that are compared, as entries of a run's configuration, and how each is loaded."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from s2eval import chat_arguments
from s2eval.errors import PrerequisiteError, S2Error, UsageError
from s2eval.models import ModelSpec, parse
from s2train.checkpoint import Quantization
from s2train.merge.effect.records import TRAINED
from s2train.merge.quantization import loading_arguments

LoadedModel: TypeAlias = Any  # an lm-eval HFLM, which is not typed


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """A model and lm-eval's arguments for it, as in a run's configuration."""

    name: str
    model: str
    dtype: str = "auto"
    args: Mapping[str, Any] = field(default_factory=dict)

    def entry(self) -> dict[str, Any]:
        """As an entry of a run's `models`."""
        return asdict(self)


def compared_models(
    spec: ModelSpec, how: Quantization | None, merged: Mapping[str, Path], template_arguments: Mapping[str, object]
) -> dict[str, ComparedModel]:
    """Name → model: the adapter on its base as it was trained, then each merge (method → folder), all with the merges'
    tokenizer. `how` is the quantisation of the base in training.
    """
    shared = {chat_arguments.MAPPING: dict(template_arguments)} if template_arguments else {}
    if how is not None:
        check_loadable(how)
    quantised = loading_arguments(how) if how else {}
    arguments = {"tokenizer": str(next(iter(merged.values()))), **quantised, **shared}
    trained = ComparedModel(TRAINED, spec.text, (how.dtype if how else None) or "auto", arguments)
    return {TRAINED: trained} | {name: ComparedModel(name, str(path), args=shared) for name, path in merged.items()}


def check_loadable(how: Quantization) -> None:
    """Raise UsageError if transformers cannot load a base quantised so."""
    if how.blocksize != 64:
        raise UsageError(f"transformers loads blocks of 64 only, the adapter's base had blocks of {how.blocksize}")


@contextmanager
def loaded(model: ComparedModel) -> Iterator[LoadedModel]:
    """lm-eval's model object; its memory is free again when the block ends."""
    from s2eval.models.s2 import S2LM

    spec = parse(model.model)
    arguments = chat_arguments.without(model.args)
    try:
        lm = S2LM(pretrained=spec.pretrained, peft=spec.peft, dtype=model.dtype, batch_size=1, **arguments)
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
