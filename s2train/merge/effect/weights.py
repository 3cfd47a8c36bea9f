"""How far the merged weights are from those that the adapter was trained with, one linear at a time.

W comes from PEFT (`dequantize_module_weight`), as does Δ (`get_delta_weight`), on the loaded model that was trained. Of
the merged models one tensor is in memory at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from s2train.merge.effect.records import Matrix, Weights

_INNER = (".base_layer", ".original_module", ".modules_to_save")  # what PEFT's wrappers hold


def compare(model: Any, merged: Mapping[str, Path]) -> Weights:
    """Every linear of the trained `PeftModel` that the adapter changes, or that a merged model's folder has changed."""
    from peft.tuners.lora.layer import LoraLayer

    adapter = model.active_adapter
    config = model.peft_config[adapter]
    if config.use_dora:
        return Weights((), ("weights were not compared: the adapter has DoRA, whose change is no Δ that is added",))
    folders = {method: _Tensors(folder) for method, folder in merged.items()}
    matrices: list[Matrix] = []
    elsewhere: list[str] = []
    for name, module in model.base_model.model.named_modules():
        if not name or any(part in f".{name}" for part in _INNER):
            continue
        weight, delta, transposed = _trained(module, adapter)
        if weight is None or not all(f"{name}.weight" in tensors for tensors in folders.values()):
            if isinstance(module, LoraLayer):
                elsewhere.append(name)
            continue
        trained = weight if delta is None else weight + delta
        errors: dict[str, float] = {}
        for method, tensors in folders.items():
            tensor = tensors[f"{name}.weight"].to(trained.device).float()
            errors[method] = _norm((tensor.T if transposed else tensor) - trained)
        if delta is not None or any(errors.values()):
            layer = re.search(r"(?:^|\.)(\d+)(?:\.|$)", name)
            kind = next(part for part in reversed(name.split(".")) if not part.isdecimal())
            change = 0.0 if delta is None else _norm(delta)
            matrices.append(Matrix(name, int(layer[1]) if layer else None, kind, change, _norm(weight), errors))
    return Weights(tuple(matrices), tuple(_notes(config, elsewhere)))


class _Tensors:
    """The tensors of a model's folder, read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        from safetensors import safe_open

        self._files: dict[str, Path] = {}
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                self._files |= dict.fromkeys(file.keys(), path)

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def __getitem__(self, name: str) -> torch.Tensor:
        from safetensors import safe_open

        with safe_open(self._files[name], framework="pt") as file:
            return file.get_tensor(name)


def _trained(module: Any, adapter: str) -> tuple[torch.Tensor | None, torch.Tensor | None, bool]:
    """W and Δ in fp32, and whether files hold the matrix transposed; W is None unless it is a linear, Δ None where the
    adapter adds nothing.
    """
    from peft.utils.integrations import dequantize_module_weight
    from transformers.pytorch_utils import Conv1D

    base = module.get_base_layer() if hasattr(module, "get_base_layer") else module
    if not isinstance(base, (torch.nn.Linear, Conv1D)):
        return None, None, False
    with torch.no_grad():
        weight = dequantize_module_weight(base).float()
        delta = None
        if adapter in getattr(module, "lora_A", ()):
            delta = module.get_delta_weight(adapter).float()
    return weight, delta, getattr(base, "source_cls", None) is Conv1D  # bitsandbytes' linears are out × in


def _norm(matrix: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(matrix, dtype=torch.float64))


def _notes(config: Any, elsewhere: Sequence[str]) -> Iterator[str]:
    if elsewhere:
        names = ", ".join([*elsewhere[:3], *(["…"] if len(elsewhere) > 3 else [])])
        yield f"{len(elsewhere)} layers are not among the weights: no linear, or under another name in files ({names})"
    if config.modules_to_save or config.bias != "none" or getattr(config, "lora_bias", False):
        yield "biases and modules that the adapter brings whole are not among the weights"
