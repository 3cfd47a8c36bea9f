"""Interrupted merges: what is kept, what is done again, and that nothing half-written is taken for a model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from s2eval.errors import PrerequisiteError, UsageError
from s2train.merge import stream
from tests.s2train.merge import tiny


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Six shards."""
    folder = tmp_path_factory.mktemp("pair")
    base = tiny.base(folder / "base", shard="60KB", num_hidden_layers=3)
    assert len(list(base.glob("*.safetensors"))) > 5
    return base, tiny.train(tiny.load(base), folder / "adapter")


@pytest.fixture(scope="module")
def undisturbed(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    tiny.merged(*pair, out)
    return contents(out)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class StoppedError(Exception):
    """What stands for a power cut."""


def interrupted(pair: tuple[Path, Path], out: Path, after: float, method: str = "bf16") -> None:
    """A merge that ends after that share of its bytes."""
    job = tiny.job(*pair, out, method)
    written = 0

    def progress(count: int) -> None:
        nonlocal written
        written += count
        if written >= after * job.size:
            raise StoppedError

    with pytest.raises(StoppedError):
        job.run(progress)


def is_model(folder: Path) -> bool:
    return (folder / "config.json").exists()


@pytest.mark.parametrize("after", [0, 0.3, 0.6, 0.999])
def test_a_second_run_finishes_the_first(
    pair: tuple[Path, Path], undisturbed: dict[str, bytes], tmp_path: Path, after: float
) -> None:
    out = tmp_path / "out"
    interrupted(pair, out, after)
    assert not out.exists()
    assert not any(is_model(path) for path in tmp_path.rglob("*") if path.is_dir())
    tiny.merged(*pair, out)
    assert contents(out) == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # nothing is left beside it


def test_whole_shards_are_not_written_again(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    interrupted(pair, out, 0.6)
    hidden = tmp_path / ".out.merging"
    journal = json.loads((tmp_path / ".out.merging.json").read_text())
    kept = {name: (hidden / name).stat().st_ino for name in journal["shards"]}
    assert len(kept) >= 2
    tiny.merged(*pair, out)
    assert {name: (out / name).stat().st_ino for name in kept} == kept  # the very files


def test_a_shard_that_is_not_what_the_journal_says_is_written_again(
    pair: tuple[Path, Path], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    interrupted(pair, out, 0.6)
    hidden = tmp_path / ".out.merging"
    first, second = list(json.loads((tmp_path / ".out.merging.json").read_text())["shards"])[:2]
    data = bytearray((hidden / first).read_bytes())
    data[-1] ^= 1  # one bit, at the same length
    (hidden / first).write_bytes(data)
    (hidden / second).unlink()
    tiny.merged(*pair, out)
    assert contents(out) == undisturbed


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1}', '{"key": "x", "shards": {}}'])
def test_a_journal_that_says_nothing_is_no_journal(
    pair: tuple[Path, Path], undisturbed: dict[str, bytes], tmp_path: Path, text: str
) -> None:
    out = tmp_path / "out"
    interrupted(pair, out, 0.6)
    (tmp_path / ".out.merging.json").write_text(text)
    tiny.merged(*pair, out)
    assert contents(out) == undisturbed


def test_what_was_begun_for_another_merge_is_not_gone_on_with(
    pair: tuple[Path, Path], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    interrupted(pair, out, 0.6, "qdq")
    assert list((tmp_path / ".out.merging").glob("*.safetensors"))
    tiny.merged(*pair, out)
    assert contents(out) == undisturbed


def test_a_merge_that_is_there_is_not_done_again(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    tiny.merged(*pair, out)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    (tmp_path / ".out.merging.json").write_text("{}")  # of a run that was killed in its last moment
    tiny.merged(*pair, out)
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_a_file_that_was_changed_since_is_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    tiny.merged(*pair, out)
    path = max(out.glob("*.safetensors"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UsageError, match=f"{path.name} was changed since"):
        tiny.merged(*pair, out)


def test_two_at_once_are_one_too_many(pair: tuple[Path, Path], tmp_path: Path) -> None:
    job = tiny.job(*pair, tmp_path / "out")
    second: list[str] = []

    def progress(_: int) -> None:
        if not second:
            with pytest.raises(PrerequisiteError, match="another process is merging") as caught:
                tiny.job(*pair, tmp_path / "out").run()
            second.append(str(caught.value))

    job.run(progress)
    assert second
    assert (tmp_path / "out" / "config.json").exists()


def test_a_full_disk_is_told_and_the_run_resumes(
    pair: tuple[Path, Path], undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write = stream.Hashing.write
    room = iter([True] * 20)

    def full(self: stream.Hashing, data: Any) -> None:
        if not next(room, False):
            raise OSError(28, "No space left on device")
        write(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(stream.Hashing, "write", full)
        with pytest.raises(PrerequisiteError, match="no space left on the disk"):
            tiny.merged(*pair, out)
    tiny.merged(*pair, out)
    assert contents(out) == undisturbed


# --- killed ----------------------------------------------------------------------------------------------------

_PROGRAM = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from s2train.merge.job import Request
from s2train.merge.preparation import prepare

job = prepare(Request({base!r}, ({adapter!r},), "bf16", Path({out!r})))
print("ready", flush=True)
job.run(lambda _: time.sleep(0.004))
"""


@pytest.fixture
def killed(pair: tuple[Path, Path], tmp_path: Path) -> Iterator[Any]:
    """Starts a merge in another process, slowed down, and kills it after so many seconds of writing."""
    out = tmp_path / "out"
    root = str(Path(__file__).parents[3])
    text = _PROGRAM.format(root=root, base=str(pair[0]), adapter=str(pair[1]), out=str(out))
    started: list[subprocess.Popen[str]] = []

    def kill(after: float) -> None:
        process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(after)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    yield kill
    for process in started:
        if process.poll() is None:
            process.kill()


def test_killed_at_some_moments_the_files_are_the_same_in_the_end(
    pair: tuple[Path, Path], undisturbed: dict[str, bytes], tmp_path: Path, killed: Any
) -> None:
    out = tmp_path / "out"
    for after in (0.01, 0.15, 0.25):
        killed(after)
        for folder in (out, tmp_path / ".out.merging"):  # the configuration comes last, right before the name
            assert not is_model(folder) or contents(folder) == undisturbed
        assert not out.exists() or is_model(out)
    tiny.merged(*pair, out)
    assert contents(out) == undisturbed
