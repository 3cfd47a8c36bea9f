"""Folders that replace others: at every moment the old one or the new one has the name, whatever kills the process.

Linux and macOS exchange two names in one step. Where the file system cannot (NFS, some FUSE mounts), the old folder
waits as `.replaced-NAME` between two renames, and `recover` gives it its name back.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Callable
from functools import cache
from glob import escape
from pathlib import Path

TEMPORARY, REPLACED = ".unfinished-", ".replaced-"
_AT_FDCWD = -100
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2) and RENAME_SWAP of renamex_np(2)


def replace_folder(new: Path, target: Path) -> None:
    """Give the folder `new` the name `target`, on the same file system; an older folder is removed.

    After an OSError both are as they were before.
    """
    if not os.path.lexists(target):
        new.rename(target)
        return
    if not target.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    if _exchange(new, target):
        _remove(new)
        return
    old = target.with_name(f"{REPLACED}{target.name}")
    _remove(old)
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        if not os.path.lexists(target):
            old.rename(target)
        raise
    _remove(old)


def recover(target: Path) -> bool:
    """Undo a replacement of `target` that was killed between its two renames; whether there was one.

    Call it only while holding the lock that keeps other processes from replacing `target`.
    """
    if os.path.lexists(target):
        _remove(target.with_name(f"{REPLACED}{target.name}"))
        return False
    waiting = [target.with_name(f"{REPLACED}{target.name}")]
    # version 0.1.0 moved the old folder into a temporary one
    waiting += target.parent.glob(f"{TEMPORARY}{escape(target.name)}-*/replaced")
    for old in waiting:
        if old.is_dir():
            old.rename(target)
            return True
    return False


def recover_below(root: Path) -> None:
    """`recover` for every folder below `root`."""
    names = [path.with_name(path.name.removeprefix(REPLACED)) for path in root.rglob(f"{REPLACED}*")]
    for path in root.rglob(f"{TEMPORARY}*/replaced"):
        name = path.parent.name.removeprefix(TEMPORARY).rpartition("-")[0]
        if name:
            names.append(path.parent.with_name(name))
    for target in names:
        recover(target)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step; False where the system or the file system cannot."""
    call = _exchange_call()
    return call is not None and call(os.fsencode(first), os.fsencode(second)) == 0


@cache
def _exchange_call() -> Callable[[bytes, bytes], int] | None:
    try:
        library = ctypes.CDLL(None)
        if sys.platform == "darwin":
            swap = library.renamex_np
            return lambda first, second: swap(first, second, _EXCHANGE)
        rename = library.renameat2
        return lambda first, second: rename(_AT_FDCWD, first, _AT_FDCWD, second, _EXCHANGE)
    except (AttributeError, OSError, TypeError):  # no such function, or (Windows) no such library
        return None


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
