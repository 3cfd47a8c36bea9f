"""Dumps of a few made-up things, read and counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2train.data.eli5 import reddit
from tests.s2train import dumps
from tests.s2train.dumps import START, MadeUp, comment, line, submission


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


def read(
    folder: Path, *things: bytes | Mapping[str, Any], name: str = "dump.zst", **options: Any
) -> tuple[list[dict[str, Any]], reddit.Summary]:
    """The records of one file with these lines."""
    summary = reddit.write([dumps.write(folder / name, things)], folder / "out.jsonl", **options)
    return records(folder / "out.jsonl"), summary


def balanced(summary: reddit.Summary) -> bool:
    """Whether every line, every post and every comment is counted once."""
    files = summary.files
    posts, comments = sum(file.posts for file in files), sum(file.comments for file in files)
    return (
        all(file.lines == file.others + file.broken + file.posts + file.comments for file in files)
        and posts == summary.duplicate_posts + sum(summary.posts_left_out.values()) + summary.records
        and comments
        == sum(file.replies for file in files)
        + summary.duplicate_comments
        + sum(summary.comments_left_out.values())
        + summary.answers
    )


def made_up(seed: int, posts: int = 120, share: float = 0.7) -> list[dict[str, Any]]:
    """Things with creation times of their own, so that the order is the times'."""
    things = [one for post, comments in MadeUp(seed, share=share).posts(posts) for one in (post, *comments)]
    for number, thing in enumerate(things):
        thing["created_utc"] = START + number * 7919 % 100_003
    return things


def many(number: int = 30) -> list[bytes]:
    return [line(submission("p")), *(line(comment(f"c{place}", "p")) for place in range(number))]
