"""Names that become folders and files: usable and distinct on every system."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from s2eval.errors import UsageError

LONGEST = 180  # bytes: file systems take 255, and temporary names and endings are added
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", "conin$", "conout$", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
)


def folded(name: str) -> str:
    """Equal for names that macOS or Windows may treat as equal: no case, Unicode form or invisible characters.

    >>> folded("Cafe\\u0301") == folded("CAF\\u00c9")
    True
    """
    visible = "".join(char for char in name if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold()).rstrip(". ")


def problem(name: str) -> str:
    """Why a name cannot be that of a folder on every system; "" where it can."""
    if not name or name != name.strip() or name.endswith("."):
        return "ends or begins with a dot or a space"
    if name in (".", "..") or any(char in name for char in '/\\:*?"<>|') or not name.isprintable():
        return "has a path separator or another character that file names must not have"
    if name.partition(".")[0].casefold() in _DEVICES:
        return "is the name of a device on Windows"
    if len(name.encode("utf-8", "surrogatepass")) > LONGEST:
        return f"has more than {LONGEST} bytes in UTF-8"
    return ""


def usable(name: str) -> str:
    """The name, changed as little as makes it usable."""
    name = name.encode("utf-8", "surrogatepass")[:LONGEST].decode("utf-8", "ignore").rstrip(". ")
    return f"_{name}" if name.partition(".")[0].casefold() in _DEVICES else name


def clashes(names: Iterable[str]) -> list[str]:
    """Pairs of different names that are one on some systems, in words: `'Tiny' and 'tiny'`."""
    first: dict[str, str] = {}
    pairs = [(first.setdefault(folded(name), name), name) for name in names]
    return list(dict.fromkeys(f"{other!r} and {name!r}" for other, name in pairs if other != name))


def check_folder(path: Path) -> None:
    """Check the name of a folder or file that is to be written, and what lies beside it already.

    Raises:
        UsageError: it cannot be a name everywhere, or an existing name differs by case or Unicode form only.
    """
    if why := problem(path.name):
        raise UsageError(f"{path}: the name {path.name!r} {why}. Choose another name")
    if not path.parent.is_dir():
        return
    own = folded(path.name)
    for other in path.parent.iterdir():
        if other.name != path.name and folded(other.name) == own:
            raise UsageError(
                f"{path}: there is {other.name!r} already, which differs by case or Unicode form only; on some systems "
                "both are the same. Choose another name, or rename the existing one"
            )
