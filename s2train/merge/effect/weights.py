"""How far the merged weights are from those that the adapter was trained with, one linear at a time.

W is asked of PEFT (`dequantize_module_weight`) and Δ too (`get_delta_weight`), on the loaded model that was trained. Of
the merged models one tensor is in memory at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from s2train.merge.effect.records import Matrix, Weights

_APART = (".base_layer", ".original_module", ".modules_to_save")  # parts of modules that are met by themselves


def compare(model: Any, merged: Mapping[str, Path]) -> Weights:
    """Every linear that the adapter changes, or that is not in a merged model what it was in training.

    Args:
        model: the `PeftModel` as trained.
        merged: method → folder of the merged model.
    """
    from peft.tuners.lora.layer import LoraLayer

    adapter = model.active_adapter
    config = model.peft_config[adapter]
    if config.use_dora:
        return Weights((), ("weights were not compared: the adapter has DoRA, whose change is no Δ that is added",))
    folders = {method: Tensors(folder) for method, folder in merged.items()}
    found: list[Matrix] = []
    elsewhere: list[str] = []
    for name, module in _layers(model.base_model.model):
        weight, delta, transposed = _trained(module, adapter)
        if weight is None or not all(f"{name}.weight" in tensors for tensors in folders.values()):
            if isinstance(module, LoraLayer):
                elsewhere.append(name)
            continue
        wanted = weight if delta is None else weight + delta
        errors = {method: _distance(tensors, name, wanted, transposed) for method, tensors in folders.items()}
        if delta is not None or any(errors.values()):
            found.append(Matrix(name, _layer(name), _kind(name), _norm(delta), _norm(weight), errors))
    return Weights(tuple(found), tuple(_notes(config, elsewhere)))


class Tensors:
    """The tensors of a model's folder, read one by one.

    Raises:
        OSError: a file cannot be read.
    """

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


def _layers(model: Any) -> Iterator[tuple[str, Any]]:
    """What may have a weight; PEFT's wrappers in place of what is in them."""
    for name, module in model.named_modules():
        if name and not any(part in f".{name}" for part in _APART):
            yield name, module


def _trained(module: Any, adapter: str) -> tuple[torch.Tensor | None, torch.Tensor | None, bool]:
    """W and Δ in fp32, and whether files hold the matrix transposed; W None of what is no linear, Δ None where the
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


def _distance(tensors: Tensors, name: str, wanted: torch.Tensor, transposed: bool) -> float:
    there = tensors[f"{name}.weight"].to(wanted.device).float()
    return _norm((there.T if transposed else there) - wanted)


def _norm(matrix: torch.Tensor | None) -> float:
    return 0.0 if matrix is None else float(torch.linalg.vector_norm(matrix, dtype=torch.float64))


def _layer(name: str) -> int | None:
    number = re.search(r"(?:^|\.)(\d+)(?:\.|$)", name)
    return int(number[1]) if number else None


def _kind(name: str) -> str:
    return next(part for part in reversed(name.split(".")) if not part.isdecimal())


def _notes(config: Any, elsewhere: list[str]) -> Iterator[str]:
    if elsewhere:
        names = ", ".join([*elsewhere[:3], *(["…"] if len(elsewhere) > 3 else [])])
        yield f"{len(elsewhere)} layers are not among the weights: no linear, or under another name in files ({names})"
    if config.modules_to_save or config.bias != "none" or getattr(config, "lora_bias", False):
        yield "biases and modules that the adapter brings whole are not among the weights"
