"""A loaded base model that many adapters are put on, one after the other, without one seeing what another left."""

from __future__ import annotations

from typing import Any

import torch

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_CHUNK = 1 << 24  # elements summed at once: sums are made in 64 bits, whole embeddings would double the memory

State = tuple[dict[str, Any], dict[str, tuple[Any, ...]]]


class Base:
    """A loaded transformers model, remembered as it is.

    PEFT's own `unload` does not give back what was there: it leaves `modules_to_save` in the model, and PiSSA and
    OLoRA have changed the base's weights before. So the modules are put back by us, and the weights compared.

    Attributes:
        model: the model, with or without an adapter on it.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._attributes = {module: _copied(vars(module)) for module in model.modules()}
        self._state = _state(model)

    def restore(self) -> bool:
        """Take off whatever was put on; whether the model is now, bit for bit, what it was.

        False means that it cannot be told or undone (resized embeddings, weights changed in place, weights on a
        disk): load it anew.
        """
        for module, attributes in self._attributes.items():
            vars(module).clear()
            vars(module).update(_copied(attributes))
        return self._state is not None and _state(self.model) == self._state


def _copied(attributes: dict[str, Any]) -> dict[str, Any]:
    """A module's attributes; its tables of parameters, submodules and hooks are copied, what is in them is not."""
    return {name: value.copy() if isinstance(value, dict | set) else value for name, value in attributes.items()}


def _state(model: Any) -> State | None:
    """The configuration, and a checksum of every parameter and buffer; None where some are not in memory."""
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    if any(tensor.is_meta for tensor in tensors.values()):
        return None
    return model.config.to_dict(), {name: _checksum(tensor.detach()) for name, tensor in tensors.items()}


def _checksum(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Type, shape and the sum of its bits read as integers: another sum wherever training changed it."""
    bits = tensor.contiguous().view(_INTEGERS[tensor.element_size()]).reshape(-1)
    return str(tensor.dtype), tuple(tensor.shape), sum(int(part.sum()) for part in bits.split(_CHUNK))
