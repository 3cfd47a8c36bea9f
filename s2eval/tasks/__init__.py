"""The benchmarks: documents, prompts and scores, a folder each, mirroring the YAML folders of `tasks/`.

Another package adds one by an entry point whose value is a `Benchmark` with the folder of its YAML files:

    [project.entry-points."s2eval.benchmarks"]
    trivia = "my_package:TRIVIA"

    TRIVIA = Benchmark("trivia", "Trivia", Path(__file__).parent / "tasks", columns=(Metric("acc", "Accuracy"),))

Its task is named `s2_trivia`, and `s2demo_trivia` if there is one with data of its own for a demonstration.

`s2eval ls tasks`, `s2eval run`, plain `lm_eval` and the reports then know it.
"""

from __future__ import annotations

from pathlib import Path

from s2eval import paths
from s2eval.registry import Registry
from s2eval.tasks import leaderboard, qa
from s2eval.tasks.benchmark import Benchmark
from s2eval.tasks.mtsbench import MTSBENCH

__all__ = ["BENCHMARKS", "Benchmark", "benchmark_of", "folders"]

BENCHMARKS: Registry[Benchmark] = Registry(
    "benchmark",
    [*leaderboard.BENCHMARKS, *qa.BENCHMARKS, MTSBENCH],
    group="s2eval.benchmarks",
    see="s2eval ls tasks",
)


LM_EVAL = Benchmark("lm-eval", "lm-eval", Path())
"""What lm-eval's own tasks belong to; not in the table."""


def benchmark_of(task: str) -> Benchmark:
    """The benchmark that a task belongs to."""
    return next((benchmark for benchmark in BENCHMARKS.values() if benchmark.covers(task)), LM_EVAL)


def folders() -> list[Path]:
    """The folders of all YAML files: ours, then other packages'."""
    own = paths.tasks()
    return [own, *dict.fromkeys(b.folder for b in BENCHMARKS.values() if not b.folder.is_relative_to(own))]
