"""What dumps held, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EXAMPLES = 5  # of broken lines

NO_POST = "its submission is in no file"
POST_LEFT_OUT = "its submission is left out"
DUPLICATE = "same id again"


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
            (f"- {DUPLICATE}", self.duplicate_posts),
            *((f"- {reason}", number) for reason, number in self.posts_left_out.items()),
            ("= records", self.records),
            ("comments", sum(file.comments for file in files)),
            ("- replies to comments", sum(file.replies for file in files)),
            (f"- {DUPLICATE}", self.duplicate_comments),
            *((f"- {reason}", number) for reason, number in self.comments_left_out.items()),
            ("= answers", self.answers),
        ]
        examples = [f"  broken: {example}" for file in files for example in file.examples]
        return ["reddit", *(f"  {label:<34}{number:>13,}" for label, number in rows), *examples[:EXAMPLES]]
