"""Where things lie: what ships with the package, in a checkout and in a wheel, and the user's cache."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_ASSETS = _PACKAGE / "_assets"  # made by the wheel build (pyproject.toml, force-include); absent in a checkout


def _asset(*parts: str) -> Path:
    root = _ASSETS if _ASSETS.is_dir() else _PACKAGE.parent
    return root.joinpath(*parts)


def tasks() -> Path:
    """The folder of task YAML files that lm-eval reads."""
    return _asset("tasks")


def demo_data() -> Path:
    """The small data of the `s2demo_*` tasks, in the layout of `S2_DATA_DIR`."""
    return tasks() / "demo" / "data"


def judges() -> Path:
    """The folder of judge definitions."""
    return _asset("judges")


def references() -> Path:
    """The folder of published numbers (CSV)."""
    return _asset("results", "reference")


def cache() -> Path:
    """The user's cache folder: `S2EVAL_CACHE`, else `$XDG_CACHE_HOME/s2eval`, else `~/.cache/s2eval`."""
    if own := os.environ.get("S2EVAL_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "s2eval"


def install_command(extra: str) -> str:
    """The command that installs what an extra needs. The project itself is on no package index.

    >>> install_command("hf")  # in a checkout  # doctest: +SKIP
    "pip install -e '/home/me/s2eval[hf]'"
    """
    from importlib.metadata import PackageNotFoundError, requires

    root = _PACKAGE.parent
    if (root / "pyproject.toml").is_file():
        return f"pip install -e {shlex.quote(f'{root}[{extra}]')}"
    try:
        needed = [line.partition(";") for line in requires("s2eval") or ()]
    except PackageNotFoundError:
        needed = []
    names = [name.strip() for name, _, marker in needed if marker.replace('"', "'").strip() == f"extra == '{extra}'"]
    return f"pip install {shlex.join(names)}" if names else f"pip install '.[{extra}]' in a checkout of s2eval"
