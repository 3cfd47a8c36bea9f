"""LoRA adapters on disk: read, hashed, and checked for what cannot be merged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.files import JsonObject
from s2eval.models.sources.adapter_names import plain_names
from s2train import checkpoint
from s2train.checkpoint import Checkpoint
from s2train.weights import header, tensors
from s2train.weights.header import Entry
from s2train.weights.shards import Place

CONFIG, WEIGHTS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"

# Keys of adapter_config.json that decide what is merged, and those that concern training only. Any other one that is
# set is an error: its meaning is unknown here.
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
_CHUNK = 1 << 22  # bytes checked together
_INITIAL = (True, False, None, "gaussian", "eva", "orthogonal")  # those that leave the base's weights alone


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter that can be merged.

    Attributes:
        name: hub id, or the name of its folder.
        config: its `adapter_config.json`.
        weight: by which its change is multiplied.
        entries: its tensors, by name.
        sha256: over configuration and weights.
        checkpoint: its `s2train.json`, if it has one.
        loaded: the tensors themselves, of a file that cannot be read in chunks.
        wrappers: prefixes that wrappers around the model left in the file's names; `entries` has them without.
    """

    name: str
    folder: Path
    config: JsonObject
    weight: float
    entries: Mapping[str, Entry]
    sha256: str
    checkpoint: Checkpoint | None
    loaded: Mapping[str, torch.Tensor] = field(default_factory=dict)
    wrappers: tuple[str, ...] = ()

    @property
    def task(self) -> str | None:
        return cast("str | None", self.config.get("task_type"))

    @property
    def base(self) -> str:
        """The base that its configuration names; "" if none."""
        return str(self.config.get("base_model_name_or_path") or "")

    @property
    def base_hint(self) -> str:
        """For messages about a base that does not fit."""
        return "Is that the base it was trained on?" + (f" Its {CONFIG} names {self.base}" if self.base else "")

    @property
    def rank(self) -> int:
        """The largest of its matrices'."""
        patterns = cast("dict[str, int]", self.config.get("rank_pattern") or {})
        return max(cast("int", self.config["r"]), *patterns.values(), 0)

    def tensor(self, name: str) -> torch.Tensor:
        """As stored."""
        if name in self.loaded:
            return self.loaded[name]
        return tensors.load(Place(self.folder / WEIGHTS, self.entries[name]))

    def rows(self, name: str, start: int, end: int) -> torch.Tensor:
        """Rows of a tensor, as stored."""
        if name in self.loaded:
            return self.loaded[name][start:end]
        return tensors.rows(Place(self.folder / WEIGHTS, self.entries[name]), start, end)

    @property
    def untrained(self) -> bool:
        """Whether all its B matrices are zero, as before the first step."""
        matrices = [name for name in self.entries if "lora_B.weight" in name or "lora_embedding_B" in name]
        return bool(matrices) and not any(self.tensor(name).any() for name in matrices)


def peft_name(number: int) -> str:
    """What PEFT calls the adapter of that index; nothing in a model has such a name."""
    return f"s2merge{number}"


def read(folder: Path, name: str, weight: float = 1.0) -> Adapter:
    """Read an adapter, and check that it is LoRA that can be merged, and finite."""
    config = _config(folder)
    _check_config(config, name)
    loaded: dict[str, torch.Tensor] = {}
    if (path := folder / WEIGHTS).is_file():
        entries = {entry.name: entry for entry in header.read(path)}
    elif (path := folder / PICKLE).is_file():
        loaded = _unpickled(path)
        entries = {key: Entry(key, tensors.NAMES[tensor.dtype], tuple(tensor.shape)) for key, tensor in loaded.items()}
    else:
        raise PrerequisiteError(f"adapter {name}: {folder} has neither {WEIGHTS} nor {PICKLE}")
    digest = hashlib.sha256((folder / CONFIG).read_bytes())
    digest.update(bytes.fromhex(checkpoint.sha256(path)))
    names, wrappers = plain_names(entries)
    entries = {names[key]: entry for key, entry in entries.items()}
    loaded = {names[key]: tensor for key, tensor in loaded.items()}
    trained = checkpoint.read(folder)
    adapter = Adapter(name, folder, config, weight, entries, digest.hexdigest(), trained, loaded, wrappers)
    for key, entry in entries.items():
        if entry.dtype not in ("F32", "F16", "BF16", "F64"):
            raise UsageError(f"adapter {name}: {key} is of type {entry.dtype}, no floating-point number")
        if not all(adapter.rows(key, *rows).isfinite().all() for rows in tensors.steps(entry, _CHUNK)):
            raise PrerequisiteError(
                f"adapter {name}: NaN or infinity stands in {key}: it diverged in training, or is broken"
            )
    return adapter


def _config(folder: Path) -> JsonObject:
    path = folder / CONFIG
    try:
        config: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PrerequisiteError(f"{path}: {error.strerror or error}; is that an adapter's folder?") from error
    except (ValueError, RecursionError) as error:
        raise PrerequisiteError(f"{path}: broken JSON: {error}") from error
    if not isinstance(config, dict):
        raise PrerequisiteError(f"{path}: no mapping")
    return config


def _check_config(config: JsonObject, name: str) -> None:
    label = f"adapter {name}"
    if config.get("peft_type") != "LORA":
        raise UsageError(
            f"{label}: peft_type {config.get('peft_type')} cannot be merged here, only LORA (with DoRA, rsLoRA, …) can"
        )
    if (task := config.get("task_type")) not in ("CAUSAL_LM", "SEQ_CLS", None):
        raise UsageError(f"{label}: task_type {task} cannot be merged here, only CAUSAL_LM and SEQ_CLS")
    if unknown := sorted(key for key, value in config.items() if value and key not in _MERGED | _TRAINING):
        raise UsageError(f"{label}: its {CONFIG} sets {', '.join(unknown)}, which cannot be merged here")
    if (initial := config.get("init_lora_weights", True)) not in _INITIAL:
        raise UsageError(
            f"{label}: init_lora_weights is {initial!r}: it may belong to a base whose weights were changed before "
            "training. Save it as plain LoRA: save_pretrained(DIR, path_initial_model_for_weight_conversion=…)"
        )


def check_together(adapters: Sequence[Adapter]) -> None:
    """Raise UsageError if the weighted sum of adapters cannot be merged."""
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
