"""ROUGE: how many words, word pairs and common subsequences an answer shares with a reference.

Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", ACL workshop 2004, equal to the library rouge-score 0.1.2
without stemming to the last bit. Its tokenizer lowercases and keeps runs of `a-z0-9` only: check texts in other scripts
by `rouge_applies` (`s2eval.metrics.scripts`).

The library fills a table of |reference| × |answer| cells for every pair of lines. Here a column of that table is one
integer, one bit a cell (Hyyrö, "Bit-Parallel LCS-length Computation Revisited", AWOCA 2004): a cell exceeds the one
above it by 0 or 1, and the integer holds a 1 where by 0. The path through the table is read off the same integers.
"""

from __future__ import annotations

import multiprocessing
import os
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from s2eval.errors import S2Error
from s2eval.metrics.metric import Metric, MetricFamily
from s2eval.metrics.scales import GRADED
from s2eval.metrics.scripts import rouge_applies

# A process more costs 0.25 s to start, and in a second goes through 9 million characters of one line each, or 2.5
# of many short lines: from 8 million on (some 4,000 pairs of 200 words), two were faster than one in both.
SHARE = 4_000_000
PARTS = 8  # a process, so that one with easier pairs does more of them

_WORD = re.compile("[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Rouge:
    """F-measures, each 0..1.

    Attributes:
        rouge1: of single words.
        rouge2: of pairs of neighbouring words; 0 of fewer than two words.
        rougeL: of the longest common subsequence of the two texts.
        rougeLsum: of the union of longest common subsequences, line by line, split at `\\n` only.
    """

    rouge1: float
    rouge2: float
    rougeL: float  # noqa: N815  (the names under which the field knows them)
    rougeLsum: float  # noqa: N815


def rouge(prediction: str, reference: str) -> Rouge:
    """The four F-measures of one answer against one reference; 0 where either has no words."""
    answer, target = _lines(prediction), _lines(reference)
    if not answer or not target:
        return Rouge(0.0, 0.0, 0.0, 0.0)
    answer_words, target_words = list(chain.from_iterable(answer)), list(chain.from_iterable(target))
    sizes = len(answer_words), len(target_words)
    longest = _common_length(target_words, answer_words)
    if len(answer) == len(target) == 1:  # the union is one subsequence, and none of its words is counted twice
        union = longest
    else:
        union = _union_hits(target, answer, Counter(answer_words) & Counter(target_words))
    return Rouge(
        _f_measure(_overlap(target_words, answer_words), *sizes),
        _f_measure(_overlap(pairwise(target_words), pairwise(answer_words)), *(max(size - 1, 1) for size in sizes)),
        _f_measure(longest, *sizes),
        _f_measure(union, *sizes),
    )


def rouge_all(pairs: Sequence[tuple[str, str]], processes: int | None = None) -> list[Rouge]:
    """`rouge` of many (prediction, reference), in order; a large set is distributed over processes.

    A script that scores a large set needs `if __name__ == "__main__":`, since each process imports it.

    Args:
        processes: by default one for every SHARE characters, at most as many as there are processors.

    Raises:
        S2Error: a process ended before its work.
    """
    count = _processes(pairs) if processes is None else processes
    if count < 2 or len(pairs) < 2:
        return [rouge(prediction, reference) for prediction, reference in pairs]
    from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor

    predictions, references = zip(*pairs, strict=True)
    # spawn, not fork: this process may have threads (torch, tokenizers), which a fork does not survive
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        try:
            return list(pool.map(rouge, predictions, references, chunksize=1 + len(pairs) // (PARTS * count)))
        except BrokenProcessPool as error:
            raise S2Error(
                'ROUGE: a process of its own ended before its work. A script needs `if __name__ == "__main__":` '
                "around what it does; rouge_all(…, processes=1) starts no processes"
            ) from error


def score(texts: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:
    """The four of each text; none if a text or its reference is mostly not in Latin letters."""
    pairs = list(zip(texts, references, strict=True))
    applicable = [number for number, pair in enumerate(pairs) if rouge_applies(*pair)]
    values: list[dict[str, float]] = [{} for _ in pairs]
    for number, measured in zip(applicable, rouge_all([pairs[number] for number in applicable]), strict=True):
        values[number] = {
            "s2_rouge1": measured.rouge1,
            "s2_rouge2": measured.rouge2,
            "s2_rougeL": measured.rougeL,
            "s2_rougeLsum": measured.rougeLsum,
        }
    return values


ROUGE = MetricFamily(
    "rouge",
    (
        Metric("s2_rouge1", "ROUGE-1", scale=GRADED),
        Metric("s2_rouge2", "ROUGE-2", scale=GRADED),
        Metric("s2_rougeL", "ROUGE-L", scale=GRADED),
        Metric("s2_rougeLsum", "ROUGE-Lsum", scale=GRADED),
    ),
    "ROUGE, F-measure",
    score,
    latin_only=True,
)


def _processes(pairs: Sequence[tuple[str, str]]) -> int:
    if multiprocessing.current_process().daemon:  # which may not have processes of its own
        return 1
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors, sum(len(prediction) + len(reference) for prediction, reference in pairs) // SHARE)


def _lines(text: str) -> list[list[str]]:
    """The words of each line that has any. A line break always ends a word, so joined they are the text's."""
    return [words for line in text.lower().split("\n") if (words := _WORD.findall(line))]


def _f_measure(hits: int, predicted: int, expected: int) -> float:
    precision, recall = hits / predicted, hits / expected
    return 2 * precision * recall / (precision + recall) if hits else 0.0


def _overlap(first: Iterable[Hashable], second: Iterable[Hashable]) -> int:
    """How many items two texts share, each as often as in the text that has fewer of it."""
    left, right = Counter(first), Counter(second)
    return sum([min(left[item], right[item]) for item in left.keys() & right.keys()])


def _positions(words: Sequence[str]) -> dict[str, int]:
    """Word → the set of its places in a text, bit i for words[i]."""
    places: dict[str, int] = {}
    bit = 1
    for word in words:
        places[word] = places.get(word, 0) | bit
        bit <<= 1
    return places


def _common_length(target: Sequence[str], answer: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    places, full = _positions(target), (1 << len(target)) - 1
    level = full
    for match in map(places.get, answer):
        if match:
            rising = level & match
            level = ((level + rising) | (level - rising)) & full
    return len(target) - level.bit_count()


def _union_hits(target: Sequence[Sequence[str]], answer: Sequence[Sequence[str]], left: Counter[str]) -> int:
    """Words of the reference's lines in the union of longest common subsequences: section 3.2, as in ROUGE-1.5.5.

    A word counts at most as often as `left` has it, which is used up.
    """
    hits = 0
    for line in target:
        places, union = _positions(line), 0
        for other in answer:
            if not places.keys().isdisjoint(other):
                union |= _common_places(places, len(line), other)
        while union:
            lowest = union & -union
            word = line[lowest.bit_length() - 1]
            if left[word] > 0:
                hits += 1
                left[word] -= 1
            union ^= lowest
    return hits


def _common_places(places: dict[str, int], size: int, answer: Sequence[str]) -> int:
    """Which words of a line (bit i for the i-th) are in the longest common subsequence that rouge-score picks.

    It walks back from the corner of the table: diagonally where the words match, else to the answer's previous word
    where only that keeps the length, else to the line's previous word. So at each word of the answer the walk goes up
    the line to the nearest word that matches or at which the length rises.
    """
    full = (1 << size) - 1
    level, steps = full, list[tuple[int, int]]()
    for word in answer:
        match = places.get(word, 0)
        if match:
            rising = level & match
            level = ((level + rising) | (level - rising)) & full
        steps.append((full ^ level | match, match))
    common, above = 0, full
    for stops, match in reversed(steps):
        nearest = (stops & above).bit_length()
        if not nearest:
            break
        bit = 1 << (nearest - 1)
        above = bit - 1
        if match & bit:
            common |= bit
        else:
            above |= bit
    return common
