"""The files of a checkpoint's folder: which of them transformers reads, and whether they are complete."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from s2eval.errors import PrerequisiteError

INDEX = ".index.json"
# In the order in which transformers and PEFT look for them: the first that exists is read, and no other.
_MODEL = ("model.safetensors", "pytorch_model.bin")
_ADAPTER = ("adapter_model.safetensors", "adapter_model.bin")
# Of each group the first that exists.
_OTHERS = (
    ("config.json",),
    ("adapter_config.json",),
    ("tokenizer_config.json",),
    ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt"),
)
_JSON = ("config.json", "tokenizer_config.json", "tokenizer.json")
_POINTER = re.compile(rb"version https://(git-lfs|hawser)\.github\.com/spec/")
_POINTER_BYTES = 1024  # a pointer is shorter, by its specification
_DTYPES = {"float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64", "uint8": "U8", "int8": "I8"}
Shape = tuple[str, tuple[int, ...]]
"""A tensor's type as safetensors calls it, e.g. `BF16`, and its shape."""


def check_files(folder: Path, label: str, gguf: str | None = None) -> None:
    """Check that the files a model or an adapter is loaded from (`gguf` instead of weights) exist and are complete,
    as far as their heads show. Raises PrerequisiteError for a Git LFS pointer, a missing shard, a truncated
    safetensors or JSON file."""
    check_pointers(folder, label, gguf)
    check_json(folder, label)
    for path in [*([] if gguf else weight_files(folder, label)), *weight_files(folder, label, _ADAPTER)]:
        if path.suffix == ".safetensors":
            next(_heads(path, label), None)


def check_pointers(folder: Path, label: str, gguf: str | None = None) -> None:
    """Raise PrerequisiteError if a file that a model or an adapter is loaded from is a Git LFS pointer, or a shard is
    missing; see `check_files`."""
    others = [next((folder / name for name in group if (folder / name).is_file()), None) for group in _OTHERS]
    models = [folder / gguf] if gguf else weight_files(folder, label)
    for path in [*filter(None, others), *models, *weight_files(folder, label, _ADAPTER)]:
        check_pointer(path, label)


def check_json(folder: Path, label: str) -> None:
    """Raise PrerequisiteError if the configuration or the tokenizer in a folder is no complete JSON."""
    for path in filter(Path.is_file, (folder / name for name in _JSON)):
        try:
            json.loads(path.read_bytes())
        except OSError as error:
            raise PrerequisiteError(f"{label}: {path} cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise unreadable(path, error, label) from error


def check_pointer(path: Path, label: str = "") -> None:
    """Raise PrerequisiteError if a Git LFS pointer stands in the place of a file."""
    try:
        if path.stat().st_size > _POINTER_BYTES:
            return
        content = path.read_bytes()
    except OSError:  # whoever reads the file reports it
        return
    if _POINTER.match(content):
        size = re.search(rb"^size (\d+)", content, re.MULTILINE)
        meant = f" to {int(size[1]):,} bytes" if size else ""
        raise PrerequisiteError(
            f"{label}{': ' if label else ''}{path} is a Git LFS pointer{meant}, not the file itself. "
            "Fetch it with `git lfs pull` in that folder, or download the model again"
        )


def weight_files(folder: Path, label: str, names: Sequence[str] = _MODEL) -> list[Path]:
    """The files that a library reads the weights of a folder from: the first of `names` that exists; empty for none.
    Raises PrerequisiteError if an index cannot be read, or a shard that it names is missing."""
    for name in names:
        if (folder / name).is_file():
            return [folder / name]
        if (index := folder / (name + INDEX)).is_file():
            check_pointer(index, label)
            listed = read_index(index)
            shards = sorted(set(listed.values()))
            for shard in shards:
                if not (folder / shard).is_file():
                    count = sum(file == shard for file in listed.values())
                    raise PrerequisiteError(
                        f"{label}: {folder}: the shard {shard} is missing, {index.name} expects {count} tensors in it. "
                        "Fetch the model again"
                    )
            return [folder / shard for shard in shards]
    return []


def read_index(path: Path) -> dict[str, str]:
    """Tensor → file, of the index of a checkpoint in several files. Raises PrerequisiteError if it cannot be read."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        if isinstance(listed, dict) and listed and all("/" not in str(name) for name in listed.values()):
            return {str(name): str(file) for name, file in listed.items()}
    except OSError as error:
        raise PrerequisiteError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise PrerequisiteError(f"{path}: no readable field 'weight_map'")


def shapes(folder: Path, label: str) -> dict[str, Shape]:
    """Every tensor of a model's folder with its type and shape, by the heads of the files; no weights are read.
    Raises PrerequisiteError if a file is missing or unreadable."""
    return {name: shape for path in weight_files(folder, label) for name, shape in _heads(path, label)}


def _heads(path: Path, label: str) -> Iterator[tuple[str, Shape]]:
    check_pointer(path, label)
    try:
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, framework="np") as file:
                for name in file.keys():  # noqa: SIM118, not a dictionary
                    part = file.get_slice(name)
                    yield name, (part.get_dtype(), tuple(part.get_shape()))
            return
        import torch

        for name, tensor in torch.load(path, map_location="meta", weights_only=True).items():
            yield str(name), (_DTYPES.get(str(tensor.dtype).removeprefix("torch."), "F32"), tuple(tensor.shape))
    except Exception as error:  # safetensors, pickle, zipfile and torch raise a dozen unrelated classes
        raise unreadable(path, error, label) from error


def unreadable(path: Path, error: Exception, label: str = "") -> PrerequisiteError:
    """The error for a weights file that its library cannot read."""
    why = " ".join(str(error).split())[:200] or type(error).__name__
    return PrerequisiteError(
        f"{label}{': ' if label else ''}{path} cannot be read: it is truncated or damaged ({why}). "
        "Fetch or copy it again"
    )
