"""What dumps contained, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

EXAMPLES = 5  # of broken lines

NO_POST = "its submission is in no file"
POST_LEFT_OUT = "its submission is left out"
DUPLICATE = "same id again"


@dataclass(frozen=True, slots=True)
class ReadStats:
    """What one file contained: `lines == others + broken + posts + comments`.

    Attributes:
        file: its name, without the folders of this machine.
        sha256: of its bytes.
        size: bytes of JSON.
        others: of other subreddits, or empty. Only the first ones of a file are parsed, so broken ones are not seen.
        broken: no UTF-8, no JSON, or not the fields of a submission or comment.
        examples: the first broken ones, `path:line: what is wrong`.
        repaired: kept, with halves of surrogate pairs replaced.
        comments: replies among them.
        replies: comments on comments. Where bytes suffice (`is_reply`) their subreddit is not checked: one that only
            names ours, or is in a dump that began with ours only, is counted here.
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
        files: in the order of the inputs.
        duplicate_posts, duplicate_comments: further copies of one id.
        posts_left_out, comments_left_out: by rule; of comments also `NO_POST` and `POST_LEFT_OUT`.
        records: posts written, those without an answer too.
        answers: comments in them.
    """

    files: tuple[ReadStats, ...]
    duplicate_posts: int
    posts_left_out: Mapping[str, int]
    records: int
    duplicate_comments: int
    comments_left_out: Mapping[str, int]
    answers: int

    def lines(self) -> list[str]:
        """The counts as lines of text to print."""
        total = Counter[str]()
        for file in self.files:
            total.update({name: count for name, count in asdict(file).items() if isinstance(count, int)})
        rows = [
            ("lines", total["lines"]),
            ("- other subreddits, or empty", total["others"]),
            ("- broken", total["broken"]),
            ("submissions", total["posts"]),
            (f"- {DUPLICATE}", self.duplicate_posts),
            *((f"- {reason}", number) for reason, number in self.posts_left_out.items()),
            ("= records", self.records),
            ("comments", total["comments"]),
            ("- replies to comments", total["replies"]),
            (f"- {DUPLICATE}", self.duplicate_comments),
            *((f"- {reason}", number) for reason, number in self.comments_left_out.items()),
            ("= answers", self.answers),
        ]
        examples = [f"  broken: {example}" for file in self.files for example in file.examples]
        return ["reddit", *(f"  {label:<34}{number:>13,}" for label, number in rows), *examples[:EXAMPLES]]
