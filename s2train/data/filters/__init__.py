"""Which pairs are simple, safe and well-formed enough to learn from: named filters with thresholds.

    from s2train.data.engine import Local
    from s2train.data.filters import Tally, judged
    from s2train.data.filters.config import Filters, chosen

    filters = chosen(Filters())  # or Filters.model_validate(a configuration's `filters:`)
    tally = Tally([filter.name for filter in filters])
    for pair, verdict in judged(pairs, filters, Local(2)):
        tally.add(pair, verdict)
        if verdict is None:
            ...  # kept
    for step in tally.steps():
        print(step.name, step.dropped, step.reasons)

Each filter is a pure function of one pair, so that any engine may map `verdicts` over batches.
"""

from s2train.data.filters.chain import Filter, Verdict, judged, verdicts
from s2train.data.filters.funnel import Example, Step, Tally
from s2train.data.filters.kind import FilterKind, Section
from s2train.data.filters.table import FILTERS

__all__ = [
    "FILTERS",
    "Example",
    "Filter",
    "FilterKind",
    "Section",
    "Step",
    "Tally",
    "Verdict",
    "judged",
    "verdicts",
]
