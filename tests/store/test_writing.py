"""Files and units of a run folder: whole or absent, whatever happens, and a full disk is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from s2eval import store
from s2eval.errors import PrerequisiteError
from tests.store.rows import ROW


def test_a_file_is_replaced_when_the_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.md"
    for text in ("old ä\r\n", "new\n"):
        with store.write_atomically(path) as file:
            file.write(text)
        assert path.read_bytes() == text.encode()  # line ends as they are
    assert [one.name for one in path.parent.iterdir()] == ["report.md"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_old_file_stays_when_the_block_raises(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "report.md"
    path.write_text("old")

    def half() -> None:
        with store.write_atomically(path) as file:
            file.write("half")
            file.flush()
            raise error

    with pytest.raises(error):
        half()
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report.md", "old")]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("old")
    with store.write_atomically(path) as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_link_is_written_through_and_never_replaced(tmp_path: Path) -> None:
    # `s2eval report --out /dev/stdout`: as root, a rename would take /dev/stdout away from everybody
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    with store.write_atomically(link) as file:
        file.write("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    with store.write_atomically(pipe) as file:
        file.write("text")
    reader.join(timeout=10)
    assert read == ["text"]
    assert pipe.is_fifo()


# --- one unit --------------------------------------------------------------------------------------------------


def listing(folder: Path) -> dict[str, str]:
    """Files below a folder, with their text."""
    return {str(one.relative_to(folder)): one.read_text() for one in sorted(folder.rglob("*")) if one.is_file()}


def test_a_unit_appears_when_it_is_whole(tmp_path: Path) -> None:
    unit = tmp_path / "model" / "task"
    with store.new_unit(unit) as folder:
        (folder / "a").write_text("1")
        assert not unit.exists()
        assert folder.parent == unit.parent  # the same file system, so that a rename is enough
    assert listing(tmp_path) == {"model/task/a": "1"}


def test_nothing_is_left_of_a_unit_that_raises(tmp_path: Path) -> None:
    def half() -> None:
        with store.new_unit(tmp_path / "model" / "task") as folder:
            (folder / "a").write_text("1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert list((tmp_path / "model").iterdir()) == []


def test_an_older_unit_is_replaced_whole(tmp_path: Path) -> None:
    unit = tmp_path / "model" / "task"
    for name in ("old", "new"):
        with store.new_unit(unit) as folder:
            (folder / name).write_text(name)
    assert listing(tmp_path) == {"model/task/new": "new"}
    assert [one.name for one in unit.parent.iterdir()] == ["task"]


def test_an_older_unit_stays_when_the_new_one_raises(tmp_path: Path) -> None:
    unit = tmp_path / "model" / "task"
    with store.new_unit(unit) as folder:
        (folder / "old").write_text("old")
    with pytest.raises(ValueError, match="no"), store.new_unit(unit) as folder:
        raise ValueError("no")
    assert listing(tmp_path) == {"model/task/old": "old"}


KILLED = """
import sys, time
from pathlib import Path
from s2eval import store
unit = Path(sys.argv[1])
with store.new_unit(unit) as folder:
    (folder / "unit.json").write_text('{"key": "k"}')
    with store.write_atomically(unit.parent.parent / "scores.csv") as file:
        file.write("half")
        file.flush()
        print("ready", flush=True)
        time.sleep(60)
"""


def test_a_killed_process_leaves_no_unit_and_its_leftovers_are_cleared(tmp_path: Path) -> None:
    run, done, unit = tmp_path, tmp_path / "model" / "done", tmp_path / "model" / "task"
    with store.new_unit(done) as folder:
        store.write_json(folder / "unit.json", {"key": "k"})
    with subprocess.Popen([sys.executable, "-c", KILLED, str(unit)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(timeout=10) == -signal.SIGKILL
    assert not unit.exists()
    assert not store.is_done(unit, "k")
    assert not (run / "scores.csv").exists()
    assert len(listing(run)) == 3  # the done unit's file, and two leftovers
    store.clear_unfinished(run)
    assert set(listing(run)) == {"model/done/unit.json"}
    assert [one.name for one in unit.parent.iterdir()] == ["done"]
    with store.new_unit(unit) as folder:
        (folder / "a").write_text("1")
    assert unit.is_dir()


def test_a_unit_is_done_with_the_same_key_only(tmp_path: Path) -> None:
    assert not store.is_done(tmp_path, "k")
    store.write_json(tmp_path / "unit.json", {"key": "k"})
    assert store.is_done(tmp_path, "k")
    assert not store.is_done(tmp_path, "l")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b"\xff"])
def test_a_broken_unit_is_not_done(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "unit.json").write_bytes(content)
    assert store.key_in(tmp_path / "unit.json") is None
    assert not store.is_done(tmp_path, "k")


def test_a_key_is_that_of_the_content() -> None:
    one = store.key_of({"b": [1, 2], "a": {"y": None, "x": "ä"}})
    assert one == store.key_of({"a": {"x": "ä", "y": None}, "b": [1, 2]})
    assert one != store.key_of({"a": {"x": "ä", "y": None}, "b": [2, 1]})
    assert len(one) == 16
    assert int(one, 16) >= 0


# --- disk and permissions: real ones ---------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("cannot mount a tmpfs here (needs root); /dev/full is tested without")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_told_and_the_older_unit_stays(small_disk: Path) -> None:
    unit = small_disk / "model" / "task"
    with store.new_unit(unit) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(PrerequisiteError, match="no space left") as caught, store.new_unit(unit) as folder:
        store.write_json(folder / "a", "x" * 100_000)
    assert str(unit) in str(caught.value)
    assert listing(small_disk) == {"model/task/a": "old"}
    with store.new_unit(unit) as folder:  # nothing of the failed one takes up the space
        (folder / "a").write_text("x" * 40_000)


def test_a_full_disk_leaves_the_old_file(small_disk: Path) -> None:
    path = small_disk / "scores.csv"
    store.write_scores(path, [ROW])
    before = path.read_text()
    with pytest.raises(PrerequisiteError, match="no space left") as caught, store.explain_os_errors(path):
        store.write_scores(path, [ROW] * 2000)
    assert str(path) in str(caught.value)
    assert listing(small_disk) == {"scores.csv": before}


def test_a_full_device_is_told(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    unit = tmp_path / "model" / "task"
    with (
        pytest.raises(PrerequisiteError, match="no space left") as caught,
        store.new_unit(unit),
        store.write_atomically(Path("/dev/full")) as file,
    ):
        file.write("x")
    assert str(unit) in str(caught.value)
    assert not unit.exists()


def test_a_missing_permission_is_told() -> None:
    place = Path("/sys/s2eval/model/task")  # where not even root may make a folder
    if not place.parents[2].is_dir():
        pytest.skip("needs /sys")
    with pytest.raises(PrerequisiteError, match="no permission") as caught, store.new_unit(place):
        pass
    assert "/sys/s2eval" in str(caught.value)
    assert "--out" in str(caught.value)


def test_a_file_where_a_folder_is_needed_is_told(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("")
    with pytest.raises(PrerequisiteError) as caught, store.new_unit(tmp_path / "model" / "task"):
        pass
    assert str(tmp_path / "model") in str(caught.value)


def test_a_folder_where_a_file_is_needed_is_told(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="directory") as caught, store.explain_os_errors(tmp_path):
        store.write_scores(tmp_path, [ROW])
    assert str(tmp_path) in str(caught.value)


def test_other_errors_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), store.explain_os_errors(tmp_path):
        (tmp_path / "nothing").read_text()
