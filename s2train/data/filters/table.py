"""The filters. One more is a file like `length.py` and a line here, or an entry point of another package:

    [project.entry-points."s2train.filters"]
    shouting = "my_package:SHOUTING"    # a FilterKind

A filter of another package runs where a configuration's `filters.order` names it.
"""

from s2eval.registry import Registry
from s2train.data.filters.language import LANGUAGE
from s2train.data.filters.length import LENGTH
from s2train.data.filters.pii import PII
from s2train.data.filters.readability import READABILITY
from s2train.data.filters.toxicity import TOXICITY

OWN = (LENGTH, PII, LANGUAGE, READABILITY, TOXICITY)
FILTERS = Registry("filter", OWN, group="s2train.filters")
