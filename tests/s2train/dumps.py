"""Made-up dumps of Reddit, in the fields and sizes of the real ones: for tests, and for the benchmark at any size."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

START = 1_600_000_000  # created_utc of the first post
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


def base36(number: int) -> str:
    """Reddit's way to write an id.

    >>> base36(35), base36(36)
    ('z', '10')
    """
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def submission(identity: str, **more: Any) -> dict[str, Any]:
    """A submission with the fields that a dump of 2023 has, in their order; `more` replaces or adds some."""
    subreddit = more.get("subreddit", "explainlikeimfive")
    fields = {
        "all_awardings": [],
        "allow_live_comments": False,
        "archived": False,
        "author": "some_person",
        "author_flair_background_color": None,
        "author_flair_css_class": None,
        "author_flair_richtext": [],
        "author_flair_text": None,
        "author_flair_type": "text",
        "author_fullname": "t2_4esadt4t",
        "author_is_blocked": False,
        "author_premium": False,
        "awarders": [],
        "banned_at_utc": None,
        "banned_by": None,
        "can_gild": True,
        "category": None,
        "content_categories": None,
        "contest_mode": False,
        "created_utc": START,
        "distinguished": None,
        "domain": f"self.{subreddit}",
        "edited": False,
        "gilded": 0,
        "gildings": {},
        "hidden": False,
        "hide_score": False,
        "id": identity,
        "is_created_from_ads_ui": False,
        "is_crosspostable": True,
        "is_meta": False,
        "is_original_content": False,
        "is_reddit_media_domain": False,
        "is_robot_indexable": True,
        "is_self": True,
        "is_video": False,
        "link_flair_background_color": "#c0ffee",
        "link_flair_css_class": "physics",
        "link_flair_richtext": [{"e": "text", "t": "Physics"}],
        "link_flair_template_id": "6b0f4e2a-0000-11e3-0000-12313b04c5c2",
        "link_flair_text": "Physics",
        "link_flair_text_color": "dark",
        "link_flair_type": "richtext",
        "locked": False,
        "media": None,
        "media_embed": {},
        "media_only": False,
        "name": f"t3_{identity}",
        "no_follow": False,
        "num_comments": 3,
        "num_crossposts": 0,
        "over_18": False,
        "parent_whitelist_status": "all_ads",
        "permalink": f"/r/{subreddit}/comments/{identity}/eli5_a_question/",
        "pinned": False,
        "pwls": 6,
        "quarantine": False,
        "removed_by_category": None,
        "retrieved_on": START + 200_000,
        "score": 7,
        "secure_media": None,
        "secure_media_embed": {},
        "selftext": "",
        "send_replies": True,
        "spoiler": False,
        "stickied": False,
        "subreddit": subreddit,
        "subreddit_id": "t5_2sokd",
        "subreddit_name_prefixed": f"r/{subreddit}",
        "subreddit_subscribers": 20_000_000,
        "subreddit_type": "public",
        "thumbnail": "self",
        "title": "ELI5: why is the sky blue?",
        "total_awards_received": 0,
        "treatment_tags": [],
        "upvote_ratio": 0.87,
        "url": f"https://www.reddit.com/r/{subreddit}/comments/{identity}/eli5_a_question/",
        "user_reports": [],
        "view_count": None,
        "whitelist_status": "all_ads",
        "wls": 6,
    }
    return fields | more


def comment(identity: str, post: str, **more: Any) -> dict[str, Any]:
    """A top-level comment on a post, likewise."""
    subreddit = more.get("subreddit", "explainlikeimfive")
    fields = {
        "all_awardings": [],
        "archived": False,
        "associated_award": None,
        "author": "another_person",
        "author_flair_background_color": None,
        "author_flair_css_class": None,
        "author_flair_richtext": [],
        "author_flair_template_id": None,
        "author_flair_text": None,
        "author_flair_text_color": None,
        "author_flair_type": "text",
        "author_fullname": "t2_3goil",
        "author_is_blocked": False,
        "author_patreon_flair": False,
        "author_premium": False,
        "awarders": [],
        "body": "Because the air scatters blue light most.",
        "can_gild": True,
        "collapsed": False,
        "collapsed_because_crowd_control": None,
        "collapsed_reason": None,
        "collapsed_reason_code": None,
        "comment_type": None,
        "controversiality": 0,
        "created_utc": START + 60,
        "distinguished": None,
        "edited": False,
        "gilded": 0,
        "gildings": {},
        "id": identity,
        "is_submitter": False,
        "link_id": f"t3_{post}",
        "locked": False,
        "name": f"t1_{identity}",
        "no_follow": True,
        "parent_id": f"t3_{post}",
        "permalink": f"/r/{subreddit}/comments/{post}/eli5_a_question/{identity}/",
        "retrieved_on": START + 200_000,
        "score": 3,
        "score_hidden": False,
        "send_replies": True,
        "stickied": False,
        "subreddit": subreddit,
        "subreddit_id": "t5_2sokd",
        "subreddit_name_prefixed": f"r/{subreddit}",
        "subreddit_type": "public",
        "top_awarded_type": None,
        "total_awards_received": 0,
        "treatment_tags": [],
        "unrepliable_reason": None,
    }
    return fields | more


def line(thing: Mapping[str, Any], *, ascii_only: bool = False) -> bytes:
    """A line as Arctic Shift writes it, or as the early dumps were written: everything but ASCII escaped."""
    return json.dumps(thing).encode() + b"\n" if ascii_only else orjson.dumps(thing) + b"\n"


def write(path: Path, lines: Iterable[bytes | Mapping[str, Any]], *, window_log: int = 27, level: int = 3) -> Path:
    """A dump, zstd if its name ends in `.zst`, in one frame of unknown size, as the real ones are."""
    rows = (row if isinstance(row, bytes) else line(row) for row in lines)
    with path.open("wb") as file:
        if path.suffix != ".zst":
            file.writelines(rows)
            return path
        from zstandard import ZstdCompressionParameters, ZstdCompressor

        parameters = ZstdCompressionParameters.from_level(level, window_log=window_log)
        with ZstdCompressor(compression_params=parameters).stream_writer(file) as frame:
            for row in rows:
                frame.write(row)
    return path


class MadeUp:
    """A seeded stream of submissions, each followed after a while by its comments.

    Lengths follow the real ones: comments of 45 words in the mean (log-normal), bodies of 60, a third of the posts
    without; about three comments a post at the top level and five replies; one in ten left out by some rule. Lines
    have about 1,700 bytes.

    Args:
        seed: of everything.
        share: of the posts and comments that are of explainlikeimfive, AskHistorians or askscience.
    """

    def __init__(self, seed: int, *, share: float = 1.0) -> None:
        self._random = random.Random(seed)
        self._share = share
        choose = self._random.choices
        words = ["".join(choose(_LETTERS, range(26, 0, -1), k=self._random.randint(1, 9))) for _ in range(8000)]
        weights = [1 / (rank + 3) for rank in range(len(words))]
        self._words = choose(words, weights, k=200_000)

    def _text(self, mean: float) -> str:
        count = 1 + min(2000, int(self._random.lognormvariate(0, 0.9) * mean / 1.5))
        start = self._random.randrange(len(self._words) - count)
        text = " ".join(self._words[start : start + count])
        return f"{text[:1].upper()}{text[1:]}.\n\nIt’s &gt; 5 “{text[-40:]}” – é" if count % 7 == 0 else f"{text}."

    def posts(self, number: int, first: int = 0) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Posts with their comments, replies among them; `first` numbers the first one."""
        rnd = self._random
        for index in range(first, first + number):
            subreddit = "aww"
            if rnd.random() < self._share:
                subreddit = rnd.choice(("explainlikeimfive", "AskHistorians", "askscience"))
            identity = base36(600_000_000 + 7 * index)
            created = START + 40 * index + rnd.randrange(100)  # not quite in the order of the ids
            post = submission(
                identity,
                title=f"ELI5: {self._text(12)[:290]}",
                selftext=self._text(60) if rnd.random() < 0.67 else "",
                author=f"user{rnd.randrange(10**6)}",
                created_utc=created,
                score=int(rnd.paretovariate(0.7)),
                subreddit=subreddit,
                retrieved_on=created + 130_000,
            )
            if rnd.random() < 0.1:
                post |= rnd.choice(
                    ({"selftext": "[removed]", "removed_by_category": "moderator"}, {"author": "[deleted]"})
                )
            yield post, [self._comment(index, number, post) for number in range(min(60, int(rnd.expovariate(1 / 8))))]

    def _comment(self, index: int, number: int, post: Mapping[str, Any]) -> dict[str, Any]:
        rnd = self._random
        identity = base36(90_000_000_000 + 100 * index + number)
        made = comment(
            identity,
            post["id"],
            body=self._text(45),
            author=f"user{rnd.randrange(10**6)}",
            created_utc=post["created_utc"] + rnd.randrange(10, 90_000),
            score=int(rnd.paretovariate(0.9)) - rnd.randrange(3),
            subreddit=post["subreddit"],
            retrieved_on=post["created_utc"] + 220_000,
        )
        if number and rnd.random() < 0.62:
            made["parent_id"] = f"t1_{base36(90_000_000_000 + 100 * index + rnd.randrange(number))}"
        if rnd.random() < 0.1:
            made |= rnd.choice(
                (
                    {"body": "[deleted]", "author": "[deleted]"},
                    {"body": "[removed]"},
                    {"author": "AutoModerator", "stickied": True, "distinguished": "moderator"},
                    {"body": "^(I am a bot, and this action was performed automatically.)"},
                    {"collapsed": True, "score": -7},
                )
            )
        return made

    def files(self, folder: Path, size: int, *, suffix: str = ".zst", window_log: int = 27) -> tuple[Path, Path]:
        """`RS_made_up` and `RC_made_up` with `size` bytes of JSON in all, without holding them.

        The lines of 2,000 posts are written again and again with other ids and times: making all of them anew takes
        longer than to read them.
        """
        things = list(self.posts(2000))
        posts = [_template(line(post)) for post, _ in things]
        comments = [_template(line(one)) for _, group in things for one in group]
        per_round = sum(len(one) for one in (*posts, *comments))
        rounds = range(max(1, round(size / per_round)))
        options: dict[str, Any] = {"window_log": window_log, "level": 1}
        return (
            write(folder / f"RS_made_up{suffix}", (_numbered(one, k) for k in rounds for one in posts), **options),
            write(folder / f"RC_made_up{suffix}", (_numbered(one, k) for k in rounds for one in comments), **options),
        )


_ROUND = b"@round@"


def _template(row: bytes) -> bytes:
    """Room for the round behind each id: ids stay different, and comments with their posts."""
    import re

    row = re.sub(rb'("(?:id|name|link_id|parent_id)":"[a-z0-9_]+)"', rb"\1" + _ROUND + b'"', row)
    return re.sub(rb'("created_utc":)(\d+)', rb"\g<1>\g<2>", row)


def _numbered(template: bytes, number: int) -> bytes:
    return template.replace(_ROUND, base36(number).rjust(3, "0").encode())
