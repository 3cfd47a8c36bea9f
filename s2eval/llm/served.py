"""The models that answered, as the server reports them, compared with the requested name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

_VERSION = re.compile(r"[-@:](\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3}|latest)$")


def same_family(requested: str, reported: str) -> bool:
    """Whether two names are of one model, or of its dated versions, at any provider.

    >>> same_family("gpt-4", "gpt-4-0613"), same_family("gpt-4o-2024-08-06", "openai/gpt-4o")
    (True, True)
    >>> same_family("gpt-4", "gpt-4o")
    False
    """
    return _family(requested) == _family(reported)


def _family(name: str) -> str:
    return _VERSION.sub("", name.casefold().rpartition("/")[2])


def served(requested: str, reported: Iterable[str]) -> dict[str, int]:
    """Names other than the requested one → replies."""
    counts = Counter(name for name in reported if name and name != requested)
    return dict(sorted(counts.items()))


def note(requested: str, names: Mapping[str, int]) -> str:
    """A note for readers on other names; `names` as of `served`."""
    versions = [name for name in names if same_family(requested, name)]
    others = {name: number for name, number in names.items() if name not in versions}
    parts: list[str] = []
    if versions:
        parts.append(f"`{requested}` was answered by {', '.join(f'`{name}`' for name in versions)}")
    if others:
        listed = ", ".join(f"`{name}` {number}" for name, number in others.items())
        parts.append(f"{sum(others.values())} replies to `{requested}` came from another model ({listed})")
    return "; ".join(parts)
