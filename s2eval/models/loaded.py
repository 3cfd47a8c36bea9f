"""The one language model in memory: a base, and an adapter on it where the model has one."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from s2eval.errors import PrerequisiteError, S2Error
from s2eval.models.backend import HFLM
from s2eval.models.kinds import MODEL_KINDS
from s2eval.models.model_kind import S2, ModelSpec

if TYPE_CHECKING:
    from s2eval.models.base import Base


LM = TypeVar("LM")


@dataclass(slots=True)
class _Memory:
    key: object = None  # of `lm`
    lm: HFLM = None
    base_key: object = None
    base: Base | None = None


_memory = _Memory()


def get(spec: ModelSpec, arguments: Mapping[str, object]) -> HFLM:
    """The model in lm-eval's backend of its kind; one of another base or other arguments is released first.

    A base stays in memory for the next adapter, and is loaded again where it is no longer, bit for bit, what it was.
    Raises PrerequisiteError if it cannot be loaded, UsageError if the adapter does not fit the base or changes nothing.
    """
    key = spec, dict(arguments)
    if _memory.key != key:
        _memory.key = _memory.lm = None  # not both at once
        _memory.lm = _load(spec, arguments)
        _memory.key = key
    return _memory.lm


def _load(spec: ModelSpec, arguments: Mapping[str, object]) -> object:
    if spec.engine != S2:
        release()
        return open_backend(MODEL_KINDS[spec.engine].backend, spec, arguments)
    from s2eval.models.base import Base
    from s2eval.models.s2 import S2LM

    gc.collect()  # an adapter's modules refer to one another
    base_key = base_id(spec), {**arguments, "batch_size": None}
    if _memory.base is not None and (_memory.base_key != base_key or not _memory.base.restore()):
        release()
    if _memory.base is None:
        lm: HFLM = open_backend(S2LM, spec, arguments)
        _memory.base, _memory.base_key = Base(lm.model), base_key
        if spec.peft is None:
            return lm
    return open_backend(S2LM, spec, {**arguments, "loaded": _memory.base.model, "peft": spec.peft})


def base_id(spec: ModelSpec) -> str:
    """The base's folder, however it was written, or its hub id."""
    folder = Path(spec.pretrained).expanduser()
    return str(folder.resolve()) if folder.is_dir() else spec.pretrained


def open_backend(backend: Callable[..., LM] | None, spec: ModelSpec, arguments: Mapping[str, object]) -> LM:
    """The base of a model in a backend. Raises PrerequisiteError if it cannot be loaded."""
    assert backend is not None  # kinds without one have no engine of their own
    try:
        return backend(pretrained=spec.pretrained, **arguments)
    except S2Error:
        raise
    except Exception as error:  # transformers, torch and safetensors raise a dozen unrelated classes
        why = f"{type(error).__name__}: {error}"
        raise PrerequisiteError(f"model {spec.text}: cannot be loaded: {why}") from error


def release() -> None:
    """Free the memory."""
    if _memory.base is None and _memory.lm is None:
        return
    _memory.key = _memory.lm = _memory.base_key = _memory.base = None
    gc.collect()
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def releasing() -> Iterator[None]:
    """Free the memory at the end of a block."""
    try:
        yield
    finally:
        release()
