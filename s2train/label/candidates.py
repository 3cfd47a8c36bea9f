"""Sampled answers with their scores, which of them can be compared, and which pairs become preferences. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from s2train.data.records import is_blank

EMPTY, UNENDED, IDENTICAL, ALONE = "empty", "unended", "identical", "alone"
Which = Literal["best-worst", "all"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer.

    Attributes:
        number: which of the prompt's answers, from 0.
        ended: whether it ended by itself.
        grade: Flesch and Kincaid's (school years); None of an answer that is mostly not in Latin letters.
        scores: of each ranking, in their order.
    """

    prompt: str
    number: int
    text: str
    ended: bool
    words: int
    grade: float | None
    scores: tuple[float, ...]


Pair = tuple[Candidate, Candidate]


@dataclass(frozen=True, slots=True)
class Groups:
    """Answers that can be compared, by prompt: two or more each, no text twice.

    Attributes:
        of: one tuple a prompt, in the order of the answers' numbers.
        left_out: why answers were left out → how many: `empty`, `unended`, `identical` to an earlier one of the same
            prompt; and `alone`, prompts of which fewer than two were left.
    """

    of: tuple[tuple[Candidate, ...], ...]
    left_out: Counter[str]

    def pairs(self) -> Iterator[Pair]:
        """All pairs of answers to one prompt, the one with the smaller number first."""
        for group in self.of:
            yield from combinations(group, 2)


def group(answers: Iterable[Candidate], *, ended_only: bool = False) -> Groups:
    """Answers by prompt, prompts in the order in which they come; `ended_only`: those that ended by themselves."""
    left_out: Counter[str] = Counter()
    by_prompt: dict[str, dict[str, Candidate]] = {}
    for candidate in sorted(answers, key=lambda candidate: candidate.number):  # stable: prompts keep their order
        by_text = by_prompt.setdefault(candidate.prompt, {})
        if is_blank(candidate.text):
            left_out[EMPTY] += 1
        elif ended_only and not candidate.ended:
            left_out[UNENDED] += 1
        elif candidate.text in by_text:
            left_out[IDENTICAL] += 1
        else:
            by_text[candidate.text] = candidate
    groups = tuple(tuple(by_text.values()) for by_text in by_prompt.values() if len(by_text) > 1)
    left_out[ALONE] = len(by_prompt) - len(groups)
    return Groups(groups, left_out)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Two answers to one prompt; the margin of their scores is above 0."""

    chosen: Candidate
    rejected: Candidate
    margin: float


@dataclass(frozen=True, slots=True)
class Selection:
    """What became of the pairs.

    Attributes:
        pairs: in the order of the prompts.
        ties: with one and the same score.
        narrow: whose margin was too small.
    """

    pairs: tuple[Labelled, ...]
    ties: int
    narrow: int


def select(groups: Groups, ranking: int = 0, *, which: Which = "best-worst", min_margin: float = 0.0) -> Selection:
    """Order answers by a ranking's scores: of each prompt the best and the worst (of equal ones the first), or all.

    `ranking` is its place in the candidates' `scores`; pairs of a smaller margin than `min_margin` are left out.
    """
    labelled: list[Labelled] = []
    ties = narrow = 0

    def score(candidate: Candidate) -> float:
        return candidate.scores[ranking]

    for group in groups.of:
        pairs = combinations(group, 2) if which == "all" else [(max(group, key=score), min(group, key=score))]
        for first, second in pairs:
            margin = abs(score(first) - score(second))
            if margin == 0:
                ties += 1
            elif margin < min_margin:
                narrow += 1
            else:
                better, worse = (first, second) if score(first) > score(second) else (second, first)
                labelled.append(Labelled(better, worse, margin))
    return Selection(tuple(labelled), ties, narrow)
