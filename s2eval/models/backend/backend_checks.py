"""When a log-likelihood is doubted: what is compared with hf's path, and what is scored again by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from s2eval.errors import DisagreementError

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

# By the name of the model's dtype. How far two right computations of one log-likelihood may lie apart: rounding
# differs with the shape of a batch. In fp32 the largest seen was 1e-4; in half precision see docs/backend.md.
TOLERANCE = {"float32": 2e-3, "float64": 2e-3, "float16": 0.25, "bfloat16": 2.0}
# Two choices closer than this may change places by rounding; scored again by hf's path.
MARGIN = {"float16": 0.05, "bfloat16": 0.4}


def first_of_each(requests: Sequence[Instance]) -> list[int]:
    """The first and the last request of the first document of every task, two branches of one context. Requests of a
    document are beside one another."""
    first: dict[str | None, list[int]] = {}
    for task, numbers in _documents(requests):
        first.setdefault(task, numbers)
    return [number for numbers in first.values() for number in dict.fromkeys((numbers[0], numbers[-1]))]


def near_ties(requests: Sequence[Instance], results: Sequence[tuple[float, bool]], margin: float) -> list[int]:
    """All requests of the documents whose two best choices lie within `margin`, by sum or by sum per character."""
    chosen: list[int] = []
    for _, numbers in _documents(requests):
        sums = [results[number][0] for number in numbers]
        lengths = [max(len(requests[number].arguments[1]), 1) for number in numbers]
        if len(numbers) > 1 and (_close(sums, [1] * len(sums), margin) or _close(sums, lengths, margin)):
            chosen += numbers
    return chosen


def _documents(requests: Sequence[Instance]) -> Iterator[tuple[str | None, list[int]]]:
    """The task and the numbers of the requests of each document."""
    for (task, _), numbers in groupby(range(len(requests)), lambda n: (requests[n].task_name, requests[n].doc_id)):
        yield task, list(numbers)


def _close(sums: Sequence[float], lengths: Sequence[int], margin: float) -> bool:
    """Whether the two best of sum / length could change places if each sum moved by half the margin."""
    ranked = sorted(((s / n, n) for s, n in zip(sums, lengths, strict=True)), reverse=True)
    (best, best_length), *others = ranked
    return any(best - other < margin / 2 * (1 / best_length + 1 / length) for other, length in others)


def compare(what: str, ours: float, by_hf: float, dtype: str) -> float:
    """The difference of two log-likelihoods of one request. Raises DisagreementError beyond the dtype's tolerance."""
    difference = abs(ours - by_hf)
    tolerance = TOLERANCE.get(dtype, TOLERANCE["float32"])
    if not difference <= tolerance:
        raise DisagreementError(
            f"{what}: the log-likelihood is {ours:.6f} by the token trie and {by_hf:.6f} by hf's path; they may "
            f"differ by {tolerance} in {dtype}. Nothing was stored of this task. Evaluate with --model hf (or "
            "trie=False among the model's arguments), and please report the model's architecture"
        )
    return difference
