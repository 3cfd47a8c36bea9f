"""How fast the filters of `s2train data` are, and what the offline classifier of toxicity sees and misses.

Real answers, each with its question, go through the default filters in one process and in two; the verdicts must be
the same. The clock starts after a part of them, so that the start of the processes (importing scikit-learn, mostly)
does not count; it stands in a row of its own. Wall time; of a filter alone CPU time.

    python -m benchmarks.filters [--answers 12000] [--only speed] [--only safety]
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any

from benchmarks.answers import DEMO, SHARED
from benchmarks.record import Row, arguments, write
from s2eval.files import jsonl
from s2eval.metrics.safety import Profanity, toxicity
from s2train.data.engine import AHEAD, Local
from s2train.data.filters import Verdict, judged, verdicts
from s2train.data.filters.chain import BATCH
from s2train.data.filters.config import Filters, chosen
from s2train.data.records import Pair

ANSWERS, WARM_UP = 40_000, 0.25  # pairs, and the share of them before the clock starts
PROCESSES = 2
SHORT = 20  # words of an insult at most
LONG = (80, 200)  # words of a harmless answer
COLUMNS = "ours: a text by its worst sentence, peer: by all its words together"


def _rows(path: str) -> Iterator[Any]:
    with (SHARED / path).open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def pairs(count: int) -> list[Pair]:
    """ELI5's answers, each with its question; the demonstration's where those are not here. Repeated as need be."""
    if SHARED.is_dir():
        found = [
            (f"{row['title']}\n\n{row['selftext']}".strip(), answer)
            for row in _rows("eli5/explainlikeimfive.jsonl")
            for answer in row["answers"]["text"]
        ]
    else:
        found = [(row["question"], row["answer"]) for _, row in jsonl.records(DEMO / "eli5" / "validation.jsonl")]
    return [Pair(f"p{i}", *texts, "benchmark") for i, texts in enumerate(islice(cycle(found), count))]


# --- speed ---


def speed(given: Sequence[Pair], warm: int, processes: int) -> tuple[float, float, list[Verdict | None]]:
    """Answers a second after the first `warm`, seconds that the processes took to start, and the verdicts.

    What may have been worked ahead when the clock starts is not counted.
    """
    found: list[Verdict | None] = []
    started = began = time.perf_counter()
    for _, verdict in judged(given, chosen(Filters()), Local(processes)):
        found.append(verdict)
        if len(found) == warm:
            began = time.perf_counter()
    ahead = AHEAD * BATCH * processes if processes > 1 else 0
    rate = (len(given) - warm - ahead) / (time.perf_counter() - began)
    return rate, max(0.0, began - started - warm / rate), found


def measure_speed(count: int) -> list[Row]:
    """Answers a second in one process and in two, and what each filter costs when it is asked about every pair."""
    given = pairs(count)
    few = given[: int(WARM_UP * count)]
    verdicts(few, chosen(Filters()))  # loads what one process needs, and meets the words
    rates, starts, told = dict[int, float](), dict[int, float](), list[list[Verdict | None]]()
    for processes in (1, PROCESSES):
        rates[processes], starts[processes], found = speed(given, len(few), processes)
        told.append(found)
    if told[0] != told[1]:
        raise SystemExit("one process and two gave different verdicts")
    dropped = Counter(verdict.filter if verdict else "" for verdict in told[0])
    kept = f"{dropped.pop('') / len(given):.0%} kept; dropped: " + ", ".join(f"{n} {k}" for k, n in dropped.items())
    rows = [
        Row("two processes", rates[PROCESSES], goal="≥ 4000", unit="answers/s", note=f"{count:,} answers; {kept}"),
        Row("one process", rates[1], unit="answers/s", note="the same verdicts"),
        Row("start of two processes", starts[PROCESSES], unit="s", note="not in the rate"),
    ]
    for one in chosen(Filters()):
        started = time.process_time()
        one.reasons(few)
        rows.append(Row(f"{one.name} alone", 1e6 * (time.process_time() - started) / len(few), unit="CPU µs an answer"))
    return rows


# --- what the classifier sees ---


def area(values: Sequence[float], positive: Sequence[bool]) -> float:
    """Area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(positive, values))


def share(values: Sequence[float], bound: float) -> float:
    """How many lie above."""
    return sum(value > bound for value in values) / len(values)


def measure_safety() -> list[Row]:
    """`profanity` by sentences and by whole texts on labelled sets, on insults inside answers, on harmless texts."""
    if not SHARED.is_dir():
        raise SystemExit(f"the labelled sets are not here: {SHARED} (set S2_SHARED_DATA)")
    talk, hate = (list(_rows(f"safety/{name}.jsonl")) for name in ("wikipedia_talk_toxicity", "hatecheck"))
    comments, cases = [row["text"] for row in talk], [row["test_case"] for row in hate]
    toxic, hateful = [row["toxic"] for row in talk], [row["label_gold"] == "hateful" for row in hate]
    answers = [max(zip(row["answers"]["score"], row["answers"]["text"], strict=True))[1]
               for row in _rows("eli5/explainlikeimfive.jsonl") if row["answers"]["text"]]  # fmt: skip
    leads = [row["simple_text"] for row in _rows("simplewiki/swipe_pairs.jsonl")]
    insults = [text for text, yes in zip(comments, toxic, strict=True) if yes and len(text.split()) <= SHORT]
    harmless = [text for text in answers if LONG[0] <= len(text.split()) <= LONG[1]]
    harmless = [text for text, value in zip(harmless, toxicity(harmless), strict=True) if value <= 0.5]
    inside = [f"{answer} {insult}" for answer, insult in zip(harmless, insults, strict=False)]
    sets = (("insults alone", insults), ("insults inside answers", inside), ("ELI5 answers", answers),
            ("Simple Wikipedia leads", leads))  # fmt: skip
    bounds = (0.5, Filters().toxicity.max_probability)
    on_talk, on_hate = _both(comments), _both(cases)
    rows: list[Row] = []
    for name, found, labels in (("Wikipedia talk", on_talk, toxic), ("HateCheck", on_hate, hateful)):
        ours, peer = (area(values, labels) for values in found)
        rows.append(Row(name, ours, peer, unit="AUC", note=f"{len(labels)} texts; {COLUMNS}"))
    for name, texts in sets:
        found = _both(texts)
        for bound in bounds:
            ours, peer = (100 * share(values, bound) for values in found)
            rows.append(Row(f"{name} above {bound}", ours, peer, unit="%", note=f"{len(texts)} texts"))
    functions = defaultdict[tuple[str, str], list[tuple[float, float]]](list)
    for row, *both in zip(hate, *on_hate, strict=True):
        functions[row["label_gold"], row["functionality"]].append((both[0], both[1]))
    for (label, function), values in sorted(functions.items()):
        ours, peer = (100 * share(side, 0.5) for side in zip(*values, strict=True))
        rows.append(Row(f"HateCheck {label}: {function} ({len(values)}) above 0.5", ours, peer, unit="%"))
    return rows


def _both(texts: Sequence[str]) -> tuple[list[float], list[float]]:
    """By sentences, as is the default, and by whole texts."""
    return toxicity(texts, Profanity("sentence")), toxicity(texts, Profanity("text"))


def main() -> None:
    """Measure, print the tables, write them."""
    parser = arguments(__doc__)
    parser.add_argument("--answers", type=int, default=ANSWERS)
    parser.add_argument("--only", choices=("speed", "safety"), action="append", help="measure this; may be repeated")
    options = parser.parse_args()
    wanted = options.only or ("speed", "safety")
    if "speed" in wanted:
        facts = {"answers": options.answers, "texts": "ELI5" if SHARED.is_dir() else "demonstration"}
        write("Filters", measure_speed(options.answers), facts, options.out)
    if "safety" in wanted:
        write("Toxicity", measure_safety(), {"classifier": Profanity().setting}, options.out)


if __name__ == "__main__":
    main()
