"""Several dumps at once, in whatever order they come: spilled, joined, given by time; resumable."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import uuid4

import s2train
from s2eval import store
from s2eval.errors import DataError, UsageError
from s2eval.files import jsonl, locks
from s2train.data.eli5.reddit import joining
from s2train.data.eli5.reddit.counts import DUPLICATE, NO_POST, POST_LEFT_OUT, ReadStats, Summary
from s2train.data.eli5.reddit.rows import parse
from s2train.data.eli5.reddit.rules import COMMENT_RULES, POST_RULES
from s2train.data.eli5.reddit.spilling import BROKEN_SHARE, PARTS, SUBREDDITS, part, spill, spilled
from s2train.data.engine import HERE, Engine
from s2train.data.files.lines import Lines

_FORMAT = 1  # of the spilled rows: what another version left is not taken up


@dataclass(slots=True)
class Joined:
    """The records of spilled dumps, to be read once; `summary` is final when the iteration has ended."""

    files: tuple[ReadStats, ...]
    _folders: tuple[Path, ...]
    _scratch: Path
    _posts: Counter[str] = field(default_factory=Counter[str])
    _comments: Counter[str] = field(default_factory=Counter[str])

    def __iter__(self) -> Iterator[bytes]:
        """Lines of JSON, each with its `\\n`, in the order of the posts' `(created_utc, id)`; answers likewise."""
        with store.explain_os_errors(self._scratch):
            records = (
                joining.join(rows, self._posts, self._comments)
                for number in range(PARTS)
                for rows in joining.pieces([part(folder, number) for folder in self._folders], self._scratch, 1)
            )
            for line in joining.merged(joining.sorted_files(records, self._scratch), self._scratch):
                yield line.partition(b"\t")[2]

    @property
    def summary(self) -> Summary:
        posts, comments = self._posts, self._comments
        return Summary(
            self.files,
            duplicate_posts=posts[DUPLICATE],
            posts_left_out={rule.name: posts[rule.name] for rule in POST_RULES},
            records=posts[""],
            duplicate_comments=comments[DUPLICATE],
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
    engine: Engine = HERE,
) -> Generator[Joined, None, None]:
    """The records of all dumps, plain or zstd, of submissions, comments or both, in any order.

    `work`, a folder of its own, takes the spilled rows: of a dump of these subreddits about a third of its JSON, and as
    much again while the records are sorted. An interrupted run leaves there which files it has read, and the next one
    resumes; what is unfinished or of other files is removed. When the block ends well nothing of it stays. More broken
    lines in a file than `broken_share` (and than 10) are an error.

    Raises:
        UsageError: a file is named twice, a name is no subreddit's, or another process uses `work`.
        DataError: as `spill` raises it; or there are no submissions, or no comments, of those subreddits.
        PrerequisiteError: as `spill` raises it.
    """
    folders = _folders(inputs, work, subreddits, broken_share)
    with ExitStack() as stack:
        with store.explain_os_errors(work):
            work.mkdir(parents=True, exist_ok=True)
            message = f"{work} is in use by another run; wait for it, or name another folder"
            stack.enter_context(locks.exclusive(work / _LOCK, message, UsageError))
            _clear(work, keep=folders)
        work_on = partial(_spill, subreddits=tuple(subreddits), broken_share=broken_share)
        files = list(engine.map(work_on, zip(inputs, folders, strict=True)))
        _check_complete(files, subreddits)
        scratch = work / f"{store.TEMPORARY}sorting"
        scratch.mkdir()
        yield Joined(tuple(files), tuple(folders), scratch)
        _clear(work, keep=())
    with suppress(OSError):  # where something else lies inside
        work.rmdir()


def _spill(paths: tuple[Path, Path], *, subreddits: Sequence[str], broken_share: float) -> ReadStats:
    """The counts of a file that an interrupted run has finished, or of the file, read now."""
    path, folder = paths
    return spilled(folder) or spill(path, folder, subreddits, broken_share)


_LOCK = "reddit.lock"
_SPILLED = "reddit-"


def _folders(inputs: Sequence[Path], work: Path, subreddits: Sequence[str], share: float) -> list[Path]:
    """The folder of each file's rows, named by a hash of what determines them."""
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


def _check_complete(files: Sequence[ReadStats], subreddits: Sequence[str]) -> None:
    where = ", ".join(f"r/{name}" for name in subreddits)
    lines = sum(file.lines for file in files)
    for number, kind, name in (
        (sum(file.posts for file in files), "submissions", "RS_….zst or …_submissions.zst"),
        (sum(file.comments for file in files), "comments", "RC_….zst or …_comments.zst"),
    ):
        if not number:
            raise DataError(f"no {kind} of {where} in {len(files)} files of {lines:,} lines; name {name} as well")


def write(
    inputs: Sequence[Path],
    out: Path,
    *,
    work: Path | None = None,
    subreddits: Sequence[str] = SUBREDDITS,
    broken_share: float = BROKEN_SHARE,
) -> Summary:
    """Write the records of dumps to `out` at once; otherwise as `joined`, in `.NAME.work` beside it by default."""
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
            thing, _ = parse(next((line for _, line in jsonl.numbered(block.split(b"\n"))), b""))
            return "answers" not in thing and "id" in thing and ("title" in thing or "body" in thing)
        return False
    return False
