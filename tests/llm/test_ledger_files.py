"""The store of calls on files that are no store, and on disks that take nothing: every one is reported."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from s2eval.errors import DataError, PrerequisiteError, S2Error
from s2eval.llm import ledger as module
from s2eval.llm.calls import Reply
from s2eval.llm.ledger import Ledger
from tests.llm.stores import call, sound

# --- files that are no store -----------------------------------------------------------------------------------


def damaged(path: Path) -> Path:
    """A store of many pages with a hole in the middle."""
    with Ledger.open(path) as ledger:
        for number in range(200):
            ledger.record(call(number), Reply(f"answer {number} " * 50))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size // 2))
    return path


def test_a_file_of_something_else(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("question,answer\n" * 100)
    with pytest.raises(DataError, match=r"calls\.sqlite: not a store of calls.*--out"), Ledger.open(path):
        pass
    assert path.read_text() == "question,answer\n" * 100


def test_a_database_of_something_else_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (a)")
    before = path.read_bytes()
    with pytest.raises(DataError, match="an SQLite file of something else"), Ledger.open(path):
        pass
    assert path.read_bytes() == before


def test_another_format(path: Path) -> None:
    with Ledger.open(path) as ledger, ledger.transaction() as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(DataError, match=f"format 7; this release reads {module.FORMAT}"), Ledger.open(path):
        pass


def test_an_empty_file_is_a_new_store(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with Ledger.open(path) as ledger:
        assert ledger.count() == (0, 0)


@pytest.mark.parametrize("use", ["outcomes", "spent", "lines", "record"])
def test_a_damaged_store(path: Path, use: str) -> None:
    uses = {
        "outcomes": lambda ledger: ledger.outcomes(call(number) for number in range(200)),
        "spent": lambda ledger: ledger.spent(),
        "lines": lambda ledger: list(ledger.lines()),
        "record": lambda ledger: [ledger.record(call(number), Reply("b")) for number in range(200)],
    }
    damaged(path)
    with (
        pytest.raises(DataError, match=r"calls\.sqlite: the store is damaged .*\.recover"),
        Ledger.open(path) as ledger,
    ):
        uses[use](ledger)


def test_damaged_text(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.record(call(1), Reply("answer"))
    path.write_bytes(path.read_bytes().replace(b"answer", b"answ\xff\xfe"))
    with pytest.raises(DataError, match="the store is damaged"), Ledger.open(path) as ledger:
        ledger.outcomes([call(1)])


def test_a_folder_in_place_of_the_file(path: Path) -> None:
    path.mkdir(parents=True)
    with (
        pytest.raises(PrerequisiteError, match=r"calls\.sqlite: no permission to write, or no file"),
        Ledger.open(path),
    ):
        pass


def test_a_file_in_place_of_the_folder(path: Path) -> None:
    path.parent.touch()
    with pytest.raises(PrerequisiteError, match="cannot be written"), Ledger.open(path):
        pass


# --- disks that do not take it ---------------------------------------------------------------------------------


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder that this user may read but not write, which for root means being somebody else for a moment."""
    folder = Path(tempfile.mkdtemp())
    with Ledger.open(folder / "calls.sqlite") as ledger:
        ledger.record(call(1), Reply("a"))
    (folder / "calls.sqlite").chmod(0o444)
    folder.chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        yield folder
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written(as_nobody: Path) -> None:
    for name in ("calls.sqlite", "new.sqlite", "new/calls.sqlite"):
        with (
            pytest.raises(PrerequisiteError, match=r"no permission to write.*--out"),
            Ledger.open(as_nobody / name) as it,
        ):
            it.record(call(2), Reply("b"))


def fill(path: Path) -> tuple[int, S2Error]:
    """Record until the disk takes no more: (how many were recorded, the error)."""
    with Ledger.open(path) as ledger:
        for number in range(10_000):
            try:
                ledger.record(call(number), Reply("x" * 3000))
            except S2Error as error:
                return number, error
    raise AssertionError("the disk was to be full")


def holds(path: Path, stored: int) -> None:
    """All that was recorded is there, and the next one can be."""
    with Ledger.open(path) as ledger:
        outcomes = ledger.outcomes(call(number) for number in range(stored))
        assert len(outcomes) == stored
        assert all(outcome == Reply("x" * 3000) for outcome in outcomes.values())
        ledger.record(call(stored), Reply("x" * 3000))
        assert ledger.count() == (stored + 1, 0)
    assert sound(path)


def test_a_limit_on_the_size_of_files(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    try:
        stored, error = fill(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(error, PrerequisiteError)
    assert "the disk does not take or give data" in str(error)
    assert stored > 10
    holds(path, stored)


def test_a_full_disk(tmp_path: Path) -> None:
    """A real one, of 400 kB: root may mount it, also where it is root of a name space of its own only."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        stored, error = fill(tmp_path / "calls.sqlite")
        assert isinstance(error, PrerequisiteError)
        assert "no space left on the disk" in str(error)
        assert stored > 10
        subprocess.run(["mount", "-o", "remount,size=4m", str(tmp_path)], check=True)  # space was freed
        holds(tmp_path / "calls.sqlite", stored)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_store_that_another_process_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOCK_TIMEOUT", 0.2)
    with Ledger.open(path) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(PrerequisiteError, match="another process has held the store"):
                ledger.record(call(1), Reply("a"))
        ledger.record(call(1), Reply("a"))
        assert ledger.count() == (1, 0)
