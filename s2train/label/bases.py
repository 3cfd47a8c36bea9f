"""One base model in memory, that policy and rankers are put on one after the other."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2eval.errors import PrerequisiteError, S2Error
from s2train.checkpoint import Quantization

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from s2eval.models.base import Base
    from s2eval.models.s2 import S2LM

_CONTEXT = 2048  # tokens, of a model that does not name its own


@dataclass(frozen=True, slots=True)
class BaseCheckpoint:
    """What an adapter stands on, and how it was quantised when the adapter was trained; None = not."""

    folder: Path
    quantization: Quantization | None = None

    def arguments(self) -> dict[str, object]:
        """Of the backend `s2` that loads it."""
        how = self.quantization
        if how is None:
            return {}
        arguments = {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": how.type,
            "bnb_4bit_use_double_quant": how.double,
            "bnb_4bit_compute_dtype": how.compute_dtype,
            "dtype": how.dtype,
        }
        return {name: value for name, value in arguments.items() if value is not None}


def context(folder: Path) -> int:
    """Tokens that a model reads at most, prompt and answer together; PrerequisiteError without a configuration."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder).get_text_config()
    except (OSError, ValueError, KeyError) as error:
        raise PrerequisiteError(f"model {folder.name}: {' '.join(str(error).split())[:300]}") from error
    return getattr(config, "max_position_embeddings", None) or _CONTEXT


class Bases:
    """Loads a base when it is first used; it stays until another one is."""

    def __init__(self) -> None:
        self._of: BaseCheckpoint | None = None
        self._base: Base | None = None

    def get(self, base_checkpoint: BaseCheckpoint) -> PreTrainedModel:
        """The transformers model, without what was put on it before; PrerequisiteError if it cannot be loaded."""
        from s2eval.models.base import Base

        gc.collect()  # an adapter's modules refer to one another
        if self._base is not None and (self._of != base_checkpoint or not self._base.restore()):
            self.release()
        if self._base is None:
            lm: Any = _backend(base_checkpoint, **base_checkpoint.arguments())
            self._base, self._of = Base(lm.model), base_checkpoint
        return self._base.model

    def backend(self, base_checkpoint: BaseCheckpoint, adapter: str | None) -> S2LM:
        """The model as evaluation has it, with an adapter or without."""
        return _backend(base_checkpoint, loaded=self.get(base_checkpoint), peft=adapter)

    def release(self) -> None:
        """Free the memory."""
        self._base = self._of = None
        gc.collect()
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _backend(base_checkpoint: BaseCheckpoint, **arguments: Any) -> S2LM:
    from s2eval.models.s2 import S2LM

    try:
        return S2LM(pretrained=str(base_checkpoint.folder), **arguments)
    except S2Error:
        raise
    except Exception as error:  # transformers, torch and safetensors raise a dozen unrelated classes
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise PrerequisiteError(f"model {base_checkpoint.folder.name}: cannot be loaded: {why}") from error
