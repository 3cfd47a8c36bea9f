"""A run that is stopped leaves the old or the new, and the same command then gives what it would have given at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.s2train import dumps
from tests.s2train.data.folders import ROOT, article, built, command, contents, lines, plain, post, refused
from tests.s2train.dumps import MadeUp

FILES = 16  # candidates and what is told of them; eli5, wiki and full, two sides in two forms; the card, the manifest
SOME = (0, 1, 2, FILES - 1)  # of the files that are put in place, counted from 0


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder of 40 posts and 40 articles."""
    out = tmp_path / "out"
    built("wiki", "--input", lines(tmp_path / "w", map(article, range(40))), "--out", out, "--config", plain(tmp_path))
    built("eli5", "--input", lines(tmp_path / "e", map(post, range(40))), "--out", out)
    return out


def stopped(out: Path, at: str, by: signal.Signals, moments: Sequence[float]) -> list[dict[str, Any]]:
    """Read 150 posts, draw another split, and be stopped; see `kills`."""
    source = lines(out.parent / "more.jsonl", map(post, range(150)))
    options = ["--input", str(source), "--processes", "1", "--seed", "1"]
    task = {"out": str(out), "command": ["data", "eli5", *options], "at": at, "signal": by, "moments": moments}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("kills.py"))],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["stops"]


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_stopped_at_any_moment(old: Path, by: signal.Signals) -> None:
    """At six moments from the first to the last: the files are all old, or those of the first step are new, or
    all are; only a kill between two replacements could be seen, and each file is whole even then."""
    stops = stopped(old, "moment", by, [(number + 0.5) / 6 for number in range(6)])
    assert all(one["ends_well"] for one in stops)
    assert not [one["neither"] for one in stops if one["neither"]]
    assert {(one["old"], one["new"]) for one in stops} <= {(FILES, 0), (FILES - 2, 2), (0, FILES)}
    assert (stops[0]["old"], stops[0]["manifest"]) == (FILES, False)  # early enough to see something
    assert all(one["manifest"] == (one["new"] == FILES) for one in stops)


def test_interrupted_while_files_are_put_in_place_none_is_left_behind(old: Path) -> None:
    stops = stopped(old, "replacement", signal.SIGINT, SOME)
    assert [one["code"] for one in stops] == [130] * len(SOME)
    assert [(one["old"], one["new"]) for one in stops] == [(FILES - 2, 2)] * 2 + [(0, FILES)] * (len(SOME) - 2)
    assert all(one["ends_well"] for one in stops)


def test_killed_while_files_are_put_in_place_the_manifest_is_the_last(old: Path) -> None:
    stops = stopped(old, "replacement", signal.SIGKILL, SOME)
    assert [one["code"] for one in stops] == [-signal.SIGKILL] * len(SOME)
    assert [(one["old"], one["new"]) for one in stops] == [(FILES - number, number) for number in SOME]
    assert not any(one["manifest"] for one in stops)
    assert all(one["ends_well"] for one in stops)


# --- real processes ---


def children(process: int) -> list[int]:
    done = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True)
    return [int(line) for line in done.stdout.split()]


def lives(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs named pipes and /proc")
@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_stopped_while_it_reads_with_several_processes(
    tmp_path: Path, old: Path, by: signal.Signals, code: int
) -> None:
    before = contents(old)
    rows = [json.dumps(post(number)).encode() + b"\n" for number in range(3000)]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    arguments = ["eli5", "--input", pipe, "--out", old, "--processes", 2]
    running = subprocess.Popen(command(*arguments), cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)
    with pipe.open("wb") as feed:  # opens as soon as the command reads
        feed.write(b"".join(rows[:2000]))
        feed.flush()
        deadline = time.monotonic() + 60
        while not (workers := children(running.pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.5)
        os.killpg(running.pid, by) if by == signal.SIGINT else os.kill(running.pid, by)  # as Ctrl-C does
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == code
    assert workers
    while any(map(lives, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(lives, workers))  # nobody waits for work that never comes
    left = contents(old)
    assert {name: data for name, data in left.items() if "/." not in name} == before
    if by == signal.SIGINT:
        assert left == before
        told = stderr.decode().splitlines()
        assert told[-1].startswith("error: interrupted; no file is half-written. To resume: s2train data eli5 --input")
        assert "Traceback" not in stderr.decode()
    source = tmp_path / "whole.jsonl"
    source.write_bytes(b"".join(rows))
    pipe.unlink()
    source.rename(pipe)  # of the same name, as that stands in the manifest
    built(*arguments[:-2])
    built("wiki", "--input", tmp_path / "w", "--out", tmp_path / "at once", "--config", plain(tmp_path))
    built("eli5", "--input", pipe, "--out", tmp_path / "at once")
    assert contents(old) == contents(tmp_path / "at once")


def test_dumps_that_were_read_are_not_read_again(tmp_path: Path) -> None:
    """Killed while it joins: the next run of the command reads neither file."""
    things = list(MadeUp(3).posts(400))
    posts = dumps.write(tmp_path / "RS.zst", (one for one, _ in things))
    comments = dumps.write(tmp_path / "RC.zst", (one for _, some in things for one in some))
    arguments = ["eli5", "--input", posts, comments, "--config", plain(tmp_path), "--processes", 1]
    built(*arguments, "--out", tmp_path / "at once")
    out = tmp_path / "out"
    script = (
        "import os, signal, sys; from s2train.cli import main; from s2train.data.eli5.reddit import joining\n"
        "joining.merged = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "main(sys.argv[1:])"
    )
    program = [sys.executable, "-c", script, "data", *map(str, arguments), "--out", str(out)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list(out.glob("candidates/.reddit/reddit-*/census.json"))) == 2
    for path in (posts, comments):
        data, status = path.read_bytes(), path.stat()
        half = len(data) // 2
        path.write_bytes(data[:half] + bytes(len(data) - half))  # the same to the eye: size, time, and its first line
        os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    built(*arguments, "--out", out)
    assert contents(out) == contents(tmp_path / "at once")


# --- a full disk ---


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mounted)]
    try:
        can = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        can = False
    if not can:
        pytest.skip("cannot mount a tmpfs here (needs root); test_jsonl.py has /dev/full")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


@pytest.mark.parametrize(("posts", "step"), [(6000, "reading"), (1700, "building")])
def test_a_full_disk_is_told_and_nothing_changes(tmp_path: Path, disk: Path, posts: int, step: str) -> None:
    """A post makes 190 bytes of candidates, and as much again in each of two forms of its set."""
    out, config = disk / "out", plain(tmp_path)
    built("eli5", "--input", lines(tmp_path / "few", map(post, range(20))), "--out", out, "--config", config)
    before = contents(out)
    source = lines(tmp_path / "many", map(post, range(posts)))
    message = refused("eli5", "--input", source, "--out", out, code=1)
    place = out / "candidates" if step == "reading" else out
    assert message == f"error: no space left on the disk of {place}: make room, then run it again\n"
    after = contents(out)
    read = {"candidates/eli5.jsonl", "candidates/eli5.json"}
    assert {name for name in after if after[name] != before.get(name)} == (read if step == "building" else set())
    assert after.keys() == before.keys()
    built("eli5", "--input", tmp_path / "few", "--out", out)
    assert contents(out) == before


def test_a_full_disk_while_dumps_are_read(tmp_path: Path, disk: Path) -> None:
    files = MadeUp(3).files(tmp_path, 1)
    message = refused("eli5", "--input", *files, "--out", disk / "out", code=1)
    assert "no space left on the disk" in message
    assert not list((disk / "out").glob("*.*"))
