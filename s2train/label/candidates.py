"""Sampled answers with what every ranking says of them, and which of them can be compared. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from s2train.data.records import is_blank

EMPTY, UNENDED, IDENTICAL, ALONE = "empty", "unended", "identical", "alone"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer.

    Attributes:
        prompt: that it answers.
        number: which of the prompt's answers, from 0.
        text: of it.
        ended: whether it ended by itself.
        words: how many.
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

    def pairs(self) -> Iterator[tuple[Candidate, Candidate]]:
        """All pairs of answers to one prompt, the one with the smaller number first."""
        for group in self.of:
            yield from combinations(group, 2)


def group(answers: Iterable[Candidate], *, ended_only: bool = False) -> Groups:
    """Answers by prompt, prompts in the order in which they come.

    Args:
        ended_only: leave out those that did not end by themselves.
    """
    left_out: Counter[str] = Counter()
    by_prompt: dict[str, dict[str, Candidate]] = {}
    for candidate in sorted(answers, key=lambda candidate: candidate.number):  # stable: prompts keep their order
        kept = by_prompt.setdefault(candidate.prompt, {})
        if is_blank(candidate.text):
            left_out[EMPTY] += 1
        elif ended_only and not candidate.ended:
            left_out[UNENDED] += 1
        elif candidate.text in kept:
            left_out[IDENTICAL] += 1
        else:
            kept[candidate.text] = candidate
    groups = tuple(tuple(kept.values()) for kept in by_prompt.values() if len(kept) > 1)
    left_out[ALONE] = len(by_prompt) - len(groups)
    return Groups(groups, left_out)


def distinct(groups: Groups) -> Sequence[Candidate]:
    """All answers of the groups."""
    return [candidate for group in groups.of for candidate in group]
