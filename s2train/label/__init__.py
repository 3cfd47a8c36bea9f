"""`s2train label`: a policy answers prompts, rankings say which answers are better, and that becomes a preference set.

Rankings are reward models, weighted sums of them, or a DPO policy's implicit reward; how often two agree is told.
"""

from __future__ import annotations

from s2eval.callable_package import make_callable

make_callable(__name__, "s2train.api:label")
