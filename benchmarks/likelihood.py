"""Log-likelihoods: `s2` against lm-eval's own `hf`, on the leaderboard's tasks with real data.

Both get the very requests that lm-eval builds from our tasks, the same weights in fp32, and a process each, in which
they have answered something before. They are asked in turn; what counts is the CPU time of `loglikelihood` with all
that belongs to it: tokenisation, trie, self-check. hf's batch size is the best of four on a few documents.

    python -m benchmarks.likelihood arc
    python -m benchmarks.likelihood truthfulqa --documents 2 --pairs 1 --tune 2 --alone 1 --out /tmp/bench.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks import record, requests, roof
from benchmarks.backends import Backend, Measured, set_threads
from benchmarks.compare import BATCHES, Agreement, agreement, likelihood_rows
from benchmarks.roof import Necessary

HF_MAY_TAKE = 0.7  # of the free memory
HF_COPIES = 3  # of a batch's logits that hf holds at once: raw, normalised, and the batch before's


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured on one family of tasks.

    Attributes:
        title: of the table.
        tasks: each is a call of its own.
        documents: of each task; None = all.
        pairs: calls of both backends on each task.
        tune: documents of the first task on which hf's batch size is chosen.
        alone_tasks, alone: tasks, and documents of each (None = all), on which hf runs at batch size 1 too, once.
        goal: CPU time of hf's best over ours, at least.
    """

    title: str
    tasks: tuple[str, ...]
    documents: int | None
    pairs: int
    tune: int
    alone_tasks: tuple[str, ...]
    alone: int | None
    goal: float


_SUBJECTS = ("s2_mmlu_anatomy", "s2_mmlu_high_school_biology", "s2_mmlu_world_religions")
PLANS = {
    "arc": Plan("ARC, 25-shot", ("s2_arc_challenge",), 20, 3, 8, ("s2_arc_challenge",), 10, 4.2),
    "hellaswag": Plan("HellaSwag, 10-shot", ("s2_hellaswag",), 32, 3, 8, ("s2_hellaswag",), 8, 4.2),
    # hf computes the four letters of a document at once, so that 32 documents are one batch of 32
    "mmlu": Plan("MMLU, 5-shot", _SUBJECTS, None, 1, 32, (_SUBJECTS[0], _SUBJECTS[2]), None, 6),
    "truthfulqa": Plan("TruthfulQA, mc2", ("s2_truthfulqa_mc2",), 100, 3, 8, ("s2_truthfulqa_mc2",), 20, 17),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Both backends on the same requests, one right after the other.

    Attributes:
        task: its name.
        ours, hf: what was measured.
        agreement: of the two results.
        necessary: the least that had to be computed.
        rate: FLOPs a CPU second of bare matrix products, in our process, right after our call.
    """

    task: str
    ours: Measured
    hf: Measured
    agreement: Agreement
    necessary: Necessary
    rate: float


def measure(plan: Plan, model: str, say: Any) -> tuple[list[record.Row], dict[str, Any]]:
    """All rows of a plan's table, and the facts beside it."""
    asked = {task: requests.leaderboard(task, plan.documents) for task in plan.tasks}
    few = requests.first(asked[plan.tasks[0]], plan.tune)
    with Backend("s2", model, bos=False) as ours, Backend("hf", model, bos=False) as hf:
        for backend in (ours, hf):
            backend.loglikelihood(requests.first(few, 1))
        tuned = tune(hf, few, max((one for some in asked.values() for one in some), key=_characters), say)
        best = min(tuned, key=lambda batch: tuned[batch].cpu)
        pairs: list[Pair] = []
        for turn in range(plan.pairs):
            for task in plan.tasks:
                pairs.append(pair(ours, hf, task, asked[task], best, hf_first=turn % 2 == 1))
                _tell(say, f"pair {len(pairs)}, {task}, batch {best}", pairs[-1])
        alone: list[Pair] = []
        for task in plan.alone_tasks:
            alone.append(pair(ours, hf, task, requests.first(asked[task], plan.alone), 1, hf_first=False))
            _tell(say, f"{task}, batch 1", alone[-1])
    rows = likelihood_rows(plan, tuned, best, pairs, alone)
    return rows, {"pairs": len(pairs), "hf_batch_size": best, "model": "SmolLM2-135M-Instruct, fp32"}


def _characters(instance: Any) -> int:
    return sum(map(len, instance.args))


def tune(hf: Backend, few: Sequence[Any], longest: Any, say: Any) -> dict[int, Measured]:
    """Batch size → what hf takes on a few documents; left out where a batch like the longest request might not fit."""
    tuned: dict[int, Measured] = {}
    for batch in BATCHES:
        if hf.call(logits_share, longest, batch) > HF_MAY_TAKE:
            say(f"hf, batch {batch}: left out, its logits might not fit")
            continue
        tuned[batch] = hf.loglikelihood(few, batch)
        say(f"hf, batch {batch}: {tuned[batch].cpu:.1f} CPU s, {tuned[batch].peak:.0f} MiB")
    return tuned


def logits_share(lm: Any, instance: Any, batch: int) -> float:
    """What hf's logits of a batch of such requests take of the free memory; runs in hf's process."""
    import psutil

    tokens = batch * sum(map(len, lm._encode_pair(*instance.args)))
    return HF_COPIES * tokens * lm.vocab_size * 4 / psutil.virtual_memory().available


def pair(ours: Backend, hf: Backend, task: str, instances: Sequence[Any], batch: int, *, hf_first: bool) -> Pair:
    """Ask both, in that order or the other."""
    by_hf = hf.loglikelihood(instances, batch) if hf_first else None
    by_ours = ours.loglikelihood(instances)
    rate = ours.call(roof.gemm_rate)
    by_hf = by_hf or hf.loglikelihood(instances, batch)
    necessary = ours.call(roof.necessary, instances)
    return Pair(task, by_ours, by_hf, agreement(instances, by_ours.results, by_hf.results), necessary, rate)


def _tell(say: Any, what: str, one: Pair) -> None:
    say(f"{what}: s2 {one.ours.cpu:.1f}, hf {one.hf.cpu:.1f} CPU s: {one.hf.cpu / one.ours.cpu:.2f}×")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = record.arguments(__doc__)
    parser.add_argument("task", choices=PLANS)
    parser.add_argument("--documents", type=int, help="of each task")
    parser.add_argument("--pairs", type=int, help="calls of both backends on each task")
    parser.add_argument("--tune", type=int, help="documents on which hf's batch size is chosen")
    parser.add_argument("--alone", type=int, help="documents on which hf runs at batch size 1 too")
    parser.add_argument("--threads", type=int, help="of each backend; default: one a core")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure, print the table, write it."""
    options = parse()
    chosen = {name: getattr(options, name) for name in ("documents", "pairs", "tune", "alone")}
    plan = replace(PLANS[options.task], **{name: value for name, value in chosen.items() if value is not None})
    threads = set_threads(options.threads)
    rows, facts = measure(plan, requests.embedded_model(), lambda text: sys.stderr.write(f"{text}\n"))
    record.write(plan.title, rows, {**facts, "threads": threads}, options.out)


if __name__ == "__main__":
    main()
