"""Answers judged by a language model: a question set (`suite`), who answers and judges (`handles`), what is asked
(`answering`, `judging`), what a verdict says (`verdicts`), and what it comes to (`scores`, `results`, `agreement`).

`bench` puts them together; `s2eval mtbench`, the task `s2_mtsbench` and the `judges` of a run all come here.
"""

from __future__ import annotations

from s2eval.callable_package import make_callable

make_callable(__name__, "s2eval.api.judging:judge")
