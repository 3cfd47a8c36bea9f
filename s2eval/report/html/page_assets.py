"""The folder of scripts beside a page that is too large to hold all texts: a file for each piece, loaded when shown."""

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
    """Replace the folder by one with these pieces; they carry the key of the page, which loads no other's.

    Raises:
        PrerequisiteError: the folder holds other files.
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
    """Remove the pieces of an older page, so that none of its texts stays.

    Raises:
        PrerequisiteError: the folder holds other files.
    """
    if folder.is_dir():
        check(folder)
        shutil.rmtree(folder)


def check(folder: Path) -> None:
    """Raise a PrerequisiteError if the folder holds files that no report wrote."""
    if folder.exists() and not (folder.is_dir() and all(_NAME.fullmatch(path.name) for path in folder.iterdir())):
        raise PrerequisiteError(
            f"{folder}: holds other files, and belongs to the report. Choose another name with --out"
        )
