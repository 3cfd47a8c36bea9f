"""The leaderboard's scores: which metric it counted, and the average of the four."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from s2eval import stats
from s2eval.metrics.choices import POINTS, accuracy, mc2
from s2eval.records import Estimate
from s2eval.tasks.benchmark import FAMILIES

# The metric of each data set that the leaderboard counted.
COUNTED = {"arc_challenge": "acc_norm", "hellaswag": "acc_norm", "mmlu": "acc", "truthfulqa_mc2": "mc2"}


class ScoredDoc(TypedDict):
    """What scoring reads of a document."""

    choices: Sequence[str]
    gold: int
    labels: Sequence[int]


def score(dataset: str, doc: ScoredDoc, loglikelihoods: Sequence[float]) -> dict[str, float]:
    """All metrics of one document; `leaderboard_pct` is the one that the leaderboard counted, in percent."""
    counted = COUNTED[dataset]
    if counted == "mc2":
        values = {"mc2": mc2(loglikelihoods, doc["labels"])}
    else:
        acc, acc_norm = accuracy(loglikelihoods, doc["choices"], doc["gold"])
        values = {"acc": acc} if counted == "acc" else {"acc": acc, "acc_norm": acc_norm}
    return values | {POINTS: 100 * values[counted]}


def leaderboard_part(task: str) -> tuple[str, str] | None:
    """Family and data set of a task that the average counts: `s2_mmlu` → `("s2", "mmlu")`."""
    family, _, dataset = task.partition("_")
    return (family, dataset) if family in FAMILIES and dataset in COUNTED else None


def leaderboard_average(points: Mapping[str, Estimate]) -> Estimate | None:
    """The average of the four from `arc_challenge`, … → `leaderboard_pct`; None if one of them is missing."""
    if any(name not in points for name in COUNTED):
        return None
    return stats.average([points[name] for name in COUNTED])
