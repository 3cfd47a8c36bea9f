"""What tests of the store share: calls, and whether a file is sound."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from s2eval.llm.calls import Call, Message

SERVICE = "openai:judge@http://127.0.0.1:1/v1"


def call(number: int, **more: object) -> Call:
    base = Call(SERVICE, "judge", (Message("user", f"Question {number}"),), temperature=0.0, max_tokens=16)
    return replace(base, **more)


def sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
