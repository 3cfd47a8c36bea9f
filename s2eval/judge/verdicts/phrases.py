"""The tables of phrases.yaml as regular expressions."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

_NAME = re.compile(r"\{([a-z_]+)\}")


@cache
def _tables() -> dict[str, str | list[str]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C: fifteen times as fast
    return yaml.load(Path(__file__).with_name("phrases.yaml").read_bytes(), loader)


def alternatives(name: str) -> list[str]:
    """The regular expressions of a table."""
    table = _tables()[name]
    return [table] if isinstance(table, str) else table


def regex(text: str, **values: str) -> str:
    """The text as one group, in which each `{name}` is replaced by the value of that name, else by the table."""

    def replacement(match: re.Match[str]) -> str:
        name = match[1]
        return values[name] if name in values else regex("|".join(alternatives(name)), **values)

    return f"(?:{_NAME.sub(replacement, text)})"


def pattern(name: str) -> re.Pattern[str]:
    """A table, compiled; case is ignored."""
    return re.compile(regex("|".join(alternatives(name))), re.IGNORECASE)
