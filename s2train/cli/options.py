"""Options that several commands of s2train have."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Dtype = Literal["bfloat16", "float16", "float32"]
BaseOption = Annotated[
    str | None, typer.Option("--base", metavar="B", help="Folder or hub id; default: what the adapter names.")
]
