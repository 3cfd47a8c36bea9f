"""Ease and every formula of the panel against people: fitted pairs held out, and data that no weight has seen.

Fitted on OneStopEnglish (three levels of an article) and leads of Simple against English Wikipedia; both are measured
by five folds, by article and by title. Never fitted on: CLEAR (teachers compared excerpts) and CEFR-SP (two annotators'
levels of sentences). The published values of CLEAR's own columns stand beside ours. Real data from S2_SHARED_DATA.

    python -m benchmarks.ease                 # measures, and writes results/bench
    python -m benchmarks.ease --ship          # also writes the weights into the package
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from benchmarks import record
from benchmarks.record import Row
from s2eval.metrics.panel import EASE, Measures, ease, measure, panel
from s2eval.metrics.readability import flesch, readability

DATA = Path(os.environ.get("S2_SHARED_DATA", record.ROOT.parent / "shared" / "data"))
SHIPPED = record.ROOT / "s2eval" / "metrics" / "panel" / "data" / "ease.json"
FOLDS = 5
EASIER: Mapping[str, Callable[[Measures], float]] = {  # every measure, turned so that higher is easier
    "Flesch reading ease": lambda text: flesch(text.words, text.sentences, text.syllables)[0],
    "Flesch-Kincaid grade": lambda text: -flesch(text.words, text.sentences, text.syllables)[1],
    **{
        metric.title: lambda text, name=metric.name: -panel(text)[name]
        for metric in EASE.metrics
        if metric.best == "low"
    },
}
PUBLISHED = {  # column of CLEAR → which way it points
    "Flesch-Reading-Ease": 1,
    "Flesch-Kincaid-Grade-Level": -1,
    "New Dale-Chall Readability Formula": -1,
    "SMOG Readability": -1,
    "Automated Readability Index": -1,
    "CAREC": -1,
    "CML2RI": 1,
}


def _ended(text: str, *, capital: bool) -> str:
    """A point after every sixth word, the next word with a capital or as it was."""
    words = text.split()
    for at in range(6, len(words), 6):
        if words[at - 1][-1].isalpha():
            words[at - 1] += "."
            words[at] = words[at][0].upper() + words[at][1:] if capital else words[at]
    return " ".join(words)


_DROPPED = {"the", "a", "an", "of", "to", "which", "that", "and"}
GAMES: Mapping[str, Callable[[str], str]] = {
    "a point after every sixth word": partial(_ended, capital=False),
    "the same with a capital": partial(_ended, capital=True),
    "the a an of to which that and left out": lambda text: " ".join(
        word for word in text.split() if word.lower() not in _DROPPED
    ),
    "no white space between sentences": lambda text: re.sub(r"([.!?])\s+", r"\1", text),
    "four short sentences, eight times": lambda text: text + " It is. So it is. We see it. It is so." * 8,
    "sentences joined by semicolons": lambda text: re.sub(
        r"\. ([A-Z])", lambda capital: f"; {capital[1].lower()}", text
    ),
}
GAMED = 300  # excerpts
Score = Callable[[Measures], float]  # higher is easier


@dataclass(frozen=True, slots=True)
class Graded:
    """Texts about one subject, the easiest first."""

    subject: str
    texts: Sequence[Measures]


def rows_of(name: str) -> Iterator[dict]:
    with (DATA / name).open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def measures_of(texts: Sequence[str]) -> list[Measures] | None:
    """None where one of them has no measures."""
    measures = [measured for measured in map(measure, texts) if isinstance(measured, Measures)]
    return measures if len(measures) == len(texts) else None


def articles() -> list[Graded]:
    levels: dict[str, dict[int, str]] = defaultdict(dict)
    for row in rows_of("readability/onestopenglish.jsonl"):
        levels[row["id"]][row["level_num"]] = row["text"]
    graded = ((name, measures_of([texts[level] for level in sorted(texts)])) for name, texts in levels.items())
    return [Graded(name, texts) for name, texts in graded if texts]


def leads() -> list[Graded]:
    graded = (
        (row["title"], measures_of((row["simple_text"], row["regular_text"])))
        for row in rows_of("simplewiki/swipe_pairs.jsonl")
    )
    return [Graded(title, texts) for title, texts in graded if texts]


def pairs(graded: Iterable[Graded]) -> list[tuple[Measures, Measures]]:
    return [(a, b) for item in graded for n, a in enumerate(item.texts) for b in item.texts[n + 1 :]]


def fold_of(subject: str) -> int:
    return int.from_bytes(hashlib.sha256(subject.encode()).digest()[:4]) % FOLDS


def in_order(scores: Sequence[Sequence[float]]) -> float:
    """Share of subjects whose scores fall strictly, in percent."""
    return 100 * float(np.mean([all(a > b for a, b in pairwise(of)) for of in scores]))


def pairs_in_order(scores: Sequence[Sequence[float]]) -> float:
    return in_order([(a, b) for of in scores for n, a in enumerate(of) for b in of[n + 1 :]])


def held_out(news: Sequence[Graded], wiki: Sequence[Graded]) -> tuple[list[list[float]], list[list[float]]]:
    """Ease of each text by the index that was fitted without its fold."""
    scores: tuple[list[list[float]], list[list[float]]] = ([], [])
    for fold in range(FOLDS):
        index = ease.fit(pairs(item for item in (*news, *wiki) if fold_of(item.subject) != fold))
        for items, of in zip((news, wiki), scores, strict=True):
            of += [[index.score(text) for text in item.texts] for item in items if fold_of(item.subject) == fold]
    return scores


def gamed(index: ease.Index, texts: Sequence[str]) -> Iterator[str]:
    """A line for each game: mean change of Ease, and of Flesch's two values as `s2_fre` and `s2_fkg` count them."""
    for name, change in GAMES.items():
        changes: list[tuple[float, float, float]] = []
        for text in texts:
            if measures := measures_of((text, change(text))):
                before, after = readability(text), readability(change(text))
                eased = index.score(measures[1]) - index.score(measures[0])
                changes.append((eased, after.fre - before.fre, after.fkg - before.fkg))
        yield f"{name:40}" + "".join(f"{value:+9.1f}" for value in np.mean(changes, axis=0))


def rank_correlation(values: Sequence[float], others: Sequence[float]) -> float:
    """Spearman's."""
    return float(spearmanr(values, others)[0])  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ship", action="store_true", help="write the weights into the package")
    parser.add_argument("--out", type=Path, help="write the measurements there instead of results/bench")
    options = parser.parse_args()

    news, wiki = articles(), leads()
    index = ease.fit(pairs((*news, *wiki)))
    if options.ship:
        SHIPPED.write_text(index.to_json(), encoding="utf-8")
    excerpts = [(row, *texts) for row in rows_of("readability/clear.jsonl") if (texts := measures_of([row["text"]]))]
    sentences = [
        (row["level_a"] + row["level_b"], *texts)
        for row in rows_of("readability/cefr_sp.jsonl")
        if (texts := measures_of([row["text"]]))
    ]
    teachers = [row["BT_easiness"] for row, _ in excerpts]
    levels = [-level for level, _ in sentences]

    def seen(score: Score, out_of: tuple[list[list[float]], list[list[float]]] | None = None) -> list[float]:
        of_news, of_wiki = out_of or (
            [[score(text) for text in item.texts] for item in items] for items in (news, wiki)
        )
        return [
            in_order(of_news),
            pairs_in_order(of_news),
            in_order(of_wiki),
            rank_correlation([score(text) for _, text in excerpts], teachers),
            rank_correlation([score(text) for _, text in sentences], levels),
        ]

    table = {"Ease": seen(index.score, held_out(news, wiki))}
    table |= {name: seen(score) for name, score in EASIER.items()}
    goals = ("≥ 97", "≥ 99", "≥ 84", "≥ 0.60", "")
    what = (
        f"OneStopEnglish, {len(news)} triples in order",
        f"OneStopEnglish, {3 * len(news)} pairs",
        f"Simple against English Wikipedia, {len(wiki)} pairs of leads",
        f"CLEAR, {len(excerpts)} excerpts: Spearman with teachers",
        f"CEFR-SP, {len(sentences)} sentences: Spearman with annotators",
    )
    lines = [f"{'':26}{'triples':>9}{'pairs':>9}{'leads':>9}{'CLEAR':>9}{'CEFR-SP':>9}"]
    for name, values in table.items():
        lines.append(f"{name:26}" + "".join(f"{value:9.1f}" for value in values[:3]))
        lines[-1] += "".join(f"{value:9.3f}" for value in values[3:])
    for column, way in PUBLISHED.items():
        rho = rank_correlation([way * row[column] for row, _ in excerpts], teachers)
        lines.append(f"{column + ' (published)':53}{rho:9.3f}")
    lines += [
        "",
        f"{'':40}{'Ease':>9}{'FRE':>9}{'FKG':>9}",
        *gamed(index, [row["text"] for row, _ in excerpts[:GAMED]]),
    ]
    sys.stdout.write("\n".join(lines) + "\n\n")
    best = {n: max(values[n] for name, values in table.items() if name != "Ease") for n in range(5)}
    rows = [
        Row(what[n], round(table["Ease"][n], 3), peer=round(best[n], 3), goal=goals[n], unit="%" if n < 3 else "ρ",
            note="Ease, held out; beside it the panel's best formula")
        for n in range(5)
    ]  # fmt: skip
    record.write("ease", rows, {"weights": index.weights}, options.out)


if __name__ == "__main__":
    main()
