"""What distinguishes one model from another: a hash of its files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from s2eval.models.model_kind import ModelSpec
from s2eval.models.sources.adapter import ADAPTER_CONFIG

# What `identity` reads of a file: all of it up to _WHOLE bytes, else _BLOCK bytes of every _STEP.
_WHOLE, _STEP, _BLOCK = 16 << 20, 1 << 20, 4 << 10


def identity(spec: ModelSpec) -> str:
    """16 hex digits that change when the model does; the same for copies of it.

    Of files above 16 MiB, which are weights, 4 KiB of every MiB and the end are hashed (a 7B model would take half a
    minute otherwise): enough to see that any weight matrix was trained. An adapter's matrices are smaller, so its files
    are hashed completely. Of a hub id, its name and the commit of the local snapshot.
    """
    digest = hashlib.sha256()
    for name, limit in ((spec.pretrained, _WHOLE), (spec.peft, None)):
        if name is not None:
            path = Path(name).expanduser()
            digest.update(_folder_digest(path, limit) if path.is_dir() else _hub_digest(name))
    return digest.hexdigest()[:16]


def _folder_digest(folder: Path, limit: int | None) -> bytes:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            size = path.stat().st_size
            digest.update(f"{path.name}\0{size}\0".encode())
            with path.open("rb") as file:
                if limit is None or size <= limit:
                    while block := file.read(_STEP):
                        digest.update(block)
                    continue
                for start in (*range(0, size, _STEP), size - _BLOCK):
                    file.seek(start)
                    digest.update(file.read(_BLOCK))
    return digest.digest()


def _hub_digest(name: str) -> bytes:
    from huggingface_hub import try_to_load_from_cache

    cached = (try_to_load_from_cache(name, file) for file in ("config.json", ADAPTER_CONFIG))
    commit = next((Path(path).parent.name for path in cached if isinstance(path, str)), "unknown")
    return f"{name}@{commit}".encode()
