"""What a backend did for its answers: counted, so that it can be shown beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Work:
    """Counts since the last reset.

    Attributes:
        requests: answered.
        truncated: of them, longer than the model's context and cut from the left.
        naive: tokens to compute if each request is by itself.
        unique: distinct prefixes among those: the least that can be computed.
        computed: tokens computed by the trie.
        forwards: forward passes over the trie.
        generated: tokens of answers.
        rescored: requests of documents too close to call, answered again by hf's path (half precision only).
        checked: requests that were compared with hf's path.
        difference: the largest difference of a log-likelihood among those.
        by_hf: reason → requests that went through hf's path for it.
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
    by_hf: dict[str, int] = field(default_factory=dict[str, int])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def remarks(works: Iterable[Mapping[str, Any]]) -> list[str]:
    """What one should know of some works together, a phrase each; nothing where all went as it should.

    Args:
        works: as `Work.as_dict` gives them.
    """
    counts, by_hf = Counter[str](), Counter[str]()
    for work in works:
        counts.update({name: work[name] for name in ("requests", "truncated", "rescored")})
        by_hf.update(work["by_hf"])
    of = f"of {counts['requests']} requests"
    said = [f"{number} {of} through hf's path: {why}" for why, number in by_hf.items()]
    if counts["rescored"]:
        said.insert(0, f"{counts['rescored']} {of} too close to call in half precision, scored again by hf's path")
    if counts["truncated"]:
        said.insert(0, f"{counts['truncated']} {of} longer than the context, cut from the left")
    return said
