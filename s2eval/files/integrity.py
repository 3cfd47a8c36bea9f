"""Whether stored results are what was written: lines and SHA-256 of files, and JSON files that carry their own hash.

What a disk, a copy or an editor changed is no result. Files that version 0.1.0 wrote carry no hashes; they are checked
as far as their numbers of lines allow.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
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
    """Of a file as it is now; read once as long as nothing about the file changes."""
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
    result = Fingerprint(lines, digest.hexdigest())
    _known[path.absolute()] = state, result
    return result


def measured(root: Path) -> dict[str, list[object]]:
    """The fingerprints that this process has taken below a folder, for `prime` in another process."""
    absolute = root.absolute()
    return {
        str(path.relative_to(absolute)): [*state, taken.lines, taken.sha256]
        for path, (state, taken) in _known.items()
        if path.is_relative_to(absolute)
    }


def prime(root: Path, fingerprints: Mapping[str, Sequence[Any]]) -> None:
    """Take over what `measured` gave: a file whose inode, size and times are the same is not read again."""
    for name, (inode, size, modified, changed, lines, sha256) in fingerprints.items():
        _known.setdefault(root.absolute() / name, ((inode, size, modified, changed), Fingerprint(lines, sha256)))


def record(paths: Iterable[Path]) -> dict[str, dict[str, int | str]]:
    """Files by name as a JSON file lists them: `{"samples.jsonl": {"lines": 2, "sha256": "…"}}`."""
    return {path.name: asdict(fingerprint(path)) for path in sorted(paths)}


def problem(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> str:
    """What of the listed files is missing or changed, in a sentence's part; "" where all are as listed.

    Raises:
        KeyError, TypeError, AttributeError: `files` is not what `record` gives.
    """
    for name, listed in files.items():
        lines, sha256 = listed["lines"], listed["sha256"]
        try:
            current = fingerprint(folder / name)
        except OSError as error:
            return f"{name} is missing" if isinstance(error, FileNotFoundError) else f"{name}: {error.strerror}"
        if current.lines != lines:
            return f"{name} has {current.lines} of {lines} lines" if lines > current.lines else f"{name} has more lines"
        if current.sha256 != sha256:
            return f"{name} was changed since it was written"
    return ""


def sealed(content: Mapping[str, object]) -> dict[str, object]:
    """The content with the hash of itself, in the place of an earlier one."""
    plain = json.loads(json.dumps({**content}, default=str))  # as it will be read back
    return {**content, SEAL: _digest(plain)}


def seal_holds(content: Mapping[str, object]) -> bool:
    """Whether content that was read back is what was sealed; True where it never was."""
    return SEAL not in content or content[SEAL] == _digest(content)


def _digest(content: Mapping[str, object]) -> str:
    unsealed = {name: value for name, value in content.items() if name != SEAL}
    return hashlib.sha256(json.dumps(unsealed, sort_keys=True).encode()).hexdigest()
