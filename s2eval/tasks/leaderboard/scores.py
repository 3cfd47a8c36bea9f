"""The leaderboard's scores: accuracy, mc2, which of them the leaderboard counted, and the average of the four."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from s2eval import stats
from s2eval.records import Estimate


def accuracy(loglikelihoods: Sequence[float], choices: Sequence[str], gold: int) -> tuple[float, float]:
    """(acc, acc_norm) of a document, each 0.0 or 1.0.

    acc: the most likely choice is the correct one. acc_norm: the same with each log-likelihood divided by the number
    of characters of its choice (without the space before it). The first of equals counts, as with numpy's argmax.
    """
    normed = [value / len(choice) for value, choice in zip(loglikelihoods, choices, strict=True)]
    return float(_argmax(loglikelihoods) == gold), float(_argmax(normed) == gold)


def _argmax(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda index: values[index])


def mc2(loglikelihoods: Sequence[float], labels: Sequence[int]) -> float:
    """TruthfulQA mc2, in 0..1: the share of probability that lies on the true choices (Lin et al. 2022).

    >>> round(mc2([math.log(0.2), math.log(0.1), math.log(0.1)], [1, 0, 0]), 6)  # 0.2 / 0.4
    0.5
    """
    top = max(loglikelihoods)
    masses = [math.exp(value - top) for value in loglikelihoods]  # the ratio is unchanged, nothing underflows to 0/0
    return sum(mass for mass, label in zip(masses, labels, strict=True) if label) / sum(masses)


# The metric of each data set that the leaderboard counted.
POINTS = "leaderboard_pct"
COUNTED = {"arc_challenge": "acc_norm", "hellaswag": "acc_norm", "mmlu": "acc", "truthfulqa_mc2": "mc2"}


def score(dataset: str, row: Mapping[str, object], loglikelihoods: Sequence[float]) -> dict[str, float]:
    """All metrics of one document; `leaderboard_pct` is the one that the leaderboard counted, in percent."""
    return _SCORERS[dataset](row, loglikelihoods)


def _score_choices(counted: str) -> Callable[[Mapping[str, object], Sequence[float]], dict[str, float]]:
    def scorer(row: Mapping[str, object], loglikelihoods: Sequence[float]) -> dict[str, float]:
        acc, acc_norm = accuracy(loglikelihoods, row["choices"], row["gold"])  # type: ignore[arg-type]
        values = {"acc": acc} if counted == "acc" else {"acc": acc, "acc_norm": acc_norm}
        return values | {POINTS: 100 * values[counted]}

    return scorer


def _score_mc2(row: Mapping[str, object], loglikelihoods: Sequence[float]) -> dict[str, float]:
    value = mc2(loglikelihoods, row["labels"])  # type: ignore[arg-type]
    return {"mc2": value, POINTS: 100 * value}


_SCORERS = {
    dataset: _score_mc2 if counted == "mc2" else _score_choices(counted) for dataset, counted in COUNTED.items()
}


def leaderboard_average(points: Mapping[str, Estimate]) -> Estimate | None:
    """The average of the four in percent; None where one of them is missing.

    Args:
        points: short task name (`arc_challenge` …) → its `leaderboard_pct`.
    """
    if any(name not in points for name in COUNTED):
        return None
    return stats.average([points[name] for name in COUNTED])
