"""The language model that units are evaluated with: loaded when the first of them needs it, its base only once."""

from __future__ import annotations

import gc
from typing import Any

from s2eval import chat_arguments
from s2eval.config import RunConfig
from s2eval.errors import PrerequisiteError, S2Error
from s2eval.models import MODEL_KINDS
from s2eval.models.model_kind import S2
from s2eval.run.plan import Unit


class Models:
    """The models of a run, of which one is in memory at a time: a base, and an adapter where the unit has one.

    The base stays for the units that follow, as long as they want the same one; the adapter that was on it is taken
    off, and if the base is not bit for bit what it was before, it is loaded anew.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._name: str | None = None
        self._lm: Any = None
        self._of: str | None = None
        self._base: Any = None

    def get(self, unit: Unit) -> Any:
        """lm-eval's model object for a unit.

        Raises:
            PrerequisiteError: the base or the adapter cannot be loaded.
            UsageError: the adapter does not fit the base, or changes nothing.
        """
        if self._name != unit.entry.name:
            self._name, self._lm = None, None  # before the next one is loaded: not both at once
            self._lm = self._load(unit) if unit.spec.engine == S2 else self._other_backend(unit)
            self._name = unit.entry.name
        return self._lm

    def release(self) -> None:
        """Free the memory."""
        if self._base is None and self._lm is None:
            return
        self._name = self._lm = self._of = self._base = None
        gc.collect()
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _load(self, unit: Unit) -> Any:
        from s2eval.models import base

        gc.collect()  # an adapter's modules refer to one another
        if self._base is not None and (self._of != unit.base or not self._base.restore()):
            self.release()
        if self._base is None:
            lm = self._backend(unit)
            self._base, self._of = base.Base(lm.model), unit.base
            if unit.spec.peft is None:
                return lm
        return self._backend(unit, loaded=self._base.model, peft=unit.spec.peft)

    def _other_backend(self, unit: Unit) -> Any:
        """Of a kind of model that brings one."""
        self.release()
        return opened(MODEL_KINDS[unit.spec.engine].backend, unit, self._config)

    def _backend(self, unit: Unit, **more: Any) -> Any:
        from s2eval.models import s2

        return opened(s2.S2LM, unit, self._config, **more)


def opened(backend: Any, unit: Unit, config: RunConfig, **more: Any) -> Any:
    """A unit's model, without its adapter, in one of lm-eval's backends, with the arguments that the run gives it.

    Args:
        backend: a class of lm-eval's models.
        more: further arguments.

    Raises:
        PrerequisiteError: it cannot be loaded.
    """
    entry, spec = unit.entry, unit.spec
    arguments: dict[str, Any] = {
        "dtype": entry.dtype,
        "batch_size": entry.batch_size or config.batch_size,
        **({"device": entry.device} if entry.device else {}),
        **chat_arguments.without(entry.args),
        **more,
    }
    try:
        return backend(pretrained=spec.pretrained, **arguments)
    except S2Error:
        raise
    except Exception as error:  # transformers, torch and safetensors raise a dozen unrelated classes
        why = f"{type(error).__name__}: {error}"
        raise PrerequisiteError(f"model {spec.text}: cannot be loaded: {why}") from error
