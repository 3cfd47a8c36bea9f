"""The leaderboard's scores: which metric it counted, and the average of the four."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from s2eval import stats
from s2eval.metrics.choices import POINTS, accuracy, mc2
from s2eval.records import Estimate

# The metric of each data set that the leaderboard counted.
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
