"""Made-up Reddit dumps to joined records: megabytes of decompressed JSON a CPU second, and how the memory grows.

Every size is read by a process of its own, on one core: submissions and comments as zstd with the real dumps' window,
to records of the ELI5 schema on the disk. Three kinds: a subreddit's own dump, where every line is looked at; a month
of all of Reddit, where one line in a thousand is; and half and half. Peak memory is the process's own (`VmHWM`;
`ru_maxrss` begins at what the process that started it had), the decompression window included: it is filled as far as
there is JSON.

    python -m benchmarks.reddit
    python -m benchmarks.reddit --sizes 20 60 --window-log 27 --out /tmp/bench.json
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.record import ROOT, Row

KINDS = {"a subreddit's own dump": 1.0, "half of the lines of others": 0.5, "a month of all of Reddit": 0.001}

_READ = """
import json, sys, time
from pathlib import Path
from s2train.data.eli5 import reddit
started = time.perf_counter(), time.process_time()
summary = reddit.write([Path(name) for name in sys.argv[2:]], Path(sys.argv[1]))
wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
print(json.dumps({
    "size": sum(file.size for file in summary.files), "wall": wall, "cpu": cpu, "answers": summary.answers,
    "memory": int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024,
}))
"""


@dataclass(frozen=True, slots=True)
class Read:
    """What one process needed: bytes of JSON, seconds, MiB."""

    size: int
    wall: float
    cpu: float
    answers: int
    memory: float

    @property
    def speed(self) -> float:
        """MB of JSON a CPU second."""
        return self.size / 1e6 / self.cpu


def made_up() -> Any:
    """The generator of dumps, which the tests own; a package named `tests` of another project may hide ours."""
    path = ROOT / "tests" / "s2train" / "dumps.py"
    spec = importlib.util.spec_from_file_location("dumps", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is not there: this benchmark runs in a checkout")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MadeUp


def read(size: int, share: float, window_log: int, repeats: int) -> Read:
    """Make a dump of `size` bytes of JSON, read it `repeats` times: the fastest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = made_up()(0, share=share).files(folder, size, window_log=window_log)
        command = [sys.executable, "-c", _READ, str(folder / "records.jsonl"), *map(str, files)]
        runs = [
            subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
            for _ in range(repeats)
        ]
    return min((Read(**json.loads(run)) for run in runs), key=lambda one: one.cpu)


def measure(sizes: list[int], window_log: int, repeats: int) -> list[Row]:
    """All rows of the table; sizes in MB."""
    rows: list[Row] = []
    for kind, share in KINDS.items():
        one = read(sizes[0] * 10**6, share, window_log, repeats)
        note = f"{one.size / 1e6:,.0f} MB to {one.answers:,} answers, {one.wall:.1f} s of wall time"
        rows.append(Row(f"{kind}: speed", one.speed, goal="≥ 120", unit="MB/s", note=f"{note}; best of {repeats}"))
    every = [read(size * 10**6, 1.0, window_log, 1) for size in sizes]
    flat = [read(size * 10**6, 1.0, 23, 1) for size in sizes]  # a window of 8 MiB is full at any size
    for size, wide, narrow in zip(sizes, every, flat, strict=True):
        name = f"{size:,} MB of JSON"
        rows += [
            Row(f"{name}: speed", wide.speed, goal="≥ 120", unit="MB/s", note=f"window of 2^{window_log}"),
            Row(f"{name}: memory, window of 2^{window_log}", wide.memory, goal="≤ 2560", unit="MiB"),
            Row(f"{name}: memory, window of 2^23", narrow.memory, unit="MiB"),
        ]
    rows.append(
        Row(
            f"memory at {sizes[-1]:,} MB over memory at {sizes[0]:,} MB",
            flat[-1].memory / flat[0].memory,
            goal="≤ 1.15",
            note="window of 2^23, so that only our own counts",
        )
    )
    return rows


def main() -> None:
    """Measure, print the table, write it."""
    parser = record.arguments(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 1000, 5000], help="MB of JSON, ascending")
    parser.add_argument("--window-log", type=int, default=31)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows = measure(sorted(options.sizes), options.window_log, options.repeats)
    facts = {"sizes": options.sizes, "window_log": options.window_log, "repeats": options.repeats}
    record.write("Reddit dumps", rows, facts, options.out)


if __name__ == "__main__":
    main()
