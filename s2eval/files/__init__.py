"""Formats on disk: JSON Lines, YAML, checksums, names of folders, and how one folder replaces another."""

from __future__ import annotations

from typing import TypeAlias

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
"""What a JSON parser returns, before anything is known of it: `isinstance` narrows it without casts."""
JsonObject: TypeAlias = dict[str, Json]
