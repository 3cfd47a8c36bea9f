"""How the numbers of a run came about: `provenance.json` of its folder, written when a run ends, and its units.

Folders of version 0.1.0 have no such file: what it would say is left out.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from s2eval import store
from s2eval.files import Json, JsonObject
from s2eval.records import UnitFacts

FILE = "provenance.json"
_PACKAGES = ("s2eval", "lm-eval", "transformers", "torch", "python")


def record(folder: Path) -> None:
    """Write the command, device, dtypes and git revision beside a run's results; what is not known stays as it was."""
    from s2eval.llm.secrets import redact

    dtypes: set[str] = set()  # as lm-eval wrote them with the results
    for path in folder.glob("*/*/results_*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            dtypes.add(json.loads(path.read_text(encoding="utf-8"))["config"]["model_dtype"].removeprefix("torch."))
    is_ours = Path(sys.argv[0]).name in ("s2eval", "__main__.py")  # not a notebook or another program
    known = {
        "command": redact(shlex.join(["s2eval", *sys.argv[1:]])) if is_ours else "",
        "device": _device(),
        "dtypes": sorted(dtypes),
        "revision": _revision(),
    }
    content = _read(folder) | {name: value for name, value in known.items() if value}
    with store.write_atomically(folder / FILE) as file:
        file.write(json.dumps(content, indent=1) + "\n")


def facts(folder: Path, units: Sequence[UnitFacts]) -> tuple[tuple[str, str], ...]:
    """Name and value of what is known of a run, for people."""
    content = _read(folder)
    dates = [unit.finished for unit in units if unit.finished]
    seconds = sum(unit.seconds for unit in units)
    versions = {
        name: dict.fromkeys(unit.versions[name] for unit in units if name in unit.versions) for name in _PACKAGES
    }
    shown = [f"{name} {' and '.join(numbers)}" for name, numbers in versions.items() if numbers]
    known = (
        ("Finished", f"{datetime.fromisoformat(max(dates)):%Y-%m-%d %H:%M} UTC" if dates else ""),
        ("Computing time", _duration(seconds) if seconds else ""),
        ("Device", str(content.get("device", ""))),
        ("dtype", ", ".join(map(str, dtypes)) if isinstance(dtypes := content.get("dtypes"), list) else ""),
        ("Versions", ", ".join(shown)),
        ("Git revision", str(content.get("revision", ""))),
        ("Command", str(content.get("command", ""))),
    )
    return tuple((name, value) for name, value in known if value)


def _read(folder: Path) -> JsonObject:
    try:
        content: Json = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _duration(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _device() -> str:
    """Of this process; "" where nothing was computed in it."""
    torch = sys.modules.get("torch")
    if torch is None:
        return ""
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"


def _revision() -> str:
    """Of the checkout that s2eval runs from; "" where it is installed."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        return head + (" with changes" if _git(root, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(root: Path, *arguments: str) -> str:
    command = ("git", "-C", str(root), *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()
