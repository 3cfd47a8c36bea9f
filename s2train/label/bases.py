"""One base model in memory, that policy and rankers are put on one after the other."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2eval.errors import PrerequisiteError, S2Error
from s2train.checkpoint import Quantization

_CONTEXT = 2048  # tokens, of a model that does not say


@dataclass(frozen=True, slots=True)
class BaseCheckpoint:
    """What an adapter stands on.

    Attributes:
        folder: of the base.
        quantization: how the base was quantised when the adapter was trained; None = not.
    """

    folder: Path
    quantization: Quantization | None = None

    def arguments(self) -> dict[str, Any]:
        """Of the backend `s2` that loads it."""
        how = self.quantization
        if how is None:
            return {}
        return {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": how.type,
            "bnb_4bit_use_double_quant": how.double,
            **({"bnb_4bit_compute_dtype": how.compute_dtype} if how.compute_dtype else {}),
            **({"dtype": how.dtype} if how.dtype else {}),
        }


def context(folder: Path) -> int:
    """Tokens that a model reads at most, prompt and answer together.

    Raises:
        PrerequisiteError: it has no readable configuration.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder).get_text_config()
    except (OSError, ValueError, KeyError) as error:
        raise PrerequisiteError(f"model {folder.name}: {' '.join(str(error).split())[:300]}") from error
    return getattr(config, "max_position_embeddings", None) or _CONTEXT


class Bases:
    """Loads a base when it is asked for; it stays until another one is."""

    def __init__(self) -> None:
        self._of: BaseCheckpoint | None = None
        self._base: Any = None

    def get(self, base_checkpoint: BaseCheckpoint) -> Any:
        """The transformers model with nothing on it: what was put on it before is taken off.

        Raises:
            PrerequisiteError: it cannot be loaded.
        """
        from s2eval.models.base import Base

        gc.collect()  # an adapter's modules refer to one another
        if self._base is not None and (self._of != base_checkpoint or not self._base.restore()):
            self.release()
        if self._base is None:
            self._base, self._of = Base(_opened(base_checkpoint).model), base_checkpoint
        return self._base.model

    def backend(self, base_checkpoint: BaseCheckpoint, adapter: str | None) -> Any:
        """The model as evaluation has it, with an adapter or without."""
        return _opened(base_checkpoint, loaded=self.get(base_checkpoint), peft=adapter)

    def release(self) -> None:
        """Free the memory."""
        self._base = self._of = None
        gc.collect()
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _opened(base_checkpoint: BaseCheckpoint, **more: Any) -> Any:
    from s2eval.models.s2 import S2LM

    arguments = {} if "loaded" in more else base_checkpoint.arguments()
    try:
        return S2LM(pretrained=str(base_checkpoint.folder), **arguments, **more)
    except S2Error:
        raise
    except Exception as error:  # transformers, torch and safetensors raise a dozen unrelated classes
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise PrerequisiteError(f"model {base_checkpoint.folder.name}: cannot be loaded: {why}") from error
