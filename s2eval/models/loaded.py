"""The one language model in memory, for whoever asks a model outside a run's tasks."""

from __future__ import annotations

import gc
from typing import Any

import torch

from s2eval.errors import PrerequisiteError, S2Error
from s2eval.models.model_kind import ModelSpec
from s2eval.models.s2 import S2LM

_held: list[tuple[ModelSpec, dict[str, Any], S2LM]] = []


def get(spec: ModelSpec, options: dict[str, Any]) -> S2LM:
    """The model in the backend `s2`; what was loaded before is released first, unless it is the same.

    Raises:
        PrerequisiteError: it cannot be loaded.
    """
    if _held and _held[0][:2] == (spec, options):
        return _held[0][2]
    release()
    try:
        lm = S2LM(pretrained=spec.pretrained, peft=spec.peft, **options)
    except S2Error:
        raise
    except Exception as error:  # transformers, torch and safetensors raise a dozen unrelated classes
        why = f"{type(error).__name__}: {error}"
        raise PrerequisiteError(f"model {spec.text}: cannot be loaded: {why}") from error
    _held.append((spec, options, lm))
    return lm


def release() -> None:
    """Free the memory."""
    _held.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def set_seed(seed: int) -> None:
    """Of PyTorch, on which sampled answers depend."""
    torch.manual_seed(seed)
