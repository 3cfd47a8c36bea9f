"""A path or hub id: a whole model."""

from __future__ import annotations

from pathlib import Path

from s2eval.errors import PrerequisiteError, UnknownNameError, nearest
from s2eval.models.model_kind import ModelKind, ModelSpec
from s2eval.models.sources.embedded import EMBEDDED, resolve
from s2eval.weights import check_pointers

WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")
_TOKENIZERS = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model"),
    *("*.tiktoken", "tokenization_*.py"),
)


def local_folder(name: str, text: str) -> Path | None:
    """The local folder of that name; None where it can only be a hub id."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.exists() or not may_be_hub_id(name):
        raise PrerequisiteError(f"model {text}: no folder {path}")
    return None


def may_be_hub_id(name: str) -> bool:
    """Whether a name can be one, by its form."""
    return not name.startswith((".", "/", "~")) and name.count("/") <= 1


def check(name: str, text: str) -> str:
    """The folder of an embedded or local model, which has weights and a tokenizer; a hub id as it is. `text` is
    MODEL as the user typed it, for messages. Raises PrerequisiteError for an incomplete folder, UnknownNameError for
    a misspelt embedded model."""
    if name in EMBEDDED:
        return str(resolve(name))
    path = local_folder(name, text)
    if path is None:
        if "/" not in name and nearest(name, EMBEDDED):
            raise UnknownNameError("model", name, EMBEDDED, see="s2eval ls models")
        return name
    if not (path / "config.json").is_file():
        raise PrerequisiteError(f"model {text}: {path} has no config.json; is it a Hugging Face model folder?")
    if not any(next(path.glob(pattern), None) for pattern in WEIGHTS):
        raise PrerequisiteError(f"model {text}: {path} has no weights ({', '.join(WEIGHTS)})")
    if not any(next(path.glob(pattern), None) for pattern in _TOKENIZERS):
        raise PrerequisiteError(
            f"model {text}: {path} has no tokenizer ({', '.join(_TOKENIZERS[:2])}, …). "
            "Save the base model's there: AutoTokenizer.from_pretrained(BASE).save_pretrained(FOLDER)"
        )
    check_pointers(path, f"model {text}")
    return str(path)


def spec(name: str, text: str) -> ModelSpec:
    """A whole model, embedded or not."""
    return ModelSpec(text, check(name, text))


EMBEDDED_MODEL = ModelKind("embedded", ", ".join(EMBEDDED), tuple(EMBEDDED), prefixed=False, spec=spec)
CHECKPOINT = ModelKind("checkpoint", "PATH or hub id", prefixed=False, spec=spec)
