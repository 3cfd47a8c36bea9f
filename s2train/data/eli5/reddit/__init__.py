"""Reddit's dumps of submissions and comments (Pushshift, Arctic Shift) become records of the ELI5 schema.

    lines (lines) → those that may name a subreddit → posts and top-level comments, each with why it is left out
    → files by hash of the post (spill) → one post with its comments at a time (join) → by time (merge)

Memory holds one block of lines and one part of `PART` bytes, however large the dumps; the decompression window, up to
2 GiB, comes on top. The records do not depend on the order of the files, nor on how they are compressed.
Fields: https://github.com/ArthurHeitmann/arctic_shift (schemas, file_content_explanations.md).
"""

from s2train.data.eli5.reddit.counts import NO_POST, POST_LEFT_OUT, ReadStats, Summary
from s2train.data.eli5.reddit.dumps import Joined, is_dump, joined, write
from s2train.data.eli5.reddit.joining import join
from s2train.data.eli5.reddit.rules import COMMENT_RULES, POST_RULES, bot_author
from s2train.data.eli5.reddit.scan import candidates, is_reply
from s2train.data.eli5.reddit.spilling import BROKEN_SHARE, SUBREDDITS

__all__ = [
    "BROKEN_SHARE",
    "COMMENT_RULES",
    "NO_POST",
    "POST_LEFT_OUT",
    "POST_RULES",
    "SUBREDDITS",
    "Joined",
    "ReadStats",
    "Summary",
    "bot_author",
    "candidates",
    "is_dump",
    "is_reply",
    "join",
    "joined",
    "write",
]
