"""Judgments → scores with intervals: by turn and category, win rates, and how far the judge agrees with itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from s2eval.judge.judgments import Judgment, both_orders
from s2eval.judge.suite.questions import Answer
from s2eval.metrics.counts import count
from s2eval.metrics.judgments import FKG_WHOLE, FRE_WHOLE, SCORE, WIN_RATE
from s2eval.metrics.readability import rounded, total
from s2eval.metrics.scripts import flesch_applies
from s2eval.metrics.table import scale_of
from s2eval.records import Estimate
from s2eval.scoring import score_texts
from s2eval.stats import Components, clustered_mean, proportion, variance_components

Key = tuple[str, str, str]
"""(turn: "1", "2", or "" for both; category, or "" for all; metric)."""

T = TypeVar("T")


def scores(judgments: Sequence[Judgment]) -> dict[Key, Estimate]:
    """Mean rating of each turn and of both, over all questions and in each category.

    Turns, choices and repeats of a question are one cluster. A judgment without a rating counts in `n` only.
    """
    return _means(judgments, SCORE, lambda judgment: judgment, lambda judgment: judgment.score)


def components(judgments: Sequence[Judgment]) -> Components | None:
    """The spread of ratings split into answers and judge; None without `--judge-repeats`."""
    answers = [(judgment.question_id, judgment.choice, judgment.turn) for judgment in judgments]
    return variance_components([judgment.score for judgment in judgments], answers)


@dataclass(frozen=True, slots=True)
class PairwiseResult:
    """Two answers to the same turn, compared in both orders: with the model's answer as A, and as B."""

    first: Judgment
    second: Judgment

    @property
    def points(self) -> float | None:
        """1 = won, 0 = lost, ½ = a tie, or the two orders disagree; None where one of them has no verdict."""
        return both_orders(self.first.points, self.second.points, 0.5)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model against another.

    Attributes:
        win_rate: (wins + ties/2) / n, by turn and category, questions as clusters.
        wins, ties, losses: pairs of answers, of both turns.
        consistency: share of the pairs with the same verdict in both orders.
        first_place: share of the choices between A and B that fell on A: one half without a preference for the place.
    """

    win_rate: dict[Key, Estimate]
    wins: int
    ties: int
    losses: int
    consistency: Estimate
    first_place: Estimate


def compare(judgments: Sequence[Judgment]) -> Comparison:
    """Win rates of the judgments of one comparison."""
    pairs: dict[object, dict[str, Judgment]] = {}
    for judgment in judgments:
        pairs.setdefault((judgment.question_id, judgment.turn, judgment.repeat), {})[judgment.place] = judgment
    results = [PairwiseResult(pair["A"], pair["B"]) for pair in pairs.values()]
    points = [result.points for result in results]
    same = [result.first.points == result.second.points for result in results if result.points is not None]
    chosen = [judgment.winner for judgment in judgments if judgment.winner in ("A", "B")]
    return Comparison(
        _means(results, WIN_RATE, lambda result: result.first, lambda result: result.points),
        wins=points.count(1.0),
        ties=points.count(0.5),
        losses=points.count(0.0),
        consistency=proportion(sum(same), len(same)),
        first_place=proportion(chosen.count("A"), len(chosen)),
    )


def readability(answers: Iterable[Answer]) -> dict[str, Estimate]:
    """Of the answers to the first turn: the metrics of `s2eval.scoring`, and of all text as the paper rounded it."""
    texts = [answer.turns[0] for answer in answers]
    if not texts:
        return {}
    estimates = score_texts("readability", texts, [""] * len(texts))
    measured = [text for text in texts if flesch_applies(text)]
    all_text = rounded(total(count(text, syllables="pyphen") for text in measured))
    for metric, value in ((FRE_WHOLE, all_text.fre), (FKG_WHOLE, all_text.fkg)):
        known = value if measured else None
        estimates[metric] = Estimate(known, None, None, None, n=len(texts), n_valid=len(measured), method="none")
    return estimates


def _means(
    items: Sequence[T], metric: str, judgment_of: Callable[[T], Judgment], value_of: Callable[[T], float | None]
) -> dict[Key, Estimate]:
    """The mean of each turn and both, in each category and all; questions are clusters."""
    judgments = [judgment_of(item) for item in items]
    estimates: dict[Key, Estimate] = {}
    for turn in ("1", "2", ""):
        for category in ("", *dict.fromkeys(judgment.category for judgment in judgments)):
            part = [
                (value_of(item), judgment.question_id)
                for item, judgment in zip(items, judgments, strict=True)
                if turn in ("", str(judgment.turn)) and category in ("", judgment.category)
            ]
            if part:
                values, clusters = zip(*part, strict=True)
                estimates[turn, category, metric] = clustered_mean(values, clusters, within=scale_of(metric))
    return estimates
