"""`s2train label`: a policy answers prompts, rankings order its answers, and their order becomes preferences.

Rankings are reward models, weighted sums of them, or a DPO policy's implicit reward; how often two agree is reported.
"""

from __future__ import annotations

from s2eval.callable_package import make_callable

make_callable(__name__, "s2train.api:label")
