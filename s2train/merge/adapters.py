"""Adapters as they lie on disk: read, hashed, and checked: what is more than LoRA that can be merged is an error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.models.sources.adapter_names import plain_names
from s2train import checkpoint
from s2train.checkpoint import Checkpoint
from s2train.weights import header, tensors
from s2train.weights.header import Entry
from s2train.weights.shards import Place

CONFIG, WEIGHTS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
TASKS = ("CAUSAL_LM", "SEQ_CLS", None)

# Keys of adapter_config.json that decide what is merged, and those that concern training only. Any other one that is
# set is refused: it may mean something that nobody here knows of.
_MERGED = {
    "peft_type", "task_type", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora",
    "lora_bias", "bias", "modules_to_save", "fan_in_fan_out", "target_modules", "exclude_modules",
    "layers_to_transform", "layers_pattern", "init_lora_weights",
}  # fmt: skip
_TRAINING = {
    "lora_dropout", "inference_mode", "revision", "auto_mapping", "base_model_name_or_path", "peft_version",
    "loftq_config", "eva_config", "corda_config", "lora_ga_config", "qalora_group_size", "megatron_core",
    "runtime_config", "quantization_config",
}  # fmt: skip
_PIECE = 1 << 22  # bytes looked at together
_INITIAL = (True, False, None, "gaussian", "eva", "orthogonal")  # those that leave the base's weights alone


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter that can be merged.

    Attributes:
        name: hub id, or the name of its folder.
        folder: where it lies.
        config: its `adapter_config.json`.
        weight: by which its change is multiplied.
        entries: its tensors, by name.
        sha256: over configuration and weights.
        made: its `s2train.json`, where it has one.
        loaded: the tensors themselves, of a file that cannot be read in pieces.
        wrappers: what was left in the tensors' names by wrappers around the model; `entries` has them without.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    weight: float
    entries: Mapping[str, Entry]
    sha256: str
    made: Checkpoint | None
    loaded: Mapping[str, torch.Tensor] = field(default_factory=dict)
    wrappers: tuple[str, ...] = ()

    @property
    def task(self) -> str | None:
        return self.config.get("task_type")

    def tensor(self, name: str) -> torch.Tensor:
        """One of its tensors, as stored."""
        if name in self.loaded:
            return self.loaded[name]
        return tensors.load(Place(self.folder / WEIGHTS, self.entries[name]))

    def rows(self, name: str, start: int, end: int) -> torch.Tensor:
        """Some rows of one of its tensors, as stored."""
        if name in self.loaded:
            return self.loaded[name][start:end]
        return tensors.rows(Place(self.folder / WEIGHTS, self.entries[name]), start, end)

    @property
    def untrained(self) -> bool:
        """Whether it has B matrices, and all of them are zero, as before the first step."""
        ends = [name for name in self.entries if "lora_B.weight" in name or "lora_embedding_B" in name]
        return bool(ends) and not any(self.tensor(name).any() for name in ends)


def read(folder: Path, name: str, weight: float = 1.0) -> Adapter:
    """Read and check an adapter.

    Raises:
        PrerequisiteError: a file is missing, broken, or holds NaN or infinity.
        UsageError: it is no LoRA, or does what cannot be merged here.
    """
    config = _config(folder)
    check(config, name)
    made = checkpoint.read(folder)
    digest = hashlib.sha256((folder / CONFIG).read_bytes())
    loaded: dict[str, torch.Tensor] = {}
    if (folder / WEIGHTS).is_file():
        path = folder / WEIGHTS
        entries = {entry.name: entry for entry in header.read(path)}
    elif (folder / PICKLE).is_file():
        path = folder / PICKLE
        loaded = _unpickled(path)
        entries = {key: Entry(key, tensors.NAMES[tensor.dtype], tuple(tensor.shape)) for key, tensor in loaded.items()}
    else:
        raise PrerequisiteError(f"adapter {name}: {folder} has neither {WEIGHTS} nor {PICKLE}")
    with path.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    names, wrappers = plain_names(entries)
    entries = {names[key]: entry for key, entry in entries.items()}
    loaded = {names[key]: tensor for key, tensor in loaded.items()}
    adapter = Adapter(name, folder, config, weight, entries, digest.hexdigest(), made, loaded, wrappers)
    _check_numbers(adapter)
    return adapter


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except OSError as error:
        raise PrerequisiteError(
            f"{folder / CONFIG}: {error.strerror or error}; is that an adapter's folder?"
        ) from error
    except (ValueError, RecursionError) as error:
        raise PrerequisiteError(f"{folder / CONFIG}: broken JSON: {error}") from error
    if not isinstance(config, dict):
        raise PrerequisiteError(f"{folder / CONFIG}: no mapping")
    return config


def check(config: Mapping[str, Any], name: str) -> None:
    """Raise UsageError, naming what it is, if an adapter of that configuration cannot be merged here."""
    where = f"adapter {name}"
    kind = config.get("peft_type")
    if kind != "LORA":
        raise UsageError(f"{where}: peft_type {kind} cannot be merged here, only LORA (with DoRA, rsLoRA, …) can")
    if config.get("task_type") not in TASKS:
        raise UsageError(f"{where}: task_type {config['task_type']} cannot be merged here, only CAUSAL_LM and SEQ_CLS")
    unknown = sorted(key for key, value in config.items() if value and key not in _MERGED | _TRAINING)
    if unknown:
        raise UsageError(f"{where}: its {CONFIG} sets {', '.join(unknown)}, which cannot be merged here")
    initial = config.get("init_lora_weights", True)
    if initial not in _INITIAL:
        raise UsageError(
            f"{where}: init_lora_weights is {initial!r}: it may belong to a base whose weights were changed before "
            "training. Save it as plain LoRA: save_pretrained(DIR, path_initial_model_for_weight_conversion=…)"
        )


def check_together(adapters: Sequence[Adapter]) -> None:
    """Raise UsageError if several adapters cannot be added up."""
    if len({adapter.task for adapter in adapters}) > 1:
        tasks = ", ".join(f"{adapter.name}: {adapter.task}" for adapter in adapters)
        raise UsageError(f"adapters for different tasks cannot be added up ({tasks})")
    for adapter in adapters:
        for key in ("use_dora", "lora_bias"):
            if adapter.config.get(key):
                raise UsageError(f"adapter {adapter.name}: {key} is set, so it is merged alone and with weight 1")


def _unpickled(path: Path) -> dict[str, torch.Tensor]:
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        return {str(key): tensor.detach() for key, tensor in stored.items()}
    except Exception as error:  # pickle, zipfile and torch raise a dozen unrelated classes
        raise PrerequisiteError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from error


def _check_numbers(adapter: Adapter) -> None:
    for name, entry in adapter.entries.items():
        if entry.dtype not in ("F32", "F16", "BF16", "F64"):
            raise UsageError(f"adapter {adapter.name}: {name} is of type {entry.dtype}, no floating-point number")
        if not all(adapter.rows(name, *rows).isfinite().all() for rows in tensors.steps(entry, _PIECE)):
            raise PrerequisiteError(
                f"adapter {adapter.name}: NaN or infinity stands in {name}: it diverged in training, or is broken"
            )
