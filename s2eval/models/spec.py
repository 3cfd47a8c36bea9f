"""What a user may type as MODEL, parsed, checked before anything is loaded, and identified by content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from s2eval.errors import DataError, PrerequisiteError, UnknownNameError, UsageError, nearest
from s2eval.models.embedded import EMBEDDED, resolve

_REMOTE = ("openai:", "vllm:")
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
        UsageError: a kind of model that does not run here, or the misspelt name of an embedded one.
        PrerequisiteError: a folder that is missing or incomplete.
    """
    if text.startswith(_REMOTE):
        raise UsageError(f"{text}: API and vLLM models answer questions only; tasks need a model loaded here")
    if not text.startswith("adapter:"):
        return ModelSpec(text, _checked(text, text))
    adapter, _, base = text.removeprefix("adapter:").partition("@")
    if not adapter:
        raise UsageError(f"{text}: expected adapter:PATH or adapter:PATH@BASE")
    base = base or base_of(adapter)
    folder = _folder(adapter, text)
    if folder is not None and not any(next(folder.glob(pattern), None) for pattern in _WEIGHTS):
        raise PrerequisiteError(f"model {text}: {folder} has no weights ({', '.join(_WEIGHTS[:2])})")
    return ModelSpec(text, _checked(base, text), adapter if folder is None else str(folder))


def base_of(adapter: str) -> str:
    """The base model that an adapter folder's `adapter_config.json` names.

    Raises:
        DataError: there is no such file, or it names none.
    """
    path = Path(adapter).expanduser() / "adapter_config.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"])
    except OSError as error:
        raise DataError(f"{path}: cannot be read; name the base: adapter:{adapter}@BASE") from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{path}: names no base model; name it: adapter:{adapter}@BASE") from error


def _folder(name: str, text: str) -> Path | None:
    """The local folder of that name; None where it can only be a hub id."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise PrerequisiteError(f"model {text}: no folder {path}")
    return None


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
    return str(path)


def identity(spec: ModelSpec) -> str:
    """16 hex digits that change when the model does; the same for copies of it.

    Files are hashed whole up to 16 MiB; of larger ones, which are weights, 4 KiB of every MiB and the end (a 7B
    model would take half a minute otherwise): enough to see that any weight matrix was trained. For a hub id
    the name and the commit of the local snapshot, where there is one.
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
            size = path.stat().st_size
            digest.update(f"{path.name}\0{size}\0".encode())
            with path.open("rb") as file:
                if size <= _WHOLE:
                    digest.update(file.read())
                    continue
                for start in (*range(0, size, _STEP), size - _BLOCK):
                    file.seek(start)
                    digest.update(file.read(_BLOCK))
    return digest.digest()


def _hub_digest(name: str) -> bytes:
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    commit = Path(config).parent.name if isinstance(config, str) else "unknown"
    return f"{name}@{commit}".encode()
