"""Where things lie: what ships with the package, in a checkout and in a wheel, and the user's cache."""

from __future__ import annotations

import os
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
