"""Where measurements go: `results/bench/<date>-<machine>.json`, and the Markdown tables that the docs include."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from s2eval import store

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "results" / "bench"
TABLES = FOLDER / "tables.md"
PACKAGES = ("s2eval", "lm-eval", "torch", "transformers", "numpy", "rouge-score", "bert-score", "textstat")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was measured.

    Attributes:
        name: what; one line of the table.
        ours: our value, in `unit`.
        peer: the other's value, in `unit`; None where there is no other.
        ratio: peer / ours: how many times less we need (of pairs: the median of their ratios); None = no such thing.
        goal: `≥ 4.2` or `≤ 1.02`, of the ratio, or of `ours` where there is no ratio; "" = none.
        unit: of both values, e.g. `CPU s`, `MiB`.
        note: exactly what was done.
    """

    name: str
    ours: float
    peer: float | None = None
    ratio: float | None = None
    goal: str = ""
    unit: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        self.reached()  # a goal that is none is an error now, not after an hour's measurement

    def reached(self) -> bool | None:
        """Whether the goal is; None without one."""
        if not self.goal:
            return None
        sign, _, number = self.goal.partition(" ")
        if sign not in ("≥", "≤"):
            raise ValueError(f"{self.name}: goal {self.goal!r}; expected e.g. '≥ 4.2' or '≤ 1.02'")
        value, bound = self.ours if self.ratio is None else self.ratio, float(number)
        return value >= bound if sign == "≥" else value <= bound


def write(area: str, rows: Sequence[Row], facts: Mapping[str, Any] | None = None, out: Path | None = None) -> Path:
    """Put the rows of an area into today's file for this machine, replacing what it said of that area; the rest stays.

    Args:
        area: heading of its table.
        rows: in the table's order.
        facts: whatever else determines the numbers (threads, sizes, how often); beside date, Python, packages and
            processor, which are added here.
        out: write there instead, and leave results/ and the docs alone.

    Returns:
        The JSON file.
    """
    now = datetime.now(UTC)
    path = out or FOLDER / f"{now:%Y-%m-%d}-{platform.machine()}.json"
    areas = _read(path)
    areas[area] = {"facts": {**machine(), **(facts or {}), "date": f"{now:%Y-%m-%dT%H:%M:%SZ}"}}
    areas[area]["rows"] = [{**_rounded(asdict(row)), "reached": row.reached()} for row in rows]
    store.write_json(path, areas)
    if out is None:
        with store.write_atomically(TABLES) as file:
            file.write(tables(newest()))
    sys.stdout.write(f"{tables({area: areas[area]})}\n{path}\n")
    return path


def machine() -> dict[str, Any]:
    """What ran: versions, processor, threads that numerical libraries take by default."""
    packages: dict[str, str] = {}
    for package in PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            continue
    cores = os.cpu_count() or 1
    return {
        "python": platform.python_version(),
        "packages": packages,
        "cpu": _processor(),
        "cores": cores,
        "threads": int(os.environ.get("OMP_NUM_THREADS") or cores),
    }


def _processor() -> str:
    """Its name as Linux tells it; elsewhere as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def newest() -> dict[str, Any]:
    """Every area as it was last measured: area → facts and rows."""
    found: dict[str, Any] = {}
    for path in sorted(FOLDER.glob("*.json")):
        for area, measured in _read(path).items():
            if area not in found or found[area]["facts"]["date"] <= measured["facts"]["date"]:
                found[area] = measured
    return dict(sorted(found.items()))


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in row.items()}


def tables(areas: Mapping[str, Any]) -> str:
    """The areas as Markdown: a heading, where it was measured, the table, the rows' notes."""
    return "\n".join(_section(area, measured) for area, measured in areas.items())


def _section(area: str, measured: Mapping[str, Any]) -> str:
    facts, rows = measured["facts"], measured["rows"]
    known = [facts["date"][:10], facts.get("cpu"), f"threads: {facts['threads']}" if "threads" in facts else None]
    known += [f"Python {facts['python']}"]
    known += [f"{name} {number}" for name, number in facts.get("packages", {}).items()]
    lines = [f"### {area}", "", " · ".join(text for text in known if text), ""]
    lines += ["| what | ours | peer | ratio | goal | reached |", "|---|---|---|---|---|---|"]
    for row in rows:
        ours, peer = (_cell(row[key], row["unit"]) for key in ("ours", "peer"))
        reached = {None: "", True: "yes", False: "**no**"}[row["reached"]]
        lines.append(f"| {row['name']} | {ours} | {peer} | {_cell(row['ratio'], '×')} | {row['goal']} | {reached} |")
    notes = [f"- {row['name']}: {row['note']}" for row in rows if row["note"]]
    return "\n".join([*lines, "", *notes, ""] if notes else [*lines, ""])


def _cell(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text}{'' if unit in ('', '×') else ' '}{unit}"


def _result_file(text: str) -> Path:
    """Refused before an hour's measurement rather than after it."""
    path = Path(text)
    if path.exists() and not (path.is_file() and path.read_bytes()[:1] == b"{"):
        raise argparse.ArgumentTypeError(f"{path} is no result of a benchmark; name another file")
    return path


def arguments(about: str | None) -> argparse.ArgumentParser:
    """A command line with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--out", type=_result_file, help="write there; results/ and the docs stay as they are")
    return parser
