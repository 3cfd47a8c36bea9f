"""Where a model or an adapter that a user named lies, and what to call it without telling this machine's folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2eval.errors import PrerequisiteError
from s2eval.models import EMBEDDED, resolve
from s2eval.weights import check_json, check_pointers

_MODEL = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.tiktoken", "LICENSE*", "NOTICE*")
_NOT = ("consolidated*", "original/*")  # the same weights once more
_ADAPTER = ("*.json", "adapter_model.*", "*.model", "*.txt", "*.jinja", "*.tiktoken")


@dataclass(frozen=True, slots=True)
class Location:
    """A folder, and a name for it."""

    folder: Path
    name: str


def of_model(text: str) -> Location:
    """A base model: an embedded one's name, a folder, or a hub id (from the cache, or fetched).

    Raises:
        PrerequisiteError: there is no such thing here, it has no `config.json`, or its files are not whole.
    """
    location = Location(Path(resolve(text)), text) if text in EMBEDDED else _locate(text, "base", _MODEL)
    if not (location.folder / "config.json").is_file():
        raise PrerequisiteError(
            f"base {text}: {location.folder} has no config.json; is it a Hugging Face model folder?"
        )
    check_pointers(location.folder, f"base {text}")
    check_json(location.folder, f"base {text}")
    return location


def of_adapter(text: str) -> Location:
    """An adapter: a folder, or a hub id (from the cache, or fetched)."""
    location = _locate(text, "adapter", _ADAPTER)
    check_pointers(location.folder, f"adapter {text}")
    check_json(location.folder, f"adapter {text}")
    return location


def _locate(text: str, what: str, files: Sequence[str]) -> Location:
    path = Path(text).expanduser()
    if path.is_dir():
        return Location(path.resolve(), _name(path.resolve()))
    if path.exists() or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise PrerequisiteError(f"{what} {text}: no folder {path}")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(text, allow_patterns=list(files), ignore_patterns=list(_NOT))
        return Location(Path(folder), text)
    except (OSError, ValueError) as error:
        if isinstance(error, LocalEntryNotFoundError):
            why = "it is not in the cache and the hub cannot be reached"
        elif isinstance(error, HFValidationError):
            why = "that is no hub id either"
        else:
            why = " ".join(str(error).split())
        raise PrerequisiteError(
            f"{what} {text}: no folder of that name, and it cannot be had from the hub: {why}. Check the name, or "
            f"download it where there is a network: hf download {text}"
        ) from error


def _name(folder: Path) -> str:
    """The folder's own name; of a snapshot in the hub's cache its hub id."""
    cached = folder.parent.parent.name
    if folder.parent.name == "snapshots" and cached.startswith("models--"):
        return cached.removeprefix("models--").replace("--", "/")
    return folder.name
