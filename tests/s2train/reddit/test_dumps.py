"""Several dumps at once: what is not there is told, and what an interrupted run has read is not read again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from s2eval.errors import DataError, PrerequisiteError, UsageError
from s2train.data.eli5 import reddit
from tests.s2train import dumps
from tests.s2train.dumps import MadeUp, comment, submission
from tests.s2train.reddit.things import balanced, made_up, many, read


def test_a_damaged_dump_leaves_no_records(tmp_path: Path) -> None:
    whole = dumps.write(tmp_path / "whole.zst", made_up(2)).read_bytes()
    (tmp_path / "cut.zst").write_bytes(whole[:-5])
    told = rf"cut.zst: cut off: .* at byte {len(whole) - 5:,} of the file, after line [\d,]+; fetch it again"
    with pytest.raises(DataError, match=told):
        reddit.write([tmp_path / "cut.zst"], tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    posts = dumps.write(tmp_path / "RS.zst", [submission("p")])
    out = tmp_path / "out.jsonl"
    with pytest.raises(DataError, match=r"no comments of r/explainlikeimfive, .* in 1 files of 1 lines; name RC_"):
        reddit.write([posts], out)
    with pytest.raises(DataError, match=r"no submissions of r/aww"):
        reddit.write([posts], out, subreddits=["aww"])
    with pytest.raises(DataError, match=r"cannot read .*RC.zst: No such file"):
        reddit.write([posts, tmp_path / "RC.zst"], out)
    with pytest.raises(DataError, match=r"cannot read .*: Is a directory"):
        reddit.write([tmp_path], out)
    with pytest.raises(UsageError, match=r"RS.zst is named twice"):
        reddit.write([posts, tmp_path / "." / "RS.zst"], out)
    with pytest.raises(UsageError, match=r"'r/aww' is no subreddit's name"):
        reddit.write([posts], out, subreddits=["r/aww"])


def test_a_dump_is_told_from_records(tmp_path: Path) -> None:
    found, _ = read(tmp_path, submission("p"), comment("c", "p"))
    assert found
    assert reddit.is_dump(tmp_path / "dump.zst")
    assert not reddit.is_dump(tmp_path / "out.jsonl")


# --- interrupted ---


def test_files_that_were_read_are_not_read_again(tmp_path: Path) -> None:
    posts = dumps.write(tmp_path / "RS.zst", [submission("p")])
    comments = dumps.write(tmp_path / "RC.zst", many(3)[1:])
    whole = comments.read_bytes()
    comments.write_bytes(whole[:-10])
    work, out = tmp_path / "work", tmp_path / "out.jsonl"
    with pytest.raises(DataError, match="cut off"):
        reddit.write([posts, comments], out, work=work)
    assert len(list(work.glob("reddit-*/census.json"))) == 1
    assert not out.exists()
    comments.write_bytes(whole)
    content, time_before = posts.read_bytes(), posts.stat().st_mtime_ns
    posts.write_bytes(b"x" * len(content))  # the same to the eye: size and time; it is not opened
    os.utime(posts, ns=(time_before, time_before))
    summary = reddit.write([posts, comments], out, work=work)
    assert (summary.records, summary.answers) == (1, 3)
    assert not work.exists()


def test_rows_of_other_subreddits_or_of_a_changed_file_are_not_taken_up(tmp_path: Path) -> None:
    posts = dumps.write(tmp_path / "RS.zst", [submission("p"), submission("q", subreddit="aww")])
    work, out = tmp_path / "work", tmp_path / "out.jsonl"
    with pytest.raises(DataError, match="no comments"):
        reddit.write([posts], out, work=work)
    before = list(work.glob("reddit-*"))
    comments = dumps.write(tmp_path / "RC.zst", [comment("d", "q", subreddit="aww")])
    with reddit.joined([posts, comments], work, subreddits=["aww"]) as found:
        assert [orjson.loads(row)["q_id"] for row in found] == ["q"]
        assert not before[0].exists()  # cleared
    assert not work.exists()


def test_what_else_lies_in_the_work_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.txt").write_text("mine")
    read(tmp_path, *many(2), work=tmp_path / "work")
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["mine.txt"]


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    path = dumps.write(tmp_path / "a.zst", many(2))
    with reddit.joined([path], tmp_path / "work"):  # noqa: SIM117
        with pytest.raises(UsageError, match="in use by another run"), reddit.joined([path], tmp_path / "work"):
            pass


def test_an_unwritable_place(tmp_path: Path) -> None:
    path = dumps.write(tmp_path / "a.zst", many(2))
    (tmp_path / "file").write_text("")
    with pytest.raises(PrerequisiteError, match="cannot be written"):
        reddit.write([path], tmp_path / "file" / "out.jsonl")


def test_killed_it_leaves_no_output_and_the_next_run_gives_the_whole(tmp_path: Path) -> None:
    things = made_up(3, posts=400)
    files = [
        dumps.write(tmp_path / "RS.zst", (one for one in things if "title" in one)),
        dumps.write(tmp_path / "RC.zst", (one for one in things if "body" in one)),
    ]
    reddit.write(files, tmp_path / "expected.jsonl")
    pipe = tmp_path / "RC.pipe"
    os.mkfifo(pipe)
    program = (
        "import sys; from pathlib import Path; from s2train.data.eli5 import reddit; "
        "reddit.write([Path(name) for name in sys.argv[2:]], Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "out.jsonl"), str(files[0]), str(pipe)]
    with subprocess.Popen(command) as process, pipe.open("wb") as file:  # opens when it comes to the second file
        file.write(files[1].read_bytes()[:5000])
        file.flush()
        work = tmp_path / ".out.jsonl.work"
        deadline = time.monotonic() + 30
        while not list(work.glob(".unfinished-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "out.jsonl").exists()
    assert list(work.glob(".unfinished-*"))
    assert list(work.glob("reddit-*/census.json"))
    reddit.write(files, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "expected.jsonl").read_bytes()
    assert not work.exists()


def test_made_up_dumps_are_the_same_for_a_seed_and_of_the_size_asked_for(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        MadeUp(5).files(tmp_path / name, 1)
    first, second = ([path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("a", "b"))
    assert first == second
    summary = reddit.write(sorted((tmp_path / "a").iterdir()), tmp_path / "out.jsonl")
    posts, comments = sum(file.posts for file in summary.files), sum(file.comments for file in summary.files)
    size = sum(file.size for file in summary.files)
    assert posts == 2000
    assert 5 < comments / posts < 11  # 8 in the mean
    assert 1200 < size / (posts + comments) < 2200
    assert balanced(summary)
    assert summary.duplicate_posts == summary.duplicate_comments == summary.comments_left_out[reddit.NO_POST] == 0
