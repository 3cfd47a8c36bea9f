"""Whether stored results are what was written: lines and SHA-256 of files, and JSON files that carry their own hash.

What a disk, a copy or an editor changed is no result. Files that version 0.1.0 wrote carry no hashes; they are checked
as far as their numbers of lines allow.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEAL = "sha256"
"""The field of a JSON file with the hash of all its other fields."""
_CHUNK = 1 << 20
_State = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A file's content: its line ends, and its SHA-256 in hex."""

    lines: int
    sha256: str


_known: dict[Path, tuple[_State, Fingerprint]] = {}


def fingerprint(path: Path) -> Fingerprint:
    """Of a file as it is now; read once as long as nothing about the file changes.

    Raises:
        OSError: it cannot be read.
    """
    stat = path.stat()
    state = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    known = _known.get(path.absolute())
    if known is not None and known[0] == state:
        return known[1]
    digest, lines = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            lines += chunk.count(b"\n")
    found = Fingerprint(lines, digest.hexdigest())
    _known[path.absolute()] = state, found
    return found


def measured(root: Path) -> dict[str, list[Any]]:
    """The fingerprints that this process has taken below a folder, to be given to `prime` by another one."""
    absolute = root.absolute()
    return {
        str(path.relative_to(absolute)): [*state, found.lines, found.sha256]
        for path, (state, found) in _known.items()
        if path.is_relative_to(absolute)
    }


def prime(root: Path, fingerprints: Mapping[str, Sequence[Any]]) -> None:
    """Take over what `measured` gave: a file whose inode, size and times are the same is not read again."""
    for name, (*state, lines, sha256) in fingerprints.items():
        _known.setdefault(
            root.absolute() / name, ((state[0], state[1], state[2], state[3]), Fingerprint(lines, sha256))
        )


def record(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Files by name as a JSON file lists them: `{"samples.jsonl": {"lines": 2, "sha256": "…"}}`."""
    found = {path.name: fingerprint(path) for path in sorted(paths)}
    return {name: {"lines": one.lines, "sha256": one.sha256} for name, one in found.items()}


def problem(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> str:
    """What of the listed files is missing or changed, in a sentence's part; "" where all are as listed.

    Raises:
        KeyError, TypeError, AttributeError: `files` is not what `record` gives.
    """
    for name, listed in files.items():
        lines, sha256 = listed["lines"], listed["sha256"]
        try:
            found = fingerprint(folder / name)
        except OSError as error:
            return f"{name} is missing" if isinstance(error, FileNotFoundError) else f"{name}: {error.strerror}"
        if found.lines != lines:
            return f"{name} has {found.lines} of {lines} lines" if lines > found.lines else f"{name} has more lines"
        if found.sha256 != sha256:
            return f"{name} was changed since it was written"
    return ""


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with the hash of itself, in the place of an earlier one."""
    plain = json.loads(json.dumps(_unsealed(content), default=str))  # as it will be read back
    return {**content, SEAL: _digest(plain)}


def seal_holds(content: Mapping[str, Any]) -> bool:
    """Whether content that was read back is what was sealed; True where it never was."""
    if SEAL not in content:
        return True
    return content[SEAL] == _digest(_unsealed(content))


def _unsealed(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != SEAL}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
