"""What a user may type as MODEL, parsed, checked before anything is loaded, and identified by content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from s2eval.errors import DataError, PrerequisiteError, UsageError
from s2eval.models.embedded import EMBEDDED, resolve

_REMOTE = ("openai:", "vllm:")
_WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")
_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "tokenizer_config.json",
    "spiece.model",
    "vocab.txt",
)
_ENDS = 1 << 20  # bytes hashed at either end of a weight file


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model that can be loaded here.

    Attributes:
        text: what the user typed.
        pretrained: folder or hub id of the model, or of the adapter's base.
        peft: folder or hub id of an adapter on top; None for a whole model.
    """

    text: str
    pretrained: str
    peft: str | None = None

    @property
    def checkpoint(self) -> str:
        """The folder that was trained: the adapter if there is one."""
        return self.peft or self.pretrained


def parse(text: str) -> ModelSpec:
    """`smollm2`, `smollm2-nf4`, a path or hub id, or `adapter:PATH[@BASE]`.

    Embedded models are made on the way, if they are not there yet. Local folders are checked for weights and a
    tokenizer; hub ids are taken as they are.

    Raises:
        UsageError: a kind of model that does not run here.
        PrerequisiteError: a folder that is missing or incomplete.
    """
    if text.startswith(_REMOTE):
        raise UsageError(f"{text}: API and vLLM models answer questions only; tasks need a model loaded here")
    if not text.startswith("adapter:"):
        return ModelSpec(text, _checked(text, text))
    adapter, _, base = text.removeprefix("adapter:").partition("@")
    if not adapter:
        raise UsageError(f"{text}: expected adapter:PATH or adapter:PATH@BASE")
    return ModelSpec(text, _checked(base or base_of(adapter), text), adapter)


def base_of(adapter: str) -> str:
    """The base model that an adapter folder's `adapter_config.json` names.

    Raises:
        DataError: there is no such file, or it names none.
    """
    path = Path(adapter) / "adapter_config.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"])
    except OSError as error:
        raise DataError(f"{path}: cannot be read; name the base: adapter:{adapter}@BASE") from error
    except (json.JSONDecodeError, KeyError) as error:
        raise DataError(f"{path}: names no base model; name it: adapter:{adapter}@BASE") from error


def _checked(name: str, text: str) -> str:
    if name in EMBEDDED:
        return str(resolve(name))
    path = Path(name).expanduser()
    if not path.is_dir():
        if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
            raise PrerequisiteError(f"model {text}: no folder {path}")
        return name  # a hub id
    if not (path / "config.json").is_file():
        raise PrerequisiteError(f"model {text}: {path} has no config.json; is it a Hugging Face model folder?")
    if not any(next(path.glob(pattern), None) for pattern in _WEIGHTS):
        raise PrerequisiteError(f"model {text}: {path} has no weights ({', '.join(_WEIGHTS)})")
    if not any((path / name).is_file() for name in _TOKENIZERS):
        raise PrerequisiteError(
            f"model {text}: {path} has no tokenizer ({', '.join(_TOKENIZERS[:2])}, …). "
            "Save the base model's there: AutoTokenizer.from_pretrained(BASE).save_pretrained(FOLDER)"
        )
    return str(path)


def identity(spec: ModelSpec) -> str:
    """16 hex digits that change when the model does; the same for copies of it.

    Small files are hashed whole, weight files by size and 1 MiB at either end (a 7B model would take half a
    minute otherwise). For a hub id the name and the commit of the local snapshot, where there is one.
    """
    digest = hashlib.sha256()
    for name in filter(None, (spec.pretrained, spec.peft)):
        path = Path(name).expanduser()
        digest.update(_folder_digest(path) if path.is_dir() else _hub_digest(name))
    return digest.hexdigest()[:16]


def _folder_digest(folder: Path) -> bytes:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                digest.update(file.read(_ENDS))
                if path.stat().st_size > 2 * _ENDS:
                    file.seek(-_ENDS, 2)
                digest.update(file.read(_ENDS))
    return digest.digest()


def _hub_digest(name: str) -> bytes:
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    commit = Path(config).parent.name if isinstance(config, str) else "unknown"
    return f"{name}@{commit}".encode()
