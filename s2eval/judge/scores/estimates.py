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
    return _parts(judgments, SCORE, _category, lambda part: _mean(part, _rating, SCORE))


def components(judgments: Sequence[Judgment]) -> Components | None:
    """The spread of ratings split into answers and judge; None without `--judge-repeats`."""
    values = [one.score for one in judgments]
    return variance_components(values, [(one.question_id, one.choice, one.turn) for one in judgments])


@dataclass(frozen=True, slots=True)
class PairwiseResult:
    """Two answers to the same turn, compared in both orders.

    Attributes:
        first, second: the judgment with the model's answer as A, and as B.
    """

    first: Judgment
    second: Judgment

    @property
    def points(self) -> float | None:
        """1 = won, 0 = lost, ½ = a tie, or the two orders disagree; None where one of them has no verdict."""
        return both_orders(self.first.points, self.second.points, 0.5)

    @property
    def consistent(self) -> bool | None:
        """Whether both orders say the same; None where one of them has no verdict."""
        return None if self.points is None else self.first.points == self.second.points


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model against another.

    Attributes:
        win_rate: (wins + ties/2) / n, by turn and category, questions as clusters.
        wins, ties, losses: contests of both turns.
        consistency: share of contests in which both orders say the same.
        first_place: share of the choices between A and B that fell on A, which without a preference for the place is
            one half where every pair is shown in both orders.
    """

    win_rate: dict[Key, Estimate]
    wins: int
    ties: int
    losses: int
    consistency: Estimate
    first_place: Estimate


def compare(judgments: Sequence[Judgment]) -> Comparison:
    """Win rates of the judgments of one comparison."""
    contests = list(_contests(judgments))
    points = [one.points for one in contests]
    agreed = [one.consistent for one in contests if one.consistent is not None]
    chosen = [one.winner for one in judgments if one.winner in ("A", "B")]
    return Comparison(
        _parts(contests, WIN_RATE, lambda one: _category(one.first), lambda part: _mean(part, _points, WIN_RATE)),
        wins=points.count(1.0),
        ties=points.count(0.5),
        losses=points.count(0.0),
        consistency=proportion(sum(agreed), len(agreed)),
        first_place=proportion(chosen.count("A"), len(chosen)),
    )


def readability(answers: Iterable[Answer]) -> dict[str, Estimate]:
    """Of the answers to the first turn: what `s2eval.scoring` measures, and the whole text as the paper rounded it."""
    texts = [answer.turns[0] for answer in answers]
    if not texts:
        return {}
    found = score_texts("readability", texts, [""] * len(texts))
    measured = [text for text in texts if flesch_applies(text)]
    whole = rounded(total(count(text, syllables="pyphen") for text in measured))
    for metric, value in ((FRE_WHOLE, whole.fre), (FKG_WHOLE, whole.fkg)):
        known = value if measured else None
        found[metric] = Estimate(known, None, None, None, n=len(texts), n_valid=len(measured), method="none")
    return found


def _parts(
    items: Sequence[T], metric: str, place: Callable[[T], tuple[str, str]], estimate: Callable[[Sequence[T]], Estimate]
) -> dict[Key, Estimate]:
    """The estimate of each turn and both, in each category and all."""
    places = [place(item) for item in items]
    found: dict[Key, Estimate] = {}
    for turn in ("1", "2", ""):
        for category in ("", *dict.fromkeys(category for _, category in places)):
            part = [
                item
                for item, (of_turn, of_category) in zip(items, places, strict=True)
                if turn in ("", of_turn) and category in ("", of_category)
            ]
            if part:
                found[turn, category, metric] = estimate(part)
    return found


def _category(judgment: Judgment) -> tuple[str, str]:
    return str(judgment.turn), judgment.category


def _rating(judgment: Judgment) -> tuple[float | None, object]:
    return judgment.score, judgment.question_id


def _points(contest: PairwiseResult) -> tuple[float | None, object]:
    return contest.points, contest.first.question_id


def _mean(items: Sequence[T], read: Callable[[T], tuple[float | None, object]], metric: str) -> Estimate:
    pairs = [read(item) for item in items]
    return clustered_mean([value for value, _ in pairs], [cluster for _, cluster in pairs], within=scale_of(metric))


def _contests(judgments: Sequence[Judgment]) -> Iterable[PairwiseResult]:
    """The judgments of each (question, turn, repeat) in both orders."""
    found: dict[object, dict[str, Judgment]] = {}
    for one in judgments:
        found.setdefault((one.question_id, one.turn, one.repeat), {})[one.place] = one
    return (PairwiseResult(pair["A"], pair["B"]) for pair in found.values())
