"""The Open LLM Leaderboard of September 2023: ARC, HellaSwag, MMLU, TruthfulQA."""

from __future__ import annotations

from typing import Any

from s2eval import paths
from s2eval.data import Source
from s2eval.tasks.benchmark import Benchmark
from s2eval.tasks.leaderboard.rows import ARC, HELLASWAG, MMLU, TRUTHFULQA


def _benchmark(name: str, title: str, source: Source[Any], published: str, **more: Any) -> Benchmark:
    folder = paths.tasks() / "leaderboard"
    # the leaderboard put no BOS before a causal model's text
    return Benchmark(name, title, folder, source=source, table="leaderboard", published=published, bos=False, **more)


BENCHMARKS = (
    _benchmark("arc_challenge", "ARC", ARC, "arc"),
    _benchmark("hellaswag", "HellaSwag", HELLASWAG, "hellaswag", split="validation"),
    _benchmark("mmlu", "MMLU", MMLU, "mmlu", parts=True, tasks=("s2_mmlu", "s2demo_mmlu", "s2_mmlu_*")),
    _benchmark("truthfulqa_mc2", "TruthfulQA", TRUTHFULQA, "truthfulqa", split="validation"),
)
