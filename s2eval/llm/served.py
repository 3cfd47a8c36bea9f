"""Which model answered, by the name that the server reports, against the name that was asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

_VERSION = re.compile(r"[-@:](\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3}|latest)$")


def same_family(asked: str, reported: str) -> bool:
    """Whether two names are of one model, or of its dated versions, at whatever provider.

    >>> same_family("gpt-4", "gpt-4-0613"), same_family("gpt-4o-2024-08-06", "openai/gpt-4o")
    (True, True)
    >>> same_family("gpt-4", "gpt-4o")
    False
    """
    return _family(asked) == _family(reported)


def _family(name: str) -> str:
    return _VERSION.sub("", name.casefold().rpartition("/")[2])


def served(asked: str, reported: Iterable[str]) -> dict[str, int]:
    """Other names than the one that was asked for → replies; empty where there are none, or the server reports none."""
    counts = Counter(name for name in reported if name and name != asked)
    return dict(sorted(counts.items()))


def note(asked: str, names: Mapping[str, int]) -> str:
    """What a reader must know of other names; `names` as of `served`."""
    versions = [name for name in names if same_family(asked, name)]
    others = {name: number for name, number in names.items() if name not in versions}
    parts: list[str] = []
    if versions:
        parts.append(f"`{asked}` was answered by {', '.join(f'`{name}`' for name in versions)}")
    if others:
        listed = ", ".join(f"`{name}` {number}" for name, number in others.items())
        parts.append(f"{sum(others.values())} replies to `{asked}` came from another model ({listed})")
    return "; ".join(parts)
