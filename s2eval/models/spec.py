"""What a user may type as MODEL, parsed, checked before anything is loaded, and identified by content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from s2eval import paths
from s2eval.errors import DataError, PrerequisiteError, UnknownNameError, UsageError, nearest
from s2eval.models.embedded import EMBEDDED, resolve
from s2eval.weights import check_pointers

ADAPTER_CONFIG = "adapter_config.json"
_REMOTE, _VLLM = "openai:", "vllm:"
_WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")
_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "*.tiktoken",
    "tokenization_*.py",
)
# What `identity` reads of a file: all of it up to _WHOLE bytes, else _BLOCK bytes of every _STEP.
_WHOLE, _STEP, _BLOCK = 16 << 20, 1 << 20, 4 << 10


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model that can be loaded here.

    Attributes:
        text: what the user typed.
        pretrained: folder or hub id of the model, or of the adapter's base.
        peft: folder or hub id of an adapter on top; None for a whole model.
        engine: the backend of lm-eval that runs it.
    """

    text: str
    pretrained: str
    peft: str | None = None
    engine: Literal["s2", "vllm"] = "s2"

    @property
    def checkpoint(self) -> str:
        """The folder that was trained: the adapter if there is one."""
        return self.peft or self.pretrained


def parse(text: str) -> ModelSpec:
    """`smollm2`, `smollm2-nf4`, a path or hub id, `adapter:PATH[@BASE]`, or `vllm:` before a path or hub id.

    Embedded models are made on the way, if they are not there yet. Local folders are checked for weights and a
    tokenizer; hub ids are taken as they are.

    Raises:
        UsageError: a kind of model that does not run here, or the misspelt name of an embedded one.
        PrerequisiteError: a folder that is missing or incomplete; vLLM is not installed.
    """
    if text.startswith(_REMOTE):
        raise UsageError(f"{text}: models behind an API answer questions only; tasks need a model loaded here")
    if text.startswith(_VLLM):
        if find_spec("vllm") is None:
            raise PrerequisiteError(f"model {text}: vLLM is not installed: {paths.install_command('vllm')}")
        return ModelSpec(text, _checked(text.removeprefix(_VLLM), text), engine="vllm")
    if not text.startswith("adapter:"):
        return ModelSpec(text, _checked(text, text))
    adapter, _, base = text.removeprefix("adapter:").partition("@")
    if not adapter:
        raise UsageError(f"{text}: expected adapter:PATH or adapter:PATH@BASE")
    named = base or base_of(adapter)
    folder = _folder(adapter, text)
    if folder is not None and not any(next(folder.glob(pattern), None) for pattern in _WEIGHTS):
        raise PrerequisiteError(f"model {text}: {folder} has no weights ({', '.join(_WEIGHTS[:2])})")
    if folder is not None:
        check_pointers(folder, f"model {text}")
    where = text if base else f"{text} (base: its {ADAPTER_CONFIG}'s; for another adapter:{adapter}@BASE)"
    return ModelSpec(text, _checked(named, where), adapter if folder is None else str(folder))


def base_of(adapter: str) -> str:
    """The base model that the `adapter_config.json` of an adapter's folder, or of its hub repository, names.

    Raises:
        DataError: there is no such file, or it names none.
        PrerequisiteError: a hub id whose file is neither here nor to be had.
    """
    path = Path(adapter).expanduser() / ADAPTER_CONFIG
    if not path.parent.is_dir() and _may_be_hub_id(adapter):
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


def _folder(name: str, text: str) -> Path | None:
    """The local folder of that name; None where it can only be a hub id."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.exists() or not _may_be_hub_id(name):
        raise PrerequisiteError(f"model {text}: no folder {path}")
    return None


def _may_be_hub_id(name: str) -> bool:
    return not name.startswith((".", "/", "~")) and name.count("/") <= 1


def _checked(name: str, text: str) -> str:
    if name in EMBEDDED:
        return str(resolve(name))
    path = _folder(name, text)
    if path is None:
        if "/" not in name and nearest(name, EMBEDDED):
            raise UnknownNameError("model", name, EMBEDDED, see="s2eval ls models")
        return name
    if not (path / "config.json").is_file():
        raise PrerequisiteError(f"model {text}: {path} has no config.json; is it a Hugging Face model folder?")
    if not any(next(path.glob(pattern), None) for pattern in _WEIGHTS):
        raise PrerequisiteError(f"model {text}: {path} has no weights ({', '.join(_WEIGHTS)})")
    if not any(next(path.glob(pattern), None) for pattern in _TOKENIZERS):
        raise PrerequisiteError(
            f"model {text}: {path} has no tokenizer ({', '.join(_TOKENIZERS[:2])}, …). "
            "Save the base model's there: AutoTokenizer.from_pretrained(BASE).save_pretrained(FOLDER)"
        )
    check_pointers(path, f"model {text}")
    return str(path)


def identity(spec: ModelSpec) -> str:
    """16 hex digits that change when the model does; the same for copies of it.

    Files are hashed whole up to 16 MiB; of larger ones, which are weights, 4 KiB of every MiB and the end (a 7B
    model would take half a minute otherwise): enough to see that any weight matrix was trained. An adapter's
    matrices are smaller than that, so its files are hashed whole. For a hub id the name and the commit of the local
    snapshot, where there is one.
    """
    digest = hashlib.sha256()
    for name, whole in ((spec.pretrained, _WHOLE), (spec.peft, None)):
        if name is not None:
            path = Path(name).expanduser()
            digest.update(_folder_digest(path, whole) if path.is_dir() else _hub_digest(name))
    return digest.hexdigest()[:16]


def _folder_digest(folder: Path, whole: int | None) -> bytes:
    """Of every file; of those above `whole` bytes a sample (None: of none)."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            size = path.stat().st_size
            digest.update(f"{path.name}\0{size}\0".encode())
            with path.open("rb") as file:
                if whole is None or size <= whole:
                    while block := file.read(_STEP):
                        digest.update(block)
                    continue
                for start in (*range(0, size, _STEP), size - _BLOCK):
                    file.seek(start)
                    digest.update(file.read(_BLOCK))
    return digest.digest()


def _hub_digest(name: str) -> bytes:
    from huggingface_hub import try_to_load_from_cache

    found = (try_to_load_from_cache(name, file) for file in ("config.json", ADAPTER_CONFIG))
    commit = next((Path(path).parent.name for path in found if isinstance(path, str)), "unknown")
    return f"{name}@{commit}".encode()
