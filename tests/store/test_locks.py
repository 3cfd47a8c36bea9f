"""A lock that one process holds at a time, however many come and go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.files.locks import exclusive

# counts up in a file as often as it gets the lock; a reader and writer that is not alone loses a count
COUNT = """
import sys, time
from pathlib import Path
from s2eval.errors import PrerequisiteError
from s2eval.files.locks import exclusive

counter, lock, got = Path(sys.argv[1]), Path(sys.argv[2]), 0
end = time.monotonic() + 2
while time.monotonic() < end:
    try:
        with exclusive(lock, "held"):
            number = int(counter.read_text())
            time.sleep(0.0005)
            counter.write_text(str(number + 1))
            got += 1
    except PrerequisiteError:
        pass
print(got)
"""


def test_the_second_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    with exclusive(lock, "first"):
        with pytest.raises(PrerequisiteError, match="x is in use"), exclusive(lock, "x is in use"):
            pass
        with pytest.raises(UsageError, match="x is in use"), exclusive(lock, "x is in use", UsageError):
            pass
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), exclusive(lock, "again"):
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []


def test_processes_that_come_and_go_are_never_two(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNT, str(counter), str(tmp_path / "x.lock")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    counts = [int(process.communicate()[0]) for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert sum(counts) == int(counter.read_text()) > 0
