"""Each post with its answers, from the spread files: a part at a time, sorted by time on the disk."""

from __future__ import annotations

import heapq
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import orjson

from s2train.data.eli5.reddit.counts import DUPLICATE, NO_POST, POST_LEFT_OUT
from s2train.data.eli5.reddit.rows import Comment, Post
from s2train.data.eli5.reddit.spilling import PARTS, Spread, part

PART = 2**23  # bytes: what is joined, and what is sorted, in memory at a time
FAN_IN = 64  # sorted files merged at a time


def join(rows: Iterable[bytes], posts: Counter[str], comments: Counter[str]) -> list[bytes]:
    """All posts among the rows, each with its comments: lines `order TAB record NEWLINE`, unsorted.

    `rows` are `link TAB row NEWLINE`, all of their posts; `posts` and `comments` are counts by reason, to be added to.
    Of copies with one id the one that was retrieved last counts, so that what was deleted in the meantime is left out;
    of those, for the same result in any order, the one whose bytes are greatest.
    """
    things: dict[tuple[bytes, bool, str], tuple[int, bytes, Post | Comment]] = {}
    for line in rows:
        link, _, row = line.partition(b"\t")
        fields = orjson.loads(row)
        thing = Post(*fields) if len(fields) == len(Post._fields) else Comment(*fields)
        key, new = (link, isinstance(thing, Post), thing.id), (thing.seen, row, thing)
        if (old := things.get(key)) is not None:
            (posts if isinstance(thing, Post) else comments)[DUPLICATE] += 1
            new = max(old, new, key=lambda copy: copy[:2])
        things[key] = new
    post_of = {link: thing for (link, _, _), (_, _, thing) in things.items() if isinstance(thing, Post)}
    answers: dict[bytes, list[Comment]] = {}
    for (link, _, _), (_, _, thing) in things.items():
        if isinstance(thing, Post):
            posts[thing.reason or ""] += 1
            continue
        post = post_of.get(link)
        reason = thing.reason or (NO_POST if post is None else POST_LEFT_OUT if post.reason else "")
        comments[reason] += 1
        if not reason:
            answers.setdefault(link, []).append(thing)
    return [_record(post, answers.get(link, [])) for link, post in post_of.items() if not post.reason]


def _record(post: Post, answers: Sequence[Comment]) -> bytes:
    """A record behind its sort key: time, then id as a number (base 36)."""
    answers = sorted(answers, key=lambda answer: (answer.created, len(answer.id), answer.id))
    record = {
        "q_id": post.id,
        "title": post.title,
        "selftext": post.text,
        "subreddit": post.subreddit,
        "category": post.category,
        "score": post.score,
        "created_utc": post.created,
        "answers": {
            "a_id": [answer.id for answer in answers],
            "text": [answer.text for answer in answers],
            "score": [answer.score for answer in answers],
            "created_utc": [answer.created for answer in answers],
        },
    }
    return b"%012d%02d%s\t%s\n" % (post.created, len(post.id), post.id.encode(), orjson.dumps(record))


def pieces(paths: Sequence[Path], scratch: Path, level: int) -> Iterator[Iterator[bytes]]:
    """The rows of files that share their posts, in pieces that fit into memory and share none."""
    if level * 6 >= 30 or sum(path.stat().st_size for path in paths) <= PART:
        yield _rows(paths)
        return
    folder = scratch / f"level-{level}"
    folder.mkdir()
    with ExitStack() as stack:
        spread = Spread(folder, level, stack)
        for row in _rows(paths):
            spread.write(row.partition(b"\t")[0], row)
    for number in range(PARTS):
        yield from pieces([part(folder, number)], scratch, level + 1)
    shutil.rmtree(folder)


def _rows(paths: Sequence[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            yield from file


def sorted_files(pieces: Iterable[list[bytes]], scratch: Path) -> list[Path]:
    """Files of about `PART` bytes, each sorted."""
    paths: list[Path] = []
    lines: list[bytes] = []
    size = 0
    for piece in pieces:
        lines += piece
        size += sum(map(len, piece))
        if size > PART:
            paths.append(_sorted_file(lines, scratch / f"sorted-{len(paths)}"))
            lines, size = [], 0
    return [*paths, _sorted_file(lines, scratch / f"sorted-{len(paths)}")]


def _sorted_file(lines: list[bytes], path: Path) -> Path:
    with path.open("wb") as file:
        file.writelines(sorted(lines))
    return path


def merged(paths: list[Path], scratch: Path) -> Iterator[bytes]:
    """The lines of sorted files in order; files above `FAN_IN` are merged on the disk first."""
    for number in count():
        if len(paths) <= FAN_IN:
            break
        first, paths = paths[:FAN_IN], paths[FAN_IN:]
        paths.append(scratch / f"merged-{number}")
        with paths[-1].open("wb") as file:
            file.writelines(merged(first, scratch))
        for path in first:
            path.unlink()
    with ExitStack() as stack:
        yield from heapq.merge(*(stack.enter_context(path.open("rb")) for path in paths))
