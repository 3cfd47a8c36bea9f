"""Runs a command again and again, and stops it each time at another moment. A program of its own, not a module.

Children of this process run the command, so that its imports are done; what a stopped one leaves is looked at, then
the same command is run to its end. Standard input tells what to do, standard output what came of it, both in JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Stop:
    """What a stopped command left, and what the same command made of it.

    Attributes:
        code: how it ended, as `os.waitstatus_to_exitcode` tells.
        old, new: files that were as before, and as after the command; of those that it changes.
        neither: visible files that were like neither.
        manifest: whether that was the new one.
        ends_well: whether the same command, run again, gave the same bytes as one that is not stopped.
    """

    code: int
    old: int
    new: int
    neither: list[str]
    manifest: bool
    ends_well: bool


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def child(arguments: list[str], before: Callable[[], None] | None = None) -> int:
    """Start the command; the process."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        from s2train.cli import main

        if before:
            before()
        code = main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def ended(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def stop_at_replacement(number: int, by: signal.Signals) -> Callable[[], None]:
    """Make the process send itself a signal before it puts the file of that number in place."""

    def patch() -> None:
        replace, done = Path.replace, [0]

        def counted(self: Path, target: Path) -> Path:
            if done[0] == number:
                os.kill(os.getpid(), by)
            done[0] += 1
            return replace(self, target)

        Path.replace = counted  # type: ignore[method-assign, assignment]

    return patch


def judged(out: Path, before: dict[str, bytes], after: dict[str, bytes], code: int, again: list[str]) -> Stop:
    found = {name: data for name, data in contents(out).items() if not Path(name).name.startswith(".")}
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    old = {name for name in changed if found.get(name) == before.get(name)}
    new = {name for name in changed if found.get(name) == after.get(name)}
    neither = sorted(changed - old - new) + sorted(found.keys() - before.keys() - after.keys())
    ends_well = ended(child(again)) == 0 and contents(out) == after
    return Stop(code, len(old), len(new), neither, "manifest.json" in new, ends_well)


def main() -> None:
    """Read what to do: the folder, the command, the moments, and the signal."""
    task = json.load(sys.stdin)
    out, by = Path(task["out"]), signal.Signals(task["signal"])
    command = [*task["command"], "--out", str(out)]
    kept = out.with_name("kept")
    shutil.copytree(out, kept)
    before = contents(out)
    start = time.monotonic()
    assert ended(child(command)) == 0
    length, after = time.monotonic() - start, contents(out)
    assert before != after
    stops: list[Stop] = []
    for moment in task["moments"]:
        shutil.rmtree(out)
        shutil.copytree(kept, out)
        if task["at"] == "replacement":
            process = child(command, stop_at_replacement(moment, by))
        else:
            process = child(command)
            time.sleep(length * moment)
            os.kill(process, by)
        stops.append(judged(out, before, after, ended(process), command))
    json.dump({"length": length, "stops": [asdict(one) for one in stops]}, sys.stdout)


if __name__ == "__main__":
    import pyarrow.parquet

    import s2train.data.build
    import s2train.data.build.candidates  # noqa: F401

    pyarrow.Table.from_pylist([{}])  # imports more

    main()
