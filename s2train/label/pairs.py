"""Which pairs of answers become preferences, by one ranking. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from s2train.label.candidates import Candidate, Groups

Which = Literal["best-worst", "all"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Two answers to one prompt.

    Attributes:
        chosen, rejected: the better and the worse one.
        margin: of their scores, above 0.
    """

    chosen: Candidate
    rejected: Candidate
    margin: float


@dataclass(frozen=True, slots=True)
class Selection:
    """What became of the pairs that were looked at.

    Attributes:
        pairs: kept, in the order of the prompts.
        ties: with one and the same score.
        narrow: whose margin was too small.
    """

    pairs: tuple[Labelled, ...]
    ties: int
    narrow: int


def select(groups: Groups, ranking: int = 0, *, which: Which = "best-worst", min_margin: float = 0.0) -> Selection:
    """Order answers by a ranking's scores.

    Args:
        ranking: its place in the candidates' `scores`.
        which: of each prompt the best answer with the worst one (of equal ones the first), or all pairs.
        min_margin: pairs whose scores are less apart are left out.
    """
    kept: list[Labelled] = []
    ties = narrow = 0
    for group in groups.of:

        def score(candidate: Candidate) -> float:
            return candidate.scores[ranking]

        for first, second in (
            combinations(group, 2) if which == "all" else [(max(group, key=score), min(group, key=score))]
        ):
            margin = abs(score(first) - score(second))
            if margin == 0:
                ties += 1
            elif margin < min_margin:
                narrow += 1
            else:
                better, worse = (first, second) if score(first) > score(second) else (second, first)
                kept.append(Labelled(better, worse, margin))
    return Selection(tuple(kept), ties, narrow)
