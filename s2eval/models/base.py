"""A loaded base model that many adapters are put on, one after the other, without one seeing what another left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_CHUNK = 1 << 24  # elements summed at once: sums are made in 64 bits, whole embeddings would double the memory


class Base:
    """A loaded transformers model, with or without an adapter on it, that can be restored: PEFT's `unload` leaves
    `modules_to_save` in it, and PiSSA and OLoRA have changed its weights before."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self._attributes = {module: _copied(vars(module)) for module in model.modules()}
        self._state = _state(model)

    def restore(self) -> bool:
        """Take off whatever was put on; whether the model is now, bit for bit, what it was.

        False: unknown or not undone (resized embeddings, weights changed in place, weights on a disk); load it again.
        """
        for module, attributes in self._attributes.items():
            vars(module).clear()
            vars(module).update(_copied(attributes))
        return self._state is not None and _state(self.model) == self._state


def _copied(attributes: dict[str, object]) -> dict[str, object]:
    """A module's attributes; its tables of parameters, submodules and hooks are copied, what is in them is not."""
    return {name: value.copy() if isinstance(value, dict | set) else value for name, value in attributes.items()}


def _state(model: PreTrainedModel) -> tuple[object, ...] | None:
    """The configuration, and type, shape and a checksum of every parameter and buffer; None where some are not in
    memory. The sum of a tensor's bits read as integers is another wherever training changed it."""
    checksums: dict[str, tuple[torch.dtype, torch.Size, int]] = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_meta:
            return None
        bits = tensor.detach().contiguous().view(_INTEGERS[tensor.element_size()]).reshape(-1)
        checksums[name] = tensor.dtype, tensor.shape, sum(int(part.sum()) for part in bits.split(_CHUNK))
    return model.config.to_dict(), checksums
