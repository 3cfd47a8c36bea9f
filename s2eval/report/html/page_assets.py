"""The folder of scripts beside a page that is too large to hold all texts: a piece a file, loaded when it is shown."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from s2eval import store
from s2eval.errors import PrerequisiteError

_NAME = re.compile(r"\d+-(?:\d+|columns|numbers)\.js")


def folder_of(page: Path) -> Path:
    """`report_files` beside `report.html`."""
    return page.with_name(f"{page.stem}_files")


def write(folder: Path, packed: Mapping[str, str], key: str) -> None:
    """Replace the folder by one with these pieces.

    Args:
        key: of the page that they belong to; a page takes no other's.

    Raises:
        PrerequisiteError: it holds what no report left there.
    """
    store.recover(folder)
    check(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{store.TEMPORARY}{folder.name}-", dir=folder.parent))
    try:
        temporary.chmod(0o755)
        for name, text in packed.items():
            (temporary / f"{name}.js").write_text(
                f"s2piece({json.dumps(name)},{json.dumps(key)},{json.dumps(text)});\n", encoding="ascii"
            )
        store.replace_folder(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def remove(folder: Path) -> None:
    """Remove the pieces of an older page, so that no text of it stays where none is wanted.

    Raises:
        PrerequisiteError: it holds what no report left there.
    """
    if folder.is_dir():
        check(folder)
        shutil.rmtree(folder)


def check(folder: Path) -> None:
    """Raise a PrerequisiteError if the folder holds what no report left there."""
    if folder.exists() and not (folder.is_dir() and all(_NAME.fullmatch(path.name) for path in folder.iterdir())):
        raise PrerequisiteError(
            f"{folder}: holds other files, and belongs to the report. Choose another name with --out"
        )
