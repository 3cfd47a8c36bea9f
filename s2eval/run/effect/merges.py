"""The merges, made by `s2train merge` in a process of its own, and what it wrote down about them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from s2eval.errors import DataError, InterruptedRunError, S2Error, UsageError
from s2eval.models.spec import ADAPTER_CONFIG, ModelSpec
from s2eval.prompts import CHECKPOINT_FILE

_INTERRUPTED = 130


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # s2train, which writes it, forbids what it does not know


class Quantization(_Record):
    """How bitsandbytes quantised the base in training, as `s2train.json` tells it (docs/merging.md)."""

    type: str = "nf4"
    blocksize: int = 64
    double: bool = False
    compute_dtype: str | None = None
    dtype: str | None = None
    skip: tuple[str, ...] | None = None

    def words(self) -> str:
        """In a sentence."""
        double = "double" if self.double else "single"
        return f"{self.type.upper()}, blocks of {self.blocksize}, {double} quantisation"

    def arguments(self) -> dict[str, Any]:
        """lm-eval's model arguments that load the base so.

        Raises:
            UsageError: transformers cannot.
        """
        if self.blocksize != 64:
            raise UsageError(f"transformers loads blocks of 64 only, the adapter's base had blocks of {self.blocksize}")
        return {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": self.type,
            "bnb_4bit_use_double_quant": self.double,
            **({} if self.skip is None else {"llm_int8_skip_modules": list(self.skip)}),
        }


class Made(_Record):
    """What of a checkpoint's `s2train.json` matters here."""

    template: str
    kind: str | None = None
    quantization: Quantization | None = None
    files: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Request:
    """What is merged.

    Attributes:
        base: as `s2train merge` takes it: folder, hub id, or the name of an embedded model.
        adapter: folder or hub id.
        options: further options of it, for every method.
        qdq: those for `qdq`.
    """

    base: str
    adapter: str
    options: tuple[str, ...] = ()
    qdq: tuple[str, ...] = ()


def read(folder: Path) -> Made | None:
    """What a checkpoint says of itself; None where there is no `s2train.json`.

    Raises:
        DataError: it is broken.
    """
    path = folder / CHECKPOINT_FILE
    try:
        return Made.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError) as error:
        raise DataError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error


def tells_quantised(spec: ModelSpec) -> bool | None:
    """Whether the adapter's base was quantised in training, as its own files tell it; None: they tell nothing.

    s2train tells it of whatever it trains; of other adapters `adapter_config.json` may.
    """
    folder = _folder(spec.checkpoint)
    made = read(folder) if folder else None
    if made is not None and made.kind is not None:
        return made.quantization is not None
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError):  # told when it is merged
        return None
    return True if isinstance(config, dict) and config.get("quantization_config") else None


def _folder(checkpoint: str) -> Path | None:
    """A checkpoint's folder; of a hub id that of its `s2train.json`, where it has one."""
    if (path := Path(checkpoint).expanduser()).is_dir():
        return path
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return Path(hf_hub_download(checkpoint, CHECKPOINT_FILE)).parent
    except (OSError, ValueError, EntryNotFoundError):
        return None


def merge(request: Request, method: str, out: Path) -> Made:
    """Merge into `out`; a killed merge goes on, one that is there is kept.

    Raises:
        S2Error: it failed; with its exit code, after what it said on standard error.
        InterruptedRunError: it was stopped.
    """
    options = [*request.options, *(request.qdq if method == "qdq" else ())]
    command = [sys.executable, "-m", "s2train", "merge", "--base", request.base, "--adapter", request.adapter]
    code = _run([*command, "--method", method, "--out", str(out), *options])
    if code == _INTERRUPTED:
        raise InterruptedRunError(f"interrupted while merging with {method}; the same command goes on")
    if code:
        how = f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
        error = S2Error(f"merging with {method} {how}; what it said stands above")
        error.exit_code = max(code, 1)
        raise error
    made = read(out)
    assert made is not None  # a merge that ended well has written it
    return made


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, stdout=2, check=False).returncode  # its notes go where progress goes
