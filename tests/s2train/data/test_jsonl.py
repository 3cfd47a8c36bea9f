"""Files appear whole or not at all: what an error, Ctrl-C or a kill leaves, and what the next process makes of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from s2eval.errors import DataError, PrerequisiteError
from s2train.data.files.jsonl import Source, read_again, replacing
from tests.s2train.data.folders import contents, lines

NAMES = ("a/one.jsonl", "b/two.jsonl", "three.json")


class Row(BaseModel):
    """A line."""

    n: int


def put(folder: Path, value: str) -> None:
    with replacing(folder, NAMES) as sinks:
        for sink in sinks:
            sink.write(value)


def test_all_appear_together_with_what_was_written(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with replacing(out, NAMES) as (one, two, three):
        one.write({"b": "é", "a": 1})
        one.write_line(b"2\n")
        two.append(b"xx")
        three.write([1], indent=2)
        assert [path.name for path in out.rglob("*") if path.is_file() and not path.name.startswith(".")] == []
    assert contents(out) == {
        "a/one.jsonl": '{"b": "é", "a": 1}\n2\n'.encode(),
        "b/two.jsonl": b"xx",
        "three.json": b"[\n  1\n]\n",
    }
    assert (one.rows, two.rows, three.rows) == (2, 0, 1)
    assert two.sha256 == "5dde896887f6754c9b15bfe3a441ae4806df2fde94001311e08bf110622e0bbe"  # printf xx | sha256sum


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_all_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    def fail(folder: Path) -> None:
        with replacing(folder, NAMES) as sinks:
            sinks[0].write("new")
            raise error

    out = tmp_path / "new" / "out"
    with pytest.raises(error):
        fail(out)
    assert not (tmp_path / "new").exists()
    put(out, "old")
    before = contents(out)
    with pytest.raises(error):
        fail(out)
    assert contents(out) == before


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_ctrl_c_while_files_are_put_in_place_waits_for_the_last(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "old")
    put(tmp_path / "new", "new")
    expected = contents(tmp_path / "new")
    replace: Callable[[Path, Path], Path] = Path.replace
    moved: list[Path] = []

    def interrupted(self: Path, target: Path) -> Path:
        moved.append(target)
        if len(moved) == number + 1:
            os.kill(os.getpid(), signal.SIGINT)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        put(out, "new")
    assert contents(out) == expected
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_a_killed_process_left_is_removed_and_a_living_ones_stays(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / "a").mkdir()
    for process in (ended.pid, os.getppid()):
        (tmp_path / "a" / f".one.jsonl.{process}.tmp").write_text("half")
    (tmp_path / "a" / ".one.jsonl.mine.tmp").write_text("mine")
    put(tmp_path, "new")
    hidden = sorted(name for name in contents(tmp_path) if "/." in name)
    assert hidden == sorted([f"a/.one.jsonl.{os.getppid()}.tmp", "a/.one.jsonl.mine.tmp"])


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DataError, match=r"cannot write in .*/file: (Not a directory|File exists); choose another --out"
    ):
        put(tmp_path / "file", "new")


def test_a_full_device_is_told(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    put(tmp_path, "old")
    before = contents(tmp_path)

    def fill() -> None:
        with replacing(tmp_path, NAMES) as sinks, Path("/dev/full").open("wb") as full:
            sinks[1].file = full
            sinks[1].write("x" * 100_000)

    with pytest.raises(PrerequisiteError, match=r"no space left on the disk of .*: make room, then run it again"):
        fill()
    assert contents(tmp_path) == before


def test_a_file_that_is_not_the_one_that_was_told_of(tmp_path: Path) -> None:
    path = lines(tmp_path / "eli5.jsonl", [{"n": 1}, {"n": 2}])
    source = Source(path, Row)
    assert [row.n for row in source] == [1, 2]
    assert [row.n for row in read_again(path, Row, source.sha256)] == [1, 2]
    told = r"eli5\.jsonl: not the file that eli5\.json describes; read it again, with --input"
    with pytest.raises(DataError, match=told):
        list(read_again(path, Row, "0" * 64))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"n": 1}\n\n{"n": \n', ":3: broken JSON: EOF while parsing a value at column 5"),
        (b'{"n": 1}\n{"n": "x"}\n', ":2: field 'n': Input should be a valid integer"),
        (b'{"n": 1}\n[2]\n', ":2: Input should be an object"),
        (b'{"n": 1}\n{"m": 1}\n', ":2: field 'n': Field required"),
        (b'{"n": 1}\n{"n": 2\n', ":2: broken JSON"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(data)
    with pytest.raises(DataError) as raised:
        list(Source(path, Row))
    assert str(raised.value).startswith(f"{path}{told}")
