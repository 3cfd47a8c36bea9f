"""Answers judged by a language model: question sets (`suite`), calls (`ask`), `verdicts`, `scores` and `results`.

`bench` joins them, for `s2eval mtbench`, the task `s2_mtsbench` and the `judges` of a run.
"""

from __future__ import annotations

from s2eval.callable_package import make_callable

make_callable(__name__, "s2eval.api.judging:judge")
