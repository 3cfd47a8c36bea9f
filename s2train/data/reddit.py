"""Reddit's dumps of submissions and comments (Pushshift, Arctic Shift) become records of the ELI5 schema.

    lines (zst) → those that may name a subreddit → posts and top-level comments, each with why it is left out
    → files by hash of the post (spill) → one post with its comments at a time (join) → by time (merge)

Memory holds one block of lines and one part of `PART` bytes, however large the dumps; the decompression window, up to
2 GiB, comes on top. The records do not depend on the order of the files, nor on how they are compressed.
Fields: https://github.com/ArthurHeitmann/arctic_shift (schemas, file_content_explanations.md).
"""

from __future__ import annotations

import heapq
import json
import re
import shutil
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import orjson

import s2train
from s2eval import store
from s2eval.errors import DataError, UsageError
from s2train.data.zst import Lines

SUBREDDITS = ("explainlikeimfive", "AskHistorians", "askscience")

PARTS = 64  # files that posts are spread over by their hash; each is spread again while it is larger than
PART = 2**23  # bytes: what is joined, and what is sorted, in memory at a time
FAN_IN = 64  # sorted files merged at a time

BROKEN_SHARE = 0.01  # of the lines looked at in a file; more is an error
_BROKEN_ALLOWED = 10  # in a file, whatever their share
_EXAMPLES = 5
_FIRST = 100  # lines of a file that are parsed in any case: a foreign file is seen to be one, a subreddit's own too

_FORMAT = 1  # of the spilled rows: what another version left is not taken up

# --- which lines may be of a subreddit ---

# In JSON a letter, digit or underscore is written as itself or as \u00XX, and in no other way.
_ESCAPED_WORD = re.compile(rb"\\u00(?:3[0-9]|[46][1-9a-f]|[57][0-9a]|5f)")


def candidates(block: bytes, names: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Where lines of `block` begin and end that may hold one of `names`: none that does is missed.

    Args:
        block: whole lines, each with its `\\n`.
        names: ASCII letters, digits and underscores in lower case; JSON may spell them in any case and with escapes.
    """
    folded = block.lower()
    last = -1
    for start, end in heapq.merge(*(_spans(folded, name) for name in names), _escaped_spans(folded)):
        if start != last:
            yield start, end
        last = start


def _spans(folded: bytes, name: bytes) -> Iterator[tuple[int, int]]:
    """The lines that hold the name."""
    place = folded.find(name)
    while place >= 0:
        end = folded.find(b"\n", place) + 1
        yield folded.rfind(b"\n", 0, place) + 1, end
        place = folded.find(name, end)


def _escaped_spans(folded: bytes) -> Iterator[tuple[int, int]]:
    """The lines that hold an escaped letter, digit or underscore."""
    for start, end in _spans(folded, b"\\u00"):  # seen many times faster than the expression
        if _ESCAPED_WORD.search(folded, start, end):
            yield start, end


def is_reply(line: bytes) -> bool:
    """Whether a line is seen by its bytes to be no answer, but a comment on a comment; most comments are.

    Without an escape all keys are literal: the only `"parent_id"` in the line is the comment's own, or it has none.
    """
    place = line.rfind(b'"parent_id"')
    return (
        line[place + 11 : place + 16] == b':"t1_'
        and place >= 0
        and line.find(b'"parent_id"', 0, place) < 0
        and b"\\u00" not in line
    )


# --- what is left out ---


@dataclass(frozen=True, slots=True)
class Rule:
    """A named reason for which a post or a comment, as the dump has it, is left out."""

    name: str
    leaves_out: Callable[[Mapping[str, Any]], bool]


_GONE = re.compile(r"[ \t\n]*\[\s*(?:deleted|removed|unavailable)(?: by [^\]]*)?\s*\]\s*", re.IGNORECASE)
_NO_BOT_NAME = re.compile(  # words that end so; `RoBot` is none
    r"(?:[Rr]obot|ROBOT|(?:\A|[\d_-]|(?<=[a-z])(?=[A-Z]))(?:[Aa]bbot|[Cc]abot|[Tt]albot|[Tt]urbot))[\d_-]*\Z"
)
_MARKUP = re.compile(r"[\^*_~()\[\]\\]")
_BOT_MARK = re.compile(
    r"\b(?:i am|i[’']m) an? (?:\S+ ){0,2}bot\b"
    r"|\bthis (?:action|comment|message) was (?:performed|posted|generated) automatically\b"
    r"|^your (?:submission|post|question|comment) (?:has been|was) (?:automatically )?removed\b"
)
_BOT_WORD = re.compile(r"bot(?<![a-z]bot)(?![a-z])")  # begins with letters, so that re finds them fast
# Bots whose names do not end in "bot".
KNOWN_BOTS = frozenset(
    {
        "automoderator",
        "botdefense",
        "eli5_botmod",
        "imagesofnetwork",
        "imgurtranscriber",
        "linkfixerbotsnr",
        "mentioned_videos",
        "profanitycounter",
        "qualityvote",
        "savevideo",
        "totesmessenger",
        "vredditdownloader",
        "xkcd_transcriber",
    }
)


def deleted(thing: Mapping[str, Any]) -> bool:
    """By its author, a moderator or Reddit: a mark in place of the text or title, or a field that says so.

    What the archive had saved before it was deleted is left out as well.
    """
    meta = thing.get("_meta")
    if thing.get("removed_by_category") or thing.get("banned_by") or (meta and meta.get("was_deleted_later")):
        return True
    return _gone(thing.get("body")) or _gone(thing.get("title")) or _gone(thing.get("selftext"))


def _gone(text: str | None) -> bool:
    return bool(text and text[0] in "[ \t\n" and _GONE.fullmatch(text))


def author_gone(thing: Mapping[str, Any]) -> bool:
    """The account does not exist any more."""
    author = thing.get("author")
    return not author or _gone(author)


def bot_author(thing: Mapping[str, Any]) -> bool:
    """AutoModerator, the table `KNOWN_BOTS`, and names that end in "bot" but in no word such as "robot"."""
    author = thing.get("author") or ""
    name = author.lower().rstrip("0123456789_-")
    if name.endswith(("bot", "-modteam")):
        return not _NO_BOT_NAME.search(author)
    return name in KNOWN_BOTS


def bot_mark(thing: Mapping[str, Any]) -> bool:
    """Text by which bots tell that they are some, whatever its markup: `^(I am a bot)`."""
    text = (thing.get("body") or "").lower()
    if _BOT_WORD.search(text) or "automatically" in text or "removed" in text[:200]:  # one is in each mark; seen fast
        return bool(_BOT_MARK.search(" ".join(_MARKUP.sub(" ", text).split())))
    return False


def stickied(thing: Mapping[str, Any]) -> bool:
    return thing.get("stickied") is True


def distinguished(thing: Mapping[str, Any]) -> bool:
    """Written as moderator or as Reddit's staff."""
    return bool(thing.get("distinguished"))


def collapsed(thing: Mapping[str, Any]) -> bool:
    return thing.get("collapsed") is True


def no_score(thing: Mapping[str, Any]) -> bool:
    return thing.get("score") is None


# In this order; the first that applies counts.
POST_RULES = (
    Rule("deleted or removed", deleted),
    Rule("author deleted", author_gone),
    Rule("bot", bot_author),
    Rule("stickied", stickied),
    Rule("by a moderator", distinguished),
)
COMMENT_RULES = (
    *POST_RULES[:3],
    Rule("bot's words", bot_mark),
    *POST_RULES[3:],
    Rule("collapsed", collapsed),
    Rule("no score", no_score),
)

# --- a line ---


class Post(NamedTuple):
    """A submission as it is spilled; `reason` tells why it is left out, its text is then empty."""

    id: str
    created: int
    seen: int
    reason: str | None
    score: int | None
    title: str
    text: str
    subreddit: str
    category: str | None


class Comment(NamedTuple):
    """A top-level comment as it is spilled, likewise; `link` is the post's id."""

    link: str
    id: str
    created: int
    seen: int
    reason: str | None
    score: int | None
    text: str


def parse(line: bytes) -> tuple[dict[str, Any], bool]:
    """A line's object, and whether halves of surrogate pairs in it became U+FFFD, as orjson takes none.

    Raises:
        ValueError: the line is no UTF-8, no JSON or no object.
    """
    repaired = False
    try:
        value = orjson.loads(line)
    except ValueError:
        if b"\\ud" not in line.lower():
            raise
        text = json.dumps(json.loads(line), ensure_ascii=False)
        value = orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        repaired = True
    if not isinstance(value, dict):
        raise ValueError(f"an object is expected, not {type(value).__name__}")
    return value, repaired


def row_of(thing: Mapping[str, Any]) -> Post | Comment | None:
    """What is spilled of a submission or comment; None of a reply.

    Raises:
        ValueError: a field is missing or of another type; which.
    """
    if "body" in thing:
        link, text = _string(thing, "link_id"), _string(thing, "body")
        if _string(thing, "parent_id") != link:
            return None
        if not link.startswith("t3_"):
            raise ValueError(f"field 'link_id': {link[:20]!r}, where t3_… is expected")
        reason = _reason(thing, COMMENT_RULES)
        return Comment(_checked_id(link[3:], "link_id"), *_common(thing, reason), "" if reason else text)
    if "title" not in thing:
        raise ValueError("neither a submission (title) nor a comment (body)")
    reason = _reason(thing, POST_RULES)
    title, text = ("", "") if reason else (_string(thing, "title"), _string(thing, "selftext", ""))
    category = None if reason else _string(thing, "link_flair_text", "") or None
    return Post(*_common(thing, reason), title, text, _string(thing, "subreddit"), category)


def _reason(thing: Mapping[str, Any], rules: Sequence[Rule]) -> str | None:
    try:
        for rule in rules:
            if rule.leaves_out(thing):
                return rule.name
        return None
    except (TypeError, AttributeError):  # the rules read text where there is text
        wrong = [name for name in ("author", "title", "selftext", "body") if _wrong(thing.get(name))]
        raise ValueError(f"field {wrong[0] if wrong else '_meta'!r}: text is expected") from None


def _wrong(value: object) -> bool:
    return value is not None and not isinstance(value, str)


def _common(thing: Mapping[str, Any], reason: str | None) -> tuple[str, int, int, str | None, int | None]:
    created = _number(thing, "created_utc")
    if created is None or not 0 <= created < 10**12:
        raise ValueError(f"field 'created_utc': {created!r}, where seconds since 1970 are expected")
    meta = thing.get("_meta")
    seen = _number(meta, "retrieved_2nd_on") if isinstance(meta, dict) else None
    seen = seen or _number(thing, "retrieved_on") or _number(thing, "retrieved_utc") or 0
    return _checked_id(_string(thing, "id"), "id"), created, seen, reason, _number(thing, "score")


def _string(thing: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = thing.get(name)
    if isinstance(value, str):
        return value
    if value is None and default is not None:
        return default
    raise ValueError(f"field {name!r}: {'missing' if name not in thing else 'text is expected'}")


def _number(thing: Mapping[str, Any], name: str) -> int | None:
    """Whole; early dumps have `"created_utc": "1420070400"`, later ones 1420070400.0."""
    value = thing.get(name)
    if type(value) is int or value is None:
        return value
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"field {name!r}: a number is expected, not {str(value)[:20]!r}") from None


def _checked_id(identity: str, name: str) -> str:
    if not (identity.isascii() and identity.isalnum() and len(identity) < 20):
        raise ValueError(f"field {name!r}: {identity[:20]!r} is no id")
    return identity


# --- counts ---


@dataclass(frozen=True, slots=True)
class Census:
    """What one file held: `lines == others + broken + posts + comments`.

    Attributes:
        file: its name, without the folders of this machine.
        sha256: of its bytes.
        size: bytes of JSON.
        lines: all.
        others: of other subreddits, or empty. They are not parsed but for a file's first ones: what is broken there
            is not seen.
        broken: no UTF-8, no JSON, or not the fields of a submission or comment.
        examples: the first broken ones, `path:line: what is wrong`.
        repaired: kept, with halves of surrogate pairs replaced.
        posts: submissions.
        comments: comments, replies among them.
        replies: comments on comments. Where bytes tell (`is_reply`) their subreddit is not looked at: one that only
            names ours, or stands in a dump that began with ours only, is counted here.
    """

    file: str
    sha256: str
    size: int
    lines: int
    others: int
    broken: int
    examples: tuple[str, ...]
    repaired: int
    posts: int
    comments: int
    replies: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the posts and the comments of all files.

    `posts == duplicate_posts + sum(posts_left_out.values()) + records`, and
    `comments == replies + duplicate_comments + sum(comments_left_out.values()) + answers`.

    Attributes:
        files: in the order in which they were named.
        duplicate_posts, duplicate_comments: further copies of one id.
        posts_left_out, comments_left_out: by rule; of comments also `NO_POST` and `POST_LEFT_OUT`.
        records: posts given, those without an answer too.
        answers: comments in them.
    """

    files: tuple[Census, ...]
    duplicate_posts: int
    posts_left_out: Mapping[str, int]
    records: int
    duplicate_comments: int
    comments_left_out: Mapping[str, int]
    answers: int

    def lines(self) -> list[str]:
        """The counts as lines of text to print."""
        files = self.files
        rows = [
            ("lines", sum(file.lines for file in files)),
            ("- other subreddits, or empty", sum(file.others for file in files)),
            ("- broken", sum(file.broken for file in files)),
            ("submissions", sum(file.posts for file in files)),
            (f"- {_DUPLICATE}", self.duplicate_posts),
            *((f"- {reason}", number) for reason, number in self.posts_left_out.items()),
            ("= records", self.records),
            ("comments", sum(file.comments for file in files)),
            ("- replies to comments", sum(file.replies for file in files)),
            (f"- {_DUPLICATE}", self.duplicate_comments),
            *((f"- {reason}", number) for reason, number in self.comments_left_out.items()),
            ("= answers", self.answers),
        ]
        examples = [f"  broken: {example}" for file in files for example in file.examples]
        return ["reddit", *(f"  {label:<34}{number:>13,}" for label, number in rows), *examples[:_EXAMPLES]]


NO_POST = "its submission is in no file"
POST_LEFT_OUT = "its submission is left out"
_DUPLICATE = "same id again"

# --- spill ---


class _Spread:
    """Rows in `PARTS` files of a folder, by 6 bits of the hash of their post's id."""

    def __init__(self, folder: Path, level: int, stack: ExitStack) -> None:
        self._shift = 6 * level
        paths = (_part(folder, number) for number in range(PARTS))
        self._files = [stack.enter_context(path.open("wb", buffering=2**15)) for path in paths]

    def write(self, link: bytes, row: bytes) -> None:
        self._files[zlib.crc32(link) >> self._shift & PARTS - 1].write(row)


def _part(folder: Path, number: int) -> Path:
    return folder / f"part-{number:02d}.rows"


class _Reader:
    """Reads one file into a spread; counts."""

    def __init__(self, path: Path, subreddits: Sequence[str], broken_share: float) -> None:
        self.file = Lines(path)
        self.names = frozenset(name.lower() for name in subreddits)
        self._sorted_names = sorted(name.encode() for name in self.names)
        self._one_subreddit: bool | None = None
        self.broken_share = broken_share
        self.looked_at = self.broken = self.repaired = self.posts = self.comments = self.replies = 0
        self.examples: list[str] = []

    def run(self, spread: _Spread) -> Census:
        for block in self.file:
            for number, line in self._lines(block):
                if is_reply(line):
                    self.comments += 1
                    self.replies += 1
                else:
                    self._take(spread, number, line)
        self._judge()
        return Census(
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
        """The lines to look at, with their numbers: a file's first ones, then all if those were all of ours (a
        subreddit's own dump), otherwise those that may be.
        """
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

    def _take(self, spread: _Spread, number: int, line: bytes) -> None:
        try:
            thing, repaired = parse(line)
            subreddit = thing.get("subreddit")
            if not (isinstance(subreddit, str) and subreddit.lower() in self.names and subreddit.isascii()):
                self.looked_at += 1
                return
            row = row_of(thing)
        except (ValueError, RecursionError) as error:
            if line.strip():
                self._broken(line, error, number)
            return
        self.looked_at += 1
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
        self.looked_at += 1
        self.broken += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{self.file.path}:{number}: {_what(line, error)}")
        if self.looked_at >= 1000:
            self._judge()

    def _judge(self) -> None:
        """Raise DataError where more lines are broken than a dump has."""
        few = self.broken <= max(_BROKEN_ALLOWED, self.broken_share * self.looked_at)
        if self.broken and not (few and self.broken < self.looked_at):
            examples = "".join(f"\n  {example}" for example in self.examples)
            raise DataError(
                f"{self.file.path}: {self.broken:,} of {self.looked_at:,} lines looked at are broken; up to "
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


def spill(path: Path, folder: Path, subreddits: Sequence[str] = SUBREDDITS, share: float = BROKEN_SHARE) -> Census:
    """Write the rows of one dump to `folder`, which appears whole or not at all.

    Raises:
        DataError: as `Lines` raises it, or too many lines are broken.
        PrerequisiteError: no space or no permission in `folder`, or not enough memory for the window.
    """
    with store.new_unit(folder) as unfinished:
        with ExitStack() as stack:
            census = _Reader(path, subreddits, share).run(_Spread(unfinished, 0, stack))
        (unfinished / _CENSUS).write_bytes(orjson.dumps(asdict(census)))
    return census


_CENSUS = "census.json"


def _spilled(folder: Path) -> Census | None:
    """What an interrupted run has finished."""
    try:
        fields = orjson.loads((folder / _CENSUS).read_bytes())
        return Census(**{**fields, "examples": tuple(fields["examples"])})
    except (OSError, ValueError, TypeError):
        return None


# --- join ---


def join(rows: Iterable[bytes], posts: Counter[str], comments: Counter[str]) -> list[bytes]:
    """All posts among the rows, each with its comments: lines `order TAB record NEWLINE`, unsorted.

    Of copies with one id the one that was retrieved last counts, so that what was deleted in the meantime is left
    out; of those, for the same result in any order, the one whose bytes are greatest.

    Args:
        rows: `link TAB row NEWLINE`, all that there are of their posts.
        posts, comments: counts by reason, to be added to.
    """
    things: dict[tuple[bytes, bool, str], tuple[int, bytes, Post | Comment]] = {}
    for line in rows:
        link, _, row = line.partition(b"\t")
        fields = orjson.loads(row)
        thing = Post(*fields) if len(fields) == len(Post._fields) else Comment(*fields)
        key, new = (link, isinstance(thing, Post), thing.id), (thing.seen, row, thing)
        if (old := things.get(key)) is not None:
            (posts if isinstance(thing, Post) else comments)[_DUPLICATE] += 1
            new = max(old, new, key=lambda one: one[:2])
        things[key] = new
    found = {link: thing for (link, _, _), (_, _, thing) in things.items() if isinstance(thing, Post)}
    answers: dict[bytes, list[Comment]] = {}
    for (link, _, _), (_, _, thing) in things.items():
        if isinstance(thing, Post):
            posts[thing.reason or ""] += 1
            continue
        post = found.get(link)
        reason = thing.reason or (NO_POST if post is None else POST_LEFT_OUT if post.reason else "")
        comments[reason] += 1
        if not reason:
            answers.setdefault(link, []).append(thing)
    return [_record(post, answers.get(link, [])) for link, post in found.items() if not post.reason]


def _record(post: Post, answers: Sequence[Comment]) -> bytes:
    """A record behind its place in the order: time, then id as the number it is (base 36)."""
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


def _pieces(paths: Sequence[Path], scratch: Path, level: int) -> Iterator[Iterator[bytes]]:
    """The rows of files that share their posts, in pieces that fit into memory and share none."""
    if level * 6 >= 30 or sum(path.stat().st_size for path in paths) <= PART:
        yield _rows(paths)
        return
    folder = scratch / f"level-{level}"
    folder.mkdir()
    with ExitStack() as stack:
        spread = _Spread(folder, level, stack)
        for row in _rows(paths):
            spread.write(row.partition(b"\t")[0], row)
    for number in range(PARTS):
        yield from _pieces([_part(folder, number)], scratch, level + 1)
    shutil.rmtree(folder)


def _rows(paths: Sequence[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            yield from file


def _sorted_files(pieces: Iterable[list[bytes]], scratch: Path) -> list[Path]:
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


def _merged(paths: list[Path], scratch: Path) -> Iterator[bytes]:
    for number in count():
        if len(paths) <= FAN_IN:
            break
        first, paths = paths[:FAN_IN], paths[FAN_IN:]
        paths.append(scratch / f"merged-{number}")
        with paths[-1].open("wb") as file:
            file.writelines(_merged(first, scratch))
        for path in first:
            path.unlink()
    with ExitStack() as stack:
        yield from heapq.merge(*(stack.enter_context(path.open("rb")) for path in paths))


@dataclass(slots=True)
class Joined:
    """The records of dumps that were spilled, to be read once; `summary` is final when the iteration has ended."""

    files: tuple[Census, ...]
    _folders: tuple[Path, ...]
    _scratch: Path
    _posts: Counter[str] = field(default_factory=Counter[str])
    _comments: Counter[str] = field(default_factory=Counter[str])

    def __iter__(self) -> Iterator[bytes]:
        """Lines of JSON, each with its `\\n`, in the order of the posts' `(created_utc, id)`; answers likewise."""
        with store.explain_os_errors(self._scratch):
            paths = _sorted_files(self._pieces(), self._scratch)
            for line in _merged(paths, self._scratch):
                yield line.partition(b"\t")[2]

    def _pieces(self) -> Iterator[list[bytes]]:
        for number in range(PARTS):
            parts = [_part(folder, number) for folder in self._folders]
            for rows in _pieces(parts, self._scratch, 1):
                yield join(rows, self._posts, self._comments)

    @property
    def summary(self) -> Summary:
        """The counts."""
        posts, comments = self._posts, self._comments
        return Summary(
            self.files,
            duplicate_posts=posts[_DUPLICATE],
            posts_left_out={rule.name: posts[rule.name] for rule in POST_RULES},
            records=posts[""],
            duplicate_comments=comments[_DUPLICATE],
            comments_left_out={
                **{rule.name: comments[rule.name] for rule in COMMENT_RULES},
                NO_POST: comments[NO_POST],
                POST_LEFT_OUT: comments[POST_LEFT_OUT],
            },
            answers=comments[""],
        )


@contextmanager
def joined(
    inputs: Sequence[Path],
    work: Path,
    *,
    subreddits: Sequence[str] = SUBREDDITS,
    broken_share: float = BROKEN_SHARE,
    tell: Callable[[Census], None] = lambda _: None,
) -> Generator[Joined, None, None]:
    """Read all dumps, in whatever order they come, and give their records.

    `work` takes the spilled rows (of a dump of these subreddits about a third of its JSON, as much again while the
    records are sorted). A run that stops in between leaves there which files it has read, and the next one goes on;
    what is half-made or of other files is cleared. When the block ends well nothing of it stays.

    Args:
        inputs: files of submissions and files of comments, plain or zstd; one file may hold both.
        work: a folder of its own, on a disk with space.
        subreddits: names, in any case.
        broken_share: more broken lines in a file than that, and than 10, are an error.
        tell: called with each file that has been read.

    Raises:
        UsageError: a file is named twice, a name is none, or another process uses `work`.
        DataError: as `spill` raises it; or there are no submissions, or no comments, of those subreddits.
        PrerequisiteError: as `spill` raises it.
    """
    from filelock import FileLock, Timeout

    folders = _folders(inputs, work, subreddits, broken_share)
    with ExitStack() as stack:
        with store.explain_os_errors(work):
            work.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(FileLock(work / _LOCK, timeout=0))
            except Timeout:
                raise UsageError(f"{work} is in use by another run; wait for it, or name another folder") from None
            _clear(work, keep=folders)
        files: list[Census] = []
        for path, folder in zip(inputs, folders, strict=True):
            files.append(_spilled(folder) or spill(path, folder, subreddits, broken_share))
            tell(files[-1])
        _refuse_nothing(files, subreddits)
        scratch = work / f"{store.TEMPORARY}sorting"
        scratch.mkdir()
        yield Joined(tuple(files), tuple(folders), scratch)
        _clear(work, keep=())
        (work / _LOCK).unlink(missing_ok=True)
        with suppress(OSError):  # where something else lies inside
            work.rmdir()


_LOCK = "reddit.lock"
_SPILLED = "reddit-"


def _folders(inputs: Sequence[Path], work: Path, subreddits: Sequence[str], share: float) -> list[Path]:
    """Where the rows of each file go: named by what determines them."""
    if wrong := [name for name in subreddits if not re.fullmatch(r"\w+", name, re.ASCII)]:
        raise UsageError(f"{wrong[0]!r} is no subreddit's name; expected e.g. {SUBREDDITS[0]!r}")
    if not subreddits:
        raise UsageError("no subreddit is named")
    folders: list[Path] = []
    for path in inputs:
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
        facts = {
            "file": str(path.resolve()),
            "status": (status.st_size, status.st_mtime_ns) if path.is_file() else uuid4().hex,  # a pipe is read anew
            "subreddits": sorted(name.lower() for name in subreddits),
            "share": share,
            "version": (s2train.__version__, _FORMAT),
        }
        folders.append(work / f"{_SPILLED}{store.key_of(facts)}")
        if folders.count(folders[-1]) > 1:
            raise UsageError(f"{path} is named twice")
    return folders


def _clear(work: Path, *, keep: Sequence[Path]) -> None:
    """Remove what runs have left in `work`, and nothing else."""
    store.clear_unfinished(work)
    for folder in work.glob(f"{_SPILLED}*"):
        if folder.is_dir() and folder not in keep:
            shutil.rmtree(folder)


def _refuse_nothing(files: Sequence[Census], subreddits: Sequence[str]) -> None:
    where = ", ".join(f"r/{name}" for name in subreddits)
    lines = sum(file.lines for file in files)
    for found, kind, name in (
        (sum(file.posts for file in files), "submissions", "RS_….zst or …_submissions.zst"),
        (sum(file.comments for file in files), "comments", "RC_….zst or …_comments.zst"),
    ):
        if not found:
            raise DataError(f"no {kind} of {where} in {len(files)} files of {lines:,} lines; name {name} as well")


def write(
    inputs: Sequence[Path],
    out: Path,
    *,
    work: Path | None = None,
    subreddits: Sequence[str] = SUBREDDITS,
    broken_share: float = BROKEN_SHARE,
) -> Summary:
    """Write the records of dumps to `out`, which appears whole or not at all; otherwise as `joined`.

    `work` is `.NAME.work` beside `out` unless it is named.
    """
    work = work or out.with_name(f".{out.name}.work")
    with joined(inputs, work, subreddits=subreddits, broken_share=broken_share) as records:
        with store.explain_os_errors(out), store.write_atomically(out) as file:
            file.writelines(line.decode() for line in records)
        return records.summary


def is_dump(path: Path) -> bool:
    """Whether the first line of a file is a submission or comment of Reddit's, and not a record of the ELI5 schema.

    Raises:
        DataError: as `Lines` raises it.
    """
    for block in Lines(path):
        with suppress(ValueError):
            thing, _ = parse(block[: block.find(b"\n") + 1])
            return "answers" not in thing and "id" in thing and ("title" in thing or "body" in thing)
        return False
    return False
