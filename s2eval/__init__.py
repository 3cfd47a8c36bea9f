"""Evaluate language models that were fine-tuned to answer simply and safely.

This file stays empty of imports: every Python process in an environment where s2eval is installed runs it
(see `s2eval.startup`). Public names live in `s2eval.prompts`, `s2eval.metrics`, `s2eval.stats`,
`s2eval.models`, `s2eval.store` and `s2eval.report`.
"""

__version__ = "0.1.0"
