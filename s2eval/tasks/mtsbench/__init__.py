"""MT(S)-Bench as a task of lm-eval; in a run its judges do the same and more."""

from __future__ import annotations

from s2eval import paths
from s2eval.tasks.benchmark import Benchmark

MTSBENCH = Benchmark("mtsbench", "MT(S)-Bench", paths.tasks() / "mtsbench", judged=True)
