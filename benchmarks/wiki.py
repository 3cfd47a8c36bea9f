"""Simple Wikipedia's dump to leads: `Dump` against `xml.etree.iterparse` and mwparserfromhell used naively.

The naive reader does what mwxml's pages with mwparserfromhell do when used as their introductions show: parse each
article's whole text, `strip_code()`, take the first paragraph. Both read the same generated multistream dump
(tests/s2train/wikipages.py says in what proportions). It drops nothing but redirects and other namespaces; what ours
drops besides is in the note, and one row lets ours keep stubs as well. Each reader has a
process of its own; CPU time where one process works, wall time where several do. Linux.

    python -m benchmarks.wiki
    python -m benchmarks.wiki --pages 300 --repeats 1 --out /tmp/bench.json
"""

from __future__ import annotations

import argparse
import bz2
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks import record
from benchmarks.record import ROOT, Row
from s2train.data.engine import Local
from s2train.data.wiki.dump import Dump
from s2train.data.wiki.text import Limits


@dataclass(frozen=True, slots=True)
class Reading:
    """One pass over the dump.

    Attributes:
        seconds: wall time, from opening the file to the last article.
        cpu: CPU time of the reading process meanwhile (not its workers').
        peak: most memory resident in the reading process, MiB (not its workers).
        articles, characters: how many were given, and the sum of their texts' lengths.
        dropped: pages left out, by reason.
    """

    seconds: float
    cpu: float
    peak: float
    articles: int
    characters: int
    dropped: dict[str, int]


def naive(path: Path) -> Iterator[str]:
    """First paragraphs, as a newcomer to mwparserfromhell would take them."""
    import mwparserfromhell

    with bz2.open(path) as file:
        for _, element in ElementTree.iterparse(file):
            if element.tag.rpartition("}")[2] != "page":
                continue
            if element.findtext("{*}ns") == "0" and element.find("{*}redirect") is None:
                text = element.findtext("{*}revision/{*}text") or ""
                yield mwparserfromhell.parse(text).strip_code().strip().partition("\n\n")[0]
            element.clear()


def read_naively(path: Path) -> Reading:
    """Time `naive`."""
    return _timed(lambda: naive(path), {})


def read(path: Path, processes: int, stubs: bool) -> Reading:
    """Time `Dump`."""
    dump = Dump(path, Limits(stubs=stubs), engine=Local(processes))
    return _timed(lambda: (article.text for article in dump), dump.dropped)


def _timed(texts: Callable[[], Iterator[str]], dropped: dict[str, int]) -> Reading:
    import mwparserfromhell  # noqa: F401  (its import is nobody's merit)

    started, worked = time.perf_counter(), time.process_time()
    lengths = [len(text) for text in texts()]
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    # not getrusage's maximum: that one starts from the parent's
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return Reading(seconds, cpu, peak, len(lengths), sum(lengths), dict(dropped))


def alone(function: Callable[..., Reading], *arguments: Any, repeats: int = 1) -> Reading:
    """The median of several runs, each in a fresh process."""
    readings: list[Reading] = []
    for _ in range(repeats):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            readings.append(pool.submit(function, *arguments).result())
    return sorted(readings, key=lambda one: one.seconds)[len(readings) // 2]


def measure(path: Path, pages: int, processes: int, repeats: int) -> list[Row]:
    """All rows of the table."""
    peer = alone(read_naively, path)
    rows: list[Row] = []
    for name, workers, stubs, goal in (
        (f"dump to leads, {processes} processes", processes, False, "≥ 3"),
        ("dump to leads, one process", 1, False, "≥ 3"),
        ("dump to leads, one process, stubs kept", 1, True, "≥ 3"),
    ):
        ours = alone(read, path, workers, stubs, repeats=repeats)
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(ours.dropped.items()))
        note = f"{pages:,} pages, {path.stat().st_size / 2**20:.1f} MiB of bz2; {ours.articles:,} leads"
        note += f" ({dropped}); naive: {peer.articles:,}"
        our_time, their_time = (ours.cpu, peer.cpu) if workers == 1 else (ours.seconds, peer.seconds)
        unit = "CPU s" if workers == 1 else "s"
        rows.append(Row(name, our_time, their_time, their_time / our_time, goal=goal, unit=unit, note=note))
        rows.append(Row(f"{name}: memory", ours.peak, peer.peak, peer.peak / ours.peak, unit="MiB"))
        sys.stderr.write(f"{name}: {our_time:.2f} {unit}, naive {their_time:.2f} {unit}\n")
    return rows


def generate(path: Path, pages: int) -> Path:
    """Write the made-up dump. The tests' module is imported by its file: another package is named `tests` too."""
    sys.path.append(str(ROOT / "tests" / "s2train"))
    wikipages = importlib.import_module("wikipages")
    return wikipages.write(path, wikipages.generated(pages))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = record.arguments(__doc__)
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=3, help="of ours; the naive reader runs once")
    return parser.parse_args()


def main() -> None:
    """Measure, print the table, write it."""
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        path = generate(Path(folder) / "pages-articles-multistream.xml.bz2", options.pages)
        rows = measure(path, options.pages, options.processes, options.repeats)
    facts = {"pages": options.pages, "processes": options.processes, "repeats": options.repeats}
    record.write("Simple Wikipedia's dump", rows, facts, options.out)


if __name__ == "__main__":
    main()
