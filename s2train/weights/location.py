"""Where a model or an adapter that a user named lies, and a name for it without this machine's folders."""

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
    """A base model: an embedded model's name, a folder, or a hub id (from the cache, or downloaded).

    Raises:
        PrerequisiteError: it does not exist, has no `config.json`, or its files are incomplete.
    """
    location = Location(Path(resolve(text)), text) if text in EMBEDDED else _locate(text, "base", _MODEL)
    if not (location.folder / "config.json").is_file():
        raise PrerequisiteError(
            f"base {text}: {location.folder} has no config.json; is it a Hugging Face model folder?"
        )
    return _checked(location, f"base {text}")


def of_adapter(text: str) -> Location:
    """An adapter: a folder, or a hub id (from the cache, or downloaded); errors as of `of_model`."""
    return _checked(_locate(text, "adapter", _ADAPTER), f"adapter {text}")


def _checked(location: Location, label: str) -> Location:
    check_pointers(location.folder, label)
    check_json(location.folder, label)
    return location


def _locate(text: str, what: str, files: Sequence[str]) -> Location:
    path = Path(text).expanduser()
    if path.is_dir():
        folder = path.resolve()
        cached = folder.parent.parent.name
        if folder.parent.name == "snapshots" and cached.startswith("models--"):  # the hub's cache
            return Location(folder, cached.removeprefix("models--").replace("--", "/"))
        return Location(folder, folder.name)
    if path.exists() or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise PrerequisiteError(f"{what} {text}: no folder {path}")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Location(Path(snapshot_download(text, allow_patterns=list(files), ignore_patterns=list(_NOT))), text)
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
