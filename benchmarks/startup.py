"""What the start-up hook costs a Python process that has nothing to do with lm-eval.

Two fresh environments without packages, alike but for our `.pth` file, start in turn; the difference of each pair is
what the hook costs. Beside it the import time of `s2eval --help`.
"""

from __future__ import annotations

import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAIRS = 60


def environment(folder: Path, *, hook: bool) -> Path:
    """A bare environment that sees the checkout, with the hook's `.pth` or without; gives its Python."""
    venv.create(folder, with_pip=False)
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "_checkout.pth").write_text(f"{ROOT}\n")
    if hook:
        shutil.copy(ROOT / "s2eval" / "startup.pth", packages / "s2eval_lm_eval.pth")
    return folder / "bin" / "python"


def seconds(command: list[str]) -> float:
    """Wall time of one process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def measure() -> dict[str, float]:
    """Medians in milliseconds over paired runs."""
    with tempfile.TemporaryDirectory() as folder:
        with_hook = environment(Path(folder) / "with", hook=True)
        without = environment(Path(folder) / "without", hook=False)
        loaded = subprocess.run(
            [str(with_hook), "-c", "import sys; print('s2eval.startup' in sys.modules)"],
            check=True,
            capture_output=True,
            text=True,
        )
        if loaded.stdout.strip() != "True":
            raise SystemExit(f"the hook did not load: {loaded.stderr}")
        pairs = [
            (seconds([str(with_hook), "-c", "pass"]), seconds([str(without), "-c", "pass"])) for _ in range(PAIRS)
        ][5:]
    shown = [seconds([sys.executable, "-m", "s2eval", "--help"]) for _ in range(10)][2:]
    return {
        "python_ms": 1000 * statistics.median(off for _, off in pairs),
        "hook_ms": 1000 * statistics.median(on - off for on, off in pairs),
        "ratio": statistics.median(on / off for on, off in pairs),
        "s2eval_help_ms": 1000 * statistics.median(shown),
    }


def main() -> None:
    """Measure, print a line, write results/bench/startup-<date>-<machine>.json."""
    result = {name: round(value, 3) for name, value in measure().items()}
    now = datetime.now(UTC)
    out = ROOT / "results" / "bench" / f"startup-{now:%Y-%m-%d}-{platform.machine()}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    facts = {"date": now.isoformat(timespec="seconds"), "python": platform.python_version(), "pairs": PAIRS - 5}
    out.write_text(json.dumps({**facts, **result}, indent=1) + "\n")
    sys.stdout.write(f"{result}\n{out}\n")


if __name__ == "__main__":
    main()
