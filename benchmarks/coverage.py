"""Do intervals hold the truth as often as they say, and do tests reject as seldom? 10,000 experiments of each kind.

    OMP_NUM_THREADS=1 python -m benchmarks.coverage                      # about half an hour on one core
    python -m benchmarks.coverage --experiments 500 --only 'paired means' --out /tmp/coverage.json

The findings go to results/bench/coverage/, the tables that docs/statistics.md includes to results/bench/coverage.md,
and what is promised of them, reached or not, to results/bench/ like every benchmark. Each study has its own generator
with a fixed seed, so that one of them alone finds the same; `--only` without `--out` replaces that one in what is kept.
"""

from __future__ import annotations

import json
import platform
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks import record, simulated_scores, simulated_shares, simulated_small
from benchmarks.coverage_tables import render
from benchmarks.findings import Finding
from benchmarks.record import Row
from s2eval import store

Record = dict[str, Any]

SEED = 20230924
AREA = "Intervals and tests"
FOLDER, TABLES = record.FOLDER / "coverage", record.FOLDER / "coverage.md"
STUDIES: dict[str, Callable[[int, np.random.Generator], Iterator[Finding]]] = {
    "shares": simulated_shares.shares,
    "paired shares": simulated_shares.paired_shares,
    "win rates": simulated_shares.win_rates,
    "power": simulated_shares.power,
    "means": simulated_scores.means,
    "paired means": simulated_scores.paired_means,
    "strata": simulated_scores.strata,
    "clusters": simulated_scores.clusters,
    "whole texts": simulated_scores.whole_texts,
    "seeds": simulated_scores.seeds,
    "tables": simulated_scores.tables,
    **simulated_small.STUDIES,
}


def run(study: str, experiments: int) -> list[Finding]:
    """The findings of one study, from its own generator."""
    generator = np.random.default_rng([SEED, list(STUDIES).index(study)])
    return list(STUDIES[study](experiments, generator))


def summed_up(findings: Iterable[Finding]) -> list[Record]:
    """One record a setting and method; of the settings that differ in p only, their mean, least and most."""
    groups: dict[tuple[Any, ...], list[Finding]] = defaultdict(list)
    for one in findings:
        setting = tuple((key, value) for key, value in one.setting.items() if key != "p")
        groups[one.study, setting, one.what, one.method, one.exact].append(one)
    records: list[Record] = []
    for (study, setting, what, method, exact), of_setting in groups.items():
        shares = [one.share for one in of_setting]
        known = {"study": study, **dict(setting), "what": what, "method": method, "exact": exact}
        numbers = {"share": float(np.mean(shares)), "least": min(shares), "most": max(shares)}
        marks = {"over_p": len(shares), "marks": sorted(of_setting[0].marks)}
        records.append(known | {name: round(value, 5) for name, value in numbers.items()} | marks)
    return records


@dataclass(frozen=True, slots=True)
class _Found:
    """Records of one kind, in percent: the mean over all settings and p, the least and the most."""

    mean: float
    least: float
    most: float


def _found(records: Iterable[Record], what: str, method: str, **setting: Any) -> _Found | None:
    """Of the records that have what is asked for; a setting given as a tuple may be any of it."""

    def fits(one: Record) -> bool:
        return all(one.get(key) in (value if isinstance(value, tuple) else (value,)) for key, value in setting.items())

    chosen = [one for one in records if (one["what"], one["method"]) == (what, method) and fits(one)]
    if not chosen:
        return None
    weights = [one["over_p"] for one in chosen]
    mean = float(np.average([one["share"] for one in chosen], weights=weights))
    least, most = min(one["least"] for one in chosen), max(one["most"] for one in chosen)
    return _Found(100 * mean, 100 * least, 100 * most)


def promises(records: Sequence[Record], experiments: int) -> list[Row]:
    """What is promised of the methods, in percent, and what was found."""
    every, exact = f"{experiments:,} experiments each", "over all outcomes, p from 0.03 to 0.97"
    by_chance = [one for one in records if not one["exact"] and "shares" not in one["marks"]]
    rows: list[Row] = []

    def add(name: str, value: float, goal: str, note: str = "") -> None:
        rows.append(Row(name, value, goal=goal, unit="%", note=note))

    for study, method in (("shares", "corrected"), ("paired shares", "Tango")):
        for n in (60, 100, 817):
            of_study = [one for one in records if one["study"] == study and one["exact"]]
            if found := _found(of_study, "coverage", method, n=n):
                add(f"{method}, n = {n}: mean coverage", found.mean, "≥ 94.5", exact)
                add(f"{method}, n = {n}: the same, upper limit", found.mean, "≤ 96.5")
                add(f"{method}, n = {n}: least coverage", found.least, "≥ 92", exact)
    for study, method in (("means", "BCa"), ("means", "t"), ("paired means", "BCa"), ("paired means", "t")):
        of_study = [one for one in by_chance if one["study"] == study]
        ordinary = [one for one in of_study if "ordinary" in one["marks"]]
        if found := _found(ordinary, "coverage", method, n=(60, 100, 500, 817)):
            add(f"{method}, {study}, roughly normal, n ≥ 60: least coverage", found.least, "≥ 93.5", every)
            add(f"{method}, {study}, roughly normal, n ≥ 60: most coverage", found.most, "≤ 96.5")
        if found := _found(of_study, "coverage", method, n=(500, 817)):
            add(f"{method}, {study}, any scores, n ≥ 500: least coverage", found.least, "≥ 93.5", every)
    for study in simulated_small.STUDIES:
        of_study = [one for one in by_chance if one["study"] == study]
        if found := _found(of_study, "coverage", simulated_small.METHOD):
            few = f"{min(experiments, simulated_small.MOST):,} experiments each, or 1,000"
            add(f"{study}: mean coverage", found.mean, "≥ 94", few)
            add(f"{study}: least coverage", found.least, "≥ 92")
    symmetric = [one for one in by_chance if "symmetric" in one["marks"]]
    for study, method, among in (
        ("paired shares", "McNemar, exact", [one for one in records if one["exact"]]),
        ("paired shares", "McNemar, mid-p", [one for one in records if one["exact"]]),
        ("win rates", "McNemar, mid-p", by_chance),
        ("paired means", "sign flips", symmetric),
        ("strata", "sign flips", symmetric),
        ("clusters", "sign flips by cluster", symmetric),
        ("whole texts", "swaps", symmetric),
        ("seeds", "t, crossed", symmetric),
    ):
        if found := _found(among, "rejections", method, study=study):
            add(f"{method}, {study}: most rejections of equal models", found.most, "≤ 5.5")
    many = [one for one in symmetric if "discrete" not in one["marks"] and one.get("n", 60) >= 60]
    tests = (("paired means", "sign flips"), ("clusters", "sign flips by cluster"), ("whole texts", "swaps"))
    least = [found.least for study, method in tests if (found := _found(many, "rejections", method, study=study))]
    if least:
        name = "sign flips and swaps, n ≥ 60, scores not discrete: least rejections of equal models"
        add(name, min(least), "≥ 4", every)
    if found := _found(by_chance, "any rejection", "Holm"):
        add("Holm, 12 tests of equal models: any rejection", found.most, "≤ 5.5", every)
    return rows


def stored(experiments: int) -> list[Record]:
    """The newest findings that were kept.

    Raises:
        SystemExit: they are of another number of experiments.
    """
    files = sorted(FOLDER.glob("*.json"))
    if not files:
        return []
    content = json.loads(files[-1].read_text(encoding="utf-8"))
    if content["facts"]["experiments"] != experiments:
        raise SystemExit(
            f"{files[-1]}: {content['facts']['experiments']} experiments; simulate everything, or use --out"
        )
    return content["findings"]


def main() -> None:
    """Simulate, print the promises, write the findings and tables."""
    parser = record.arguments(__doc__)
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--only", choices=STUDIES, action="append", help="this study, the others as kept; repeatable")
    options = parser.parse_args()
    chosen = options.only or list(STUDIES)
    kept = stored(options.experiments) if options.only and options.out is None else []
    fresh = summed_up(one for study in chosen for one in run(study, options.experiments))
    records = [one for study in STUDIES for one in (fresh if study in chosen else kept) if one["study"] == study]
    facts = {"experiments": options.experiments, "seed": SEED}
    text = render(records, options.experiments)
    if options.out is None:
        now = datetime.now(UTC)
        about = {**record.machine(), **facts, "date": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
        store.write_json(FOLDER / f"{now:%Y-%m-%d}-{platform.machine()}.json", {"facts": about, "findings": records})
        with store.write_atomically(TABLES) as file:
            file.write(text)
    else:
        sys.stdout.write(text)
    record.write(AREA, promises(records, options.experiments), facts, options.out)


if __name__ == "__main__":
    main()
