"""What a backend did for its answers, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class BackendStats:
    """Counts since the last reset.

    Attributes:
        requests: answered.
        truncated: of them, longer than the model's context and cut from the left.
        naive: tokens to compute if each request is by itself.
        unique: distinct prefixes among those: the least that can be computed.
        computed, forwards: tokens and forward passes of the trie.
        generated: tokens of answers.
        rescored: requests of documents too close to call, answered again by hf's path (half precision only).
        checked: requests that were compared with hf's path.
        difference: the largest difference of a log-likelihood among those.
        fallbacks: reason → requests that went through hf's path for it.
    """

    requests: int = 0
    truncated: int = 0
    naive: int = 0
    unique: int = 0
    computed: int = 0
    forwards: int = 0
    generated: int = 0
    rescored: int = 0
    checked: int = 0
    difference: float = 0.0
    fallbacks: dict[str, int] = field(default_factory=dict[str, int])

    def as_dict(self) -> dict[str, Any]:
        """For JSON; files keep the key `by_hf` of s2eval 0.1.0."""
        counts = asdict(self)
        counts["by_hf"] = counts.pop("fallbacks")
        return counts


def remarks(stats: Iterable[Mapping[str, Any]]) -> list[str]:
    """A phrase for everything that did not go as it should, in statistics from `BackendStats.as_dict`."""
    counts, fallbacks = Counter[str](), Counter[str]()
    for part in stats:
        counts.update({name: part[name] for name in ("requests", "truncated", "rescored")})
        fallbacks.update(part["by_hf"])
    of = f"of {counts['requests']} requests"
    phrases = {
        f"{counts['truncated']} {of} longer than the context, cut from the left": counts["truncated"],
        f"{counts['rescored']} {of} too close to call in half precision, scored again by hf's path": counts["rescored"],
        **{f"{number} {of} through hf's path: {why}": number for why, number in fallbacks.items()},
    }
    return [phrase for phrase, number in phrases.items() if number]
