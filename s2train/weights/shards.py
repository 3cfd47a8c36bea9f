"""The weights of a folder: one `.safetensors` file, or several with an index. Read in chunks, never mapped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.weights import Shape, read_index
from s2train.weights import header
from s2train.weights.header import Entry

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_OTHER = {"*.bin": "pickle", "*.gguf": "GGUF", "*.pt": "pickle", "*.h5": "TensorFlow", "*.msgpack": "Flax"}
_STEP, _SAMPLE = 1 << 20, 4 << 10  # what `fingerprint` reads: 4 KiB of every MiB


@dataclass(frozen=True, slots=True)
class Place:
    """A tensor and the file that holds it."""

    path: Path
    entry: Entry

    def read_into(self, buffer: memoryview, start: int = 0) -> None:
        """Fill `buffer` with the tensor's bytes from `start` on.

        Raises:
            PrerequisiteError: the file cannot be read, or has become shorter.
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.entry.start + start)
                done = 0
                while done < len(buffer):
                    count = file.readinto(buffer[done:])
                    if not count:
                        raise PrerequisiteError(f"{self.path}: ends within {self.entry.name}: was it changed just now?")
                    done += count
        except OSError as error:
            raise PrerequisiteError(f"{self.path}: cannot be read: {error.strerror or error}") from error

    def read(self, start: int, end: int) -> bytearray:
        """The tensor's bytes from `start` to `end`."""
        buffer = bytearray(end - start)
        self.read_into(memoryview(buffer), start)
        return buffer


@dataclass(frozen=True, slots=True)
class Weights:
    """All tensors of a model's folder, by file; files in the order of their names, tensors in that of their bytes."""

    folder: Path
    files: Mapping[str, tuple[Entry, ...]]

    def places(self) -> dict[str, Place]:
        return {
            entry.name: Place(self.folder / name, entry) for name, entries in self.files.items() for entry in entries
        }

    def shapes(self) -> dict[str, Shape]:
        return {entry.name: (entry.dtype, entry.shape) for entries in self.files.values() for entry in entries}


def find(folder: Path) -> Weights:
    """The weights of a model's folder; only the files' heads are read.

    Raises:
        PrerequisiteError: there are none, a shard is missing or broken, or the index and the shards disagree.
        UsageError: they are in another format.
    """
    if (folder / SINGLE).is_file():
        return Weights(folder, {SINGLE: tuple(header.read(folder / SINGLE))})
    if not (folder / INDEX).is_file():
        for pattern, kind in _OTHER.items():
            if path := next(folder.glob(pattern), None):
                raise UsageError(
                    f"{folder}: its weights are {kind} ({path.name}); merging reads safetensors. Load it with "
                    "transformers and save it again: save_pretrained(FOLDER)"
                )
        raise PrerequisiteError(f"{folder}: no weights: neither {SINGLE} nor {INDEX}")
    wanted = read_index(folder / INDEX)
    files: dict[str, tuple[Entry, ...]] = {}
    for name in sorted(set(wanted.values())):
        if not (folder / name).is_file():
            count = sum(file == name for file in wanted.values())
            raise PrerequisiteError(
                f"{folder}: the shard {name} is missing, {INDEX} expects {count} tensors in it. Fetch the model again"
            )
        files[name] = tuple(header.read(folder / name))
    actual = {entry.name: name for name, entries in files.items() for entry in entries}
    if wrong := sorted(name for name in wanted.keys() | actual.keys() if wanted.get(name) != actual.get(name)):
        shown = ", ".join(wrong[:3])
        raise PrerequisiteError(
            f"{folder / INDEX}: it and the shards disagree about {len(wrong)} tensors ({shown}): was a shard replaced?"
        )
    return Weights(folder, files)


def fingerprint(weights: Weights) -> str:
    """64 hex digits that change when training changed any matrix; the same however the tensors are spread over files.

    SHA-256 over every tensor's name, type, shape and 4 KiB of each MiB of it (seconds for a 13B model).
    """
    digest = hashlib.sha256()
    for name, place in sorted(weights.places().items()):
        entry = place.entry
        digest.update(f"{name}\0{entry.dtype}\0{entry.shape}\0".encode())
        buffer = memoryview(bytearray(min(_SAMPLE, entry.size)))
        for start in range(0, entry.size, _STEP):
            part = buffer[: min(_SAMPLE, entry.size - start)]
            place.read_into(part, start)
            digest.update(part)
    return digest.hexdigest()
