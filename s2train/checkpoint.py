"""`s2train.json`: what a checkpoint folder records about itself, beside what transformers and PEFT write.

s2eval reads its `template` (`s2eval.prompts.trained_with`); merging reads `base` and `quantization`; people read the
rest. Nothing in it names a folder of the machine that wrote it.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from s2eval import store
from s2eval.errors import DataError
from s2eval.prompts import CHECKPOINT_FILE
from s2train.data.files.jsonl import broken

PACKAGES = ("s2eval", "torch", "transformers", "peft", "bitsandbytes", "trl")
Dtype = Literal["bfloat16", "float16", "float32"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Record):
    """A model or an adapter that went in.

    Attributes:
        name: hub id, or the name of its folder without the path.
        sha256: of a base the fingerprint of its weights (`s2train.weights.shards.fingerprint`), of an adapter the hash
            of its configuration and weights.
        weight: of an adapter that was merged together with others.
    """

    name: str
    sha256: Sha256 | None = None
    weight: float = 1.0


class Quantization(_Record):
    """How bitsandbytes quantised the base in training.

    Attributes:
        type: of 4-bit number.
        blocksize: numbers that share a scale; `double`: the scales are quantised as well.
        compute_dtype: what the layers multiplied in; the weights do not depend on it.
        dtype: what the base was loaded in before it was quantised; None: as its files have it.
        skip: modules that were not quantised (`llm_int8_skip_modules`); None: transformers' own choice.
    """

    type: Literal["nf4", "fp4"] = "nf4"
    blocksize: Literal[32, 64, 128, 256, 512, 1024, 2048, 4096] = 64
    double: bool = False
    compute_dtype: Dtype | None = None
    dtype: Dtype | None = None
    skip: tuple[str, ...] | None = None


class Checkpoint(_Record):
    """The file.

    Attributes:
        template: that it was trained with, as users type it.
        kind: the stage that made it, or `merge`.
        base: what it was trained on or merged into.
        adapters: what was merged.
        method: of merging.
        quantization: of the base, in training.
        recipe: the stage's configuration, resolved.
        data: name → SHA-256 of the files it was trained on; of `adapter` the tensors it started from, of `reward-NAME`
            a reward model's.
        versions: packages that made it.
        metrics: name → value.
        files: its weights' files → SHA-256.
        records: files of what training measured and wrote (`held_out.jsonl`, `generations.jsonl`, …) → SHA-256.
    """

    template: str
    kind: Annotated[str, Field(pattern="^[a-z][a-z0-9_-]*$")] | None = None
    base: Source | None = None
    adapters: tuple[Source, ...] = ()
    method: str | None = None
    quantization: Quantization | None = None
    recipe: JsonValue = None
    data: dict[str, str] = {}
    versions: dict[str, str] = {}
    metrics: dict[str, float] = {}
    files: dict[str, Sha256] = {}
    records: dict[str, Sha256] = {}


def read(folder: Path) -> Checkpoint | None:
    """The folder's `s2train.json`, None where there is none; DataError if it cannot be read or is invalid."""
    path = folder / CHECKPOINT_FILE
    try:
        return Checkpoint.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise broken(error, str(path)) from None


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the folder's `s2train.json`, atomically; what is not known is left out."""
    store.write_json(folder / CHECKPOINT_FILE, checkpoint.model_dump(mode="json", exclude_defaults=True))


def hashes(folder: Path, suffixes: Sequence[str]) -> dict[str, str]:
    """The files of a folder with these suffixes → SHA-256."""
    return {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.suffix in suffixes}


def problem(folder: Path, files: Mapping[str, str]) -> str:
    """What of these files (name → SHA-256) is missing or changed, in a sentence's part; "" where nothing is."""
    for name, digest in files.items():
        try:
            if sha256(folder / name) != digest:
                return f"{name} was changed since it was written"
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name}: {error.strerror or error}"
    return ""


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Python's and those of the packages that are installed."""
    result = {"python": platform.python_version()}
    for name in packages:
        with suppress(PackageNotFoundError):
            result[name] = version(name)
    return result
