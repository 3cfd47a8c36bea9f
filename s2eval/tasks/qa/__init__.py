"""Questions and answers: ELI5, Simple Wikipedia, both."""

from __future__ import annotations

from s2eval import paths
from s2eval.tasks.benchmark import Benchmark
from s2eval.tasks.qa.documents import PAIRS

BENCHMARKS = tuple(
    Benchmark(
        name,
        "ELI5" if name == "eli5" else name,
        paths.tasks() / "qa",
        source=source,
        split="validation",
        table="qa",
        answers=True,
    )
    for name, source in PAIRS.items()
)
