"""The default folder of `s2eval mtbench`, one for each model."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from s2eval.config import default_name
from s2eval.files.names import usable
from s2eval.judge.results import FOLDER
from s2eval.models import kind_of

CALLS = "calls.sqlite"
SHARED = Path("runs/mtsbench")  # of every model in version 0.1.0
_LONGEST = 100  # characters of a folder's name


def default_folder(models: Sequence[str], suite: str) -> Path:
    """`runs/SUITE-MODEL`, of several models `runs/SUITE-MODEL+MODEL`; `suite` is a name, or a folder.

    Models in the shared folder of version 0.1.0 resume there, as long as the new folder does not exist.
    """
    names = [default_name(_bare(model)) for model in models]
    folder = Path("runs") / usable(f"{default_name(suite)}-{'+'.join(names)}"[:_LONGEST])
    shared = (SHARED / CALLS).is_file() and all(map(_is_in_shared, models))
    return SHARED if shared and not folder.exists() else folder


def _bare(model: str) -> str:
    kind, name = kind_of(model)
    return name if kind.spec is None else model


def _is_in_shared(model: str) -> bool:
    """Whether the shared folder has results or answers of a model."""
    if (SHARED / default_name(_bare(model)) / FOLDER).is_dir():
        return True
    part = f'"model":{json.dumps(_bare(model))}'  # as the call's canonical JSON has it
    try:
        with closing(sqlite3.connect(f"{(SHARED / CALLS).absolute().as_uri()}?mode=ro", uri=True)) as connection:
            query = "SELECT 1 FROM calls WHERE instr(call, ?) LIMIT 1"
            return connection.execute(query, (part,)).fetchone() is not None
    except sqlite3.Error:  # reported when the store is opened
        return False
