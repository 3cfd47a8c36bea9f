"""What the start-up hook costs a Python process that has nothing to do with lm-eval.

Two fresh environments without packages, alike but for our `.pth` file, start in turn; the difference of each pair is
what the hook costs. Beside it `s2eval --help` and `s2eval ls tasks`, in turn with a bare typer
program's help and command. Wall time.

    python -m benchmarks.startup
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from benchmarks import record
from benchmarks.record import ROOT, Row

WARM_UP = 5  # pairs that do not count
BARE = """import typer
app = typer.Typer()
@app.command()
def run(config: str) -> None: "Run it."
@app.command()
def report(folder: str) -> None: "Report it."
app()
"""
HEAVY = ("torch", "pandas", "transformers", "lm_eval", "numpy")


def environment(folder: Path, *, hook: bool) -> Path:
    """A bare environment that sees the checkout, with the hook's `.pth` or without; gives its Python."""
    venv.create(folder, with_pip=False)
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "_checkout.pth").write_text(f"{ROOT}\n")
    if hook:
        shutil.copy(ROOT / "s2eval_hook.pth", packages / "s2eval_lm_eval.pth")
    return folder / "bin" / "python"


def seconds(command: list[str]) -> float:
    """Wall time of one process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def starts(pairs: int) -> list[tuple[float, float]]:
    """Seconds of an empty Python process with the hook and without, pair by pair."""
    with tempfile.TemporaryDirectory() as folder:
        with_hook = environment(Path(folder) / "with", hook=True)
        without = environment(Path(folder) / "without", hook=False)
        loaded = subprocess.run(
            [str(with_hook), "-c", "import sys; print('s2eval_hook' in sys.modules)"],
            check=True,
            capture_output=True,
            text=True,
        )
        if loaded.stdout.strip() != "True":
            raise SystemExit(f"the hook did not load: {loaded.stderr}")
        measured = [
            (seconds([str(with_hook), "-c", "pass"]), seconds([str(without), "-c", "pass"]))
            for _ in range(pairs + WARM_UP)
        ]
    return measured[WARM_UP:]


def command(words: list[str], others: list[str]) -> Row:
    """A command of ours in turn with one of a bare typer program.

    Raises:
        SystemExit: it imports what it must not.
    """
    ours, bare = [sys.executable, "-m", "s2eval", *words], [sys.executable, "-c", BARE, *others]
    traced = [sys.executable, "-X", "importtime", *ours[1:]]
    imported = subprocess.run(traced, check=True, capture_output=True, text=True).stderr
    names = {line.rpartition("|")[2].strip() for line in imported.splitlines()}
    if loaded := sorted(names & set(HEAVY)):
        raise SystemExit(f"s2eval {' '.join(words)} imports {', '.join(loaded)}")
    measured = [(seconds(ours), seconds(bare)) for _ in range(20 + WARM_UP)][WARM_UP:]
    return Row(
        f"s2eval {' '.join(words)}, and a bare typer program's {others[0]}",
        statistics.median(mine for mine, _ in measured),
        statistics.median(other for _, other in measured),
        statistics.median(mine / other for mine, other in measured),
        "≤ 1.3",
        unit="s",
        note=f"median of {len(measured)} pairs; the ratio is ours / the other; none of {', '.join(HEAVY)} is imported",
    )


def measure(pairs: int) -> list[Row]:
    """All rows of the table; medians."""
    measured = starts(pairs)
    return [
        Row(
            "a Python process, with the hook and without",
            1000 * statistics.median(on for on, _ in measured),
            1000 * statistics.median(off for _, off in measured),
            statistics.median(off / on for on, off in measured),
            unit="ms",
            note=f"python -c pass, median of {pairs} pairs",
        ),
        Row("what the hook adds", 1000 * statistics.median(on - off for on, off in measured), unit="ms"),
        command(["--help"], ["--help"]),
        command(["ls", "tasks"], ["run", "some"]),
    ]


def main() -> None:
    """Measure, print the table, write it."""
    parser = record.arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=55)
    options = parser.parse_args()
    record.write("Start-up", measure(options.pairs), {"pairs": options.pairs}, options.out)


if __name__ == "__main__":
    main()
