"""The Open LLM Leaderboard of September 2023: ARC, HellaSwag, MMLU, TruthfulQA."""

from __future__ import annotations

from functools import partial

from s2eval import paths
from s2eval.tasks.benchmark import Benchmark
from s2eval.tasks.leaderboard.rows import ARC, HELLASWAG, MMLU, TRUTHFULQA

# the leaderboard put no BOS before a causal model's text
_benchmark = partial(Benchmark, folder=paths.tasks() / "leaderboard", table="leaderboard", bos=False)

BENCHMARKS = (
    _benchmark("arc_challenge", "ARC", source=ARC, published="arc"),
    _benchmark("hellaswag", "HellaSwag", source=HELLASWAG, published="hellaswag", split="validation"),
    _benchmark(
        "mmlu",
        "MMLU",
        source=MMLU,
        published="mmlu",
        parts=True,
        tasks=("s2_mmlu", "s2demo_mmlu", "s2_mmlu_*"),
    ),
    _benchmark("truthfulqa_mc2", "TruthfulQA", source=TRUTHFULQA, published="truthfulqa", split="validation"),
)
