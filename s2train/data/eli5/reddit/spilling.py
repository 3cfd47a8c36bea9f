"""A dump's posts and answers, spread over files by the hash of the post: read once, in little memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import orjson

from s2eval import store
from s2eval.errors import DataError
from s2eval.files.jsonl import BOM
from s2train.data.eli5.reddit.counts import EXAMPLES, ReadStats
from s2train.data.eli5.reddit.rows import Post, parse, row_of
from s2train.data.eli5.reddit.scan import candidates, is_reply
from s2train.data.files.lines import Lines

SUBREDDITS = ("explainlikeimfive", "AskHistorians", "askscience")

PARTS = 64  # files that posts are spread over by their hash; each is spread again while it is too large

BROKEN_SHARE = 0.01  # of the lines looked at in a file; more is an error
_BROKEN_ALLOWED = 10  # in a file, whatever their share
_FIRST = 100  # lines of a file that are parsed in any case: a foreign file is seen to be one, a subreddit's own too


class Spread:
    """Rows in `PARTS` files of a folder, by 6 bits of the hash of their post's id."""

    def __init__(self, folder: Path, level: int, stack: ExitStack) -> None:
        self._shift = 6 * level
        paths = (part(folder, number) for number in range(PARTS))
        self._files = [stack.enter_context(path.open("wb", buffering=2**15)) for path in paths]

    def write(self, link: bytes, row: bytes) -> None:
        self._files[zlib.crc32(link) >> self._shift & PARTS - 1].write(row)


def part(folder: Path, number: int) -> Path:
    return folder / f"part-{number:02d}.rows"


class _Reader:
    """Reads one file into a spread; counts."""

    def __init__(self, path: Path, subreddits: Sequence[str], broken_share: float) -> None:
        self.file = Lines(path)
        self.names = frozenset(name.lower() for name in subreddits)
        self._sorted_names = sorted(name.encode() for name in self.names)
        self._one_subreddit: bool | None = None
        self.broken_share = broken_share
        self.checked = self.broken = self.repaired = self.posts = self.comments = self.replies = 0
        self.examples: list[str] = []

    def run(self, spread: Spread) -> ReadStats:
        for block in self.file:
            for number, line in self._lines(block):
                if is_reply(line):
                    self.comments += 1
                    self.replies += 1
                else:
                    self._take(spread, number, line)
        self._check_share()
        return ReadStats(
            file=self.file.path.name,
            sha256=self.file.sha256,
            size=self.file.size,
            lines=self.file.lines,
            others=self.file.lines - self.posts - self.comments - self.broken,
            broken=self.broken,
            examples=tuple(self.examples),
            repaired=self.repaired,
            posts=self.posts,
            comments=self.comments,
            replies=self.replies,
        )

    def _lines(self, block: bytes) -> Iterator[tuple[int, bytes]]:
        """The lines to parse, with their numbers: the first, then all if those were all ours, else the candidates."""
        number, start = self.file.lines, 0
        while number < _FIRST and start < len(block):
            end = block.find(b"\n", start) + 1
            number += 1
            yield number, block[start:end]
            start = end
        if self._one_subreddit is None and number >= _FIRST:
            self._one_subreddit = self.posts + self.comments == number
        if self._one_subreddit:
            yield from enumerate(block[start:].split(b"\n")[:-1], start=number + 1)
            return
        rest = block[start:] if start else block
        counted = 0
        for begin, end in candidates(rest, self._sorted_names):
            number += rest.count(b"\n", counted, end)
            counted = end
            yield number, rest[begin:end]

    def _take(self, spread: Spread, number: int, line: bytes) -> None:
        try:
            thing, repaired = parse(line.removeprefix(BOM))
            subreddit = thing.get("subreddit")
            if not (isinstance(subreddit, str) and subreddit.lower() in self.names and subreddit.isascii()):
                self.checked += 1
                return
            row = row_of(thing)
        except (ValueError, RecursionError) as error:
            if line.strip():
                self._broken(line, error, number)
            return
        self.checked += 1
        self.repaired += repaired
        if isinstance(row, Post):
            self.posts += 1
            link = row.id.encode()
        else:
            self.comments += 1
            if row is None:
                self.replies += 1
                return
            link = row.link.encode()
        spread.write(link, b"%s\t%s\n" % (link, orjson.dumps(tuple(row))))

    def _broken(self, line: bytes, error: Exception, number: int) -> None:
        self.checked += 1
        self.broken += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{self.file.path}:{number}: {_what(line, error)}")
        if self.checked >= 1000:
            self._check_share()

    def _check_share(self) -> None:
        """Raise DataError where more lines are broken than a dump has."""
        few = self.broken <= max(_BROKEN_ALLOWED, self.broken_share * self.checked)
        if self.broken and not (few and self.broken < self.checked):
            examples = "".join(f"\n  {example}" for example in self.examples)
            raise DataError(
                f"{self.file.path}: {self.broken:,} of {self.checked:,} lines looked at are broken; up to "
                f"{self.broken_share:.1%}, or {_BROKEN_ALLOWED}, may be. Is it a dump of Reddit? The first:{examples}"
            )


def _what(line: bytes, error: Exception) -> str:
    try:
        line.decode()
    except UnicodeDecodeError as wrong:
        return f"not UTF-8: {wrong.reason} at column {wrong.start + 1}"
    if isinstance(error, json.JSONDecodeError):
        return f"broken JSON: {error.msg} at column {error.pos + 1}"
    return str(error)


def spill(path: Path, folder: Path, subreddits: Sequence[str] = SUBREDDITS, share: float = BROKEN_SHARE) -> ReadStats:
    """Write the rows of one dump to `folder`, which appears when it is complete.

    Raises:
        DataError: as `Lines` raises it, or too many lines are broken.
        PrerequisiteError: no space or no permission in `folder`, or not enough memory for the window.
    """
    with store.new_unit(folder) as unfinished:
        with ExitStack() as stack:
            stats = _Reader(path, subreddits, share).run(Spread(unfinished, 0, stack))
        (unfinished / _STATS).write_bytes(orjson.dumps(asdict(stats)))
    return stats


_STATS = "census.json"


def spilled(folder: Path) -> ReadStats | None:
    """The counts of a file that an interrupted run has finished."""
    try:
        fields = orjson.loads((folder / _STATS).read_bytes())
        return ReadStats(**{**fields, "examples": tuple(fields["examples"])})
    except (OSError, ValueError, TypeError):
        return None
