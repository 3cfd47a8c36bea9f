"""Models compared: 10,000 stratified resamples of 14,042 questions, and `s2eval compare` of 12 models on as many.

    OMP_NUM_THREADS=1 python -m benchmarks.pairs                     # writes 2.3 GB of samples to a temporary folder
    OMP_NUM_THREADS=1 python -m benchmarks.pairs --models 3 --questions 500 --out /tmp/pairs.json

Each measurement runs in a process of its own; memory is the peak of that process above what its imports take.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.record import Row, arguments, write
from s2eval.tasks.leaderboard.rows import SUBJECTS

TIMES = 3
QUESTIONS, MODELS = 14_042, 12
SHOT = "The following is one of five questions that stand before the one to be answered, with its four choices.\n"


def measured(work: Callable[[], Any]) -> tuple[float, float, float]:
    """CPU seconds, seconds by the clock, and peak memory above that of before, MiB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    took = time.process_time() - cpu, time.perf_counter() - wall
    return *took, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def resample(questions: int, between: bool) -> tuple[float, float, float]:
    """Runs in a process of its own: differences of right and wrong answers, or of scores in between."""
    from s2eval.stats import strata_of, stratified_bootstrap

    rng = np.random.default_rng(1)
    labels = np.sort(rng.integers(0, len(SUBJECTS), questions))
    differences = (
        rng.normal(size=questions) if between else rng.choice([-1.0, 0.0, 1.0], questions, p=[0.13, 0.72, 0.15])
    )
    return measured(lambda: stratified_bootstrap(strata_of(differences, labels)))


def compare(folder: str) -> tuple[float, float, float]:
    """Runs in a process of its own: every model with every other, from the samples to Markdown."""
    from s2eval.api.comparison import sides
    from s2eval.report.compare import compare as compared
    from s2eval.report.read import item_scores
    from s2eval.report.render.comparison import render_comparison

    def work() -> None:
        scores = item_scores.read([Path(folder)])
        text = render_comparison(compared(scores.scored, sides(scores, None, ())))
        if "difference shown" not in text:
            raise SystemExit("the comparison shows nothing")

    return measured(work)


def write_samples(folder: Path, models: int, questions: int) -> float:
    """lm-eval's folders of models on s2_mmlu, with the contexts in every line as it logs them; bytes a line."""
    rng = np.random.default_rng(2)
    subjects = [SUBJECTS[number % len(SUBJECTS)] for number in range(questions)]
    difficulty = rng.normal(size=questions)
    written = 0
    for model in range(models):
        name = f"model-{model}"
        (folder / name).mkdir()
        right = difficulty + rng.normal(size=questions) < 0.1 * model - 0.5
        results = {
            "results": {"s2_mmlu": {"acc,none": float(right.mean())}},
            "configs": {"s2_mmlu": {}},
            "versions": {"s2_mmlu": 1.0},
            "n-samples": {"s2_mmlu": {"effective": questions}},
            "model_name_sanitized": name,
        }
        (folder / name / "results_2026-01-01T00-00-00.000000.json").write_text(json.dumps(results))
        with (folder / name / "samples_s2_mmlu_2026-01-01T00-00-00.000000.jsonl").open("w") as file:
            for number, (subject, one) in enumerate(zip(subjects, right.tolist(), strict=True)):
                written += file.write(_line(number, subject, float(one)) + "\n")
    return written / models / questions


def _line(number: int, subject: str, acc: float) -> str:
    context = f"{SHOT * 25}Question {number}\nAnswer:"
    return json.dumps(
        {
            "doc_id": number,
            "doc": {"id": f"{subject}/{number}", "subject": subject, "query": "Q", "shots": [SHOT] * 5},
            "target": "0",
            "arguments": {
                f"gen_args_{n}": {"arg_0": context, "arg_1": f" {letter}"} for n, letter in enumerate("ABCD")
            },
            "resps": [[["-1.0", "False"]]] * 4,
            "filtered_resps": [["-1.0", "False"]] * 4,
            "filter": "none",
            "metrics": ["acc", "leaderboard_pct"],
            "doc_hash": f"{number:064x}",
            "prompt_hash": f"{number + 1:064x}",
            "target_hash": f"{number + 2:064x}",
            "acc": [subject, acc],
            "leaderboard_pct": [subject, 100 * acc],
        }
    )


def main() -> None:
    """Measure, print the table, write it."""
    parser = arguments(__doc__)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--models", type=int, default=MODELS)
    options = parser.parse_args()
    n, models = options.questions, options.models
    rows: list[Row] = []
    for between, kind in ((False, "right or wrong"), (True, "scores in between")):
        taken = [_alone(resample, n, between) for _ in range(TIMES)]
        name = f"10,000 stratified resamples of {n:,} pairs, {kind}"
        note = f"{len(SUBJECTS)} subjects, median of {TIMES}, one core"
        rows.append(Row(name, median(cpu for cpu, _, _ in taken), goal="≤ 2", unit="CPU s", note=note))
        rows.append(Row(f"{name}: memory", max(peak for *_, peak in taken), goal="≤ 300", unit="MiB"))
    with tempfile.TemporaryDirectory() as folder:
        size = write_samples(Path(folder), models, n)
        taken = [_alone(compare, folder) for _ in range(TIMES)]
    name = f"s2eval compare, {models} models, all {models * (models - 1) // 2} pairs, {n:,} questions"
    note = f"from lm-eval's sample logs, {size / 1000:.1f} kB a line, to Markdown; median of {TIMES}, by the clock"
    rows.append(Row(name, median(wall for _, wall, _ in taken), goal="≤ 30", unit="s", note=note))
    rows.append(Row(f"{name}: CPU time", median(cpu for cpu, _, _ in taken), unit="CPU s"))
    rows.append(Row(f"{name}: memory", max(peak for *_, peak in taken), unit="MiB"))
    write("Comparison", rows, {"times": TIMES}, options.out)


def _alone(work: Callable[..., tuple[float, float, float]], *given: Any) -> tuple[float, float, float]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


if __name__ == "__main__":
    main()
