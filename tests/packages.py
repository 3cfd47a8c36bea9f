"""An installed package of somebody else's, made in a test: a module and its entry points."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from s2eval.registry import Registry


def write(folder: Path, module: str, source: str, **points: str) -> None:
    """Write `module` with its metadata into `folder`.

    Args:
        points: group, with `__` for a dot → a line `name = module:ATTRIBUTE`.
    """
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    lines = (f"[{group.replace('__', '.')}]\n{point}\n" for group, point in points.items())
    (info / "entry_points.txt").write_text("".join(lines), encoding="utf-8")


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, source: str, **points: str) -> None:
    """Write a package, see `write`, and put it on `sys.path`."""
    write(folder, module, source, **points)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, module, raising=False)


def look_again(table: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a table load entry points anew, and forget at the end what it then found."""
    monkeypatch.setattr(table, "_entries", dict(table._entries))
    monkeypatch.setattr(table, "_complete", False)
