"""`adapter:PATH[@BASE]`: a LoRA adapter on its base."""

from __future__ import annotations

import json
from pathlib import Path

from s2eval.errors import DataError, PrerequisiteError, UsageError
from s2eval.models.model_kind import ModelKind, ModelSpec
from s2eval.models.sources.checkpoint import WEIGHTS, check, local_folder, may_be_hub_id
from s2eval.weights import check_pointers

ADAPTER_CONFIG = "adapter_config.json"


def _spec(name: str, text: str) -> ModelSpec:
    adapter, _, base = name.partition("@")
    if not adapter:
        raise UsageError(f"{text}: expected adapter:PATH or adapter:PATH@BASE")
    base_name = base or base_of(adapter)
    folder = local_folder(adapter, text)
    if folder is not None:
        if not any(next(folder.glob(pattern), None) for pattern in WEIGHTS):
            raise PrerequisiteError(f"model {text}: {folder} has no weights ({', '.join(WEIGHTS[:2])})")
        check_pointers(folder, f"model {text}")
    where = text if base else f"{text} (base: its {ADAPTER_CONFIG}'s; for another adapter:{adapter}@BASE)"
    return ModelSpec(text, check(base_name, where), adapter if folder is None else str(folder))


def base_of(adapter: str) -> str:
    """The base model that the `adapter_config.json` of an adapter's folder, or of its hub repository, names. Raises
    DataError where it names none, PrerequisiteError where the hub's cannot be fetched."""
    path = Path(adapter).expanduser() / ADAPTER_CONFIG
    if not path.parent.is_dir() and may_be_hub_id(adapter):
        path = _downloaded(adapter)
    try:
        base = json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except OSError as error:
        raise DataError(f"{path}: cannot be read; name the base: adapter:{adapter}@BASE") from error
    except (ValueError, KeyError, TypeError, RecursionError):
        base = None
    if not isinstance(base, str) or not base:  # PEFT writes null for a base that was no folder and no hub id
        raise DataError(f"{path}: names no base model; name it: adapter:{adapter}@BASE")
    return base


def _downloaded(adapter: str) -> Path:
    """The `adapter_config.json` of a hub id, from the cache or the hub."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(adapter, ADAPTER_CONFIG))
    except (OSError, ValueError, EntryNotFoundError) as error:
        if isinstance(error, LocalEntryNotFoundError):
            why = "it is not in the cache and the hub cannot be reached"
        elif isinstance(error, HFValidationError):
            why = "that is neither a folder nor a hub id"
        else:
            why = " ".join(str(error).split())
        raise PrerequisiteError(
            f"adapter {adapter}: no folder of that name, and its {ADAPTER_CONFIG} cannot be had from the hub: {why}. "
            "Check the name, or download it where there is a network: "
            f"hf download {adapter}"
        ) from error


ADAPTER = ModelKind("adapter", "adapter:PATH[@BASE]", spec=_spec)
