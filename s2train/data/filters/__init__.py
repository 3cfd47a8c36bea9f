"""Which pairs are simple, safe and well-formed enough to learn from: named filters with thresholds.

    from s2train.data.engine import Local
    from s2train.data.filters import Filters, Tally, chosen, judged

    filters = chosen(Filters())  # or Filters.model_validate(a configuration's `filters:`)
    tally = Tally([one.name for one in filters])
    for pair, verdict in judged(pairs, filters, Local(2)):
        tally.add(pair, verdict)
        if verdict is None:
            ...  # kept
    print(*tally.funnel().lines(), sep="\\n")

Each filter is a pure function of one pair, so that any engine may map `verdicts` over batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from s2train.data.filters import language, length, pii, readability, toxicity
from s2train.data.filters.chain import Filter, Verdict, judged, one_by_one, verdicts
from s2train.data.filters.config import Filters
from s2train.data.filters.funnel import Example, FilterFunnel, Step, Tally
from s2train.data.records import Pair

__all__ = [
    "FILTERS",
    "Example",
    "Filter",
    "FilterFunnel",
    "Filters",
    "Step",
    "Tally",
    "Verdict",
    "chosen",
    "judged",
    "verdicts",
]

# Name, which is also that of its section in `Filters` → (pairs, that section) → reasons.
FILTERS: Mapping[str, Callable[[Sequence[Pair], Any], Sequence[str | None]]] = MappingProxyType(
    {
        "length": one_by_one(length.reason),
        "pii": one_by_one(pii.reason),
        "language": one_by_one(language.reason),
        "readability": one_by_one(readability.reason),
        "toxicity": toxicity.reasons,
    }
)


def chosen(config: Filters) -> tuple[Filter, ...]:
    """The filters of a configuration with their thresholds, in its order."""
    return tuple(Filter(name, partial(_run, name, getattr(config, name))) for name in config.order)


def _run(name: str, limits: Any, pairs: Sequence[Pair]) -> Sequence[str | None]:
    return FILTERS[name](pairs, limits)
