"""What is left out, of posts and of comments, and by which rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from s2train.data.eli5 import reddit
from tests.s2train.dumps import comment, submission
from tests.s2train.reddit.things import balanced, read

REMOVED = "deleted or removed"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"selftext": "[removed]"}, REMOVED),
        ({"selftext": " [deleted]\n"}, REMOVED),
        ({"title": "[deleted by user]"}, REMOVED),
        ({"selftext": "[ Removed by Reddit ]"}, REMOVED),
        ({"removed_by_category": "moderator"}, REMOVED),
        ({"_meta": {"was_deleted_later": True, "removal_type": "deleted"}}, REMOVED),
        ({"_meta": {"was_initially_deleted": True, "removal_type": "moderator"}}, None),  # and is there again
        ({"selftext": "I read [removed] here. [deleted]"}, None),
        ({"author": "[deleted]"}, "author deleted"),
        ({"author": None}, "author deleted"),
        ({"author": "AutoModerator"}, "bot"),
        ({"stickied": True}, "stickied"),
        ({"distinguished": "moderator"}, "by a moderator"),
        ({"selftext": None}, None),
        ({"score": None}, None),
    ],
)
def test_posts_left_out(tmp_path: Path, more: dict[str, Any], reason: str | None) -> None:
    found, summary = read(tmp_path, submission("p1", **more), submission("p2"), comment("c1", "p1"))
    assert [one["q_id"] for one in found] == (["p2"] if reason else ["p1", "p2"])
    assert {name: count for name, count in summary.posts_left_out.items() if count} == ({reason: 1} if reason else {})
    assert summary.comments_left_out[reddit.POST_LEFT_OUT] == (1 if reason else 0)
    assert balanced(summary)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"body": "[removed]"}, REMOVED),
        ({"author": "[deleted]"}, "author deleted"),
        ({"author": "RemindMeBot"}, "bot"),
        ({"author": "explainlikeimfive-ModTeam"}, "bot"),
        ({"body": "^(*I* ^am a **bot**, beep)"}, "bot's words"),
        ({"body": "Your submission has been removed for the following reason(s): rule 2."}, "bot's words"),
        ({"stickied": True}, "stickied"),
        ({"distinguished": "admin"}, "by a moderator"),
        ({"collapsed": True}, "collapsed"),
        ({"score": None}, "no score"),
        ({"link_id": "t3_nowhere", "parent_id": "t3_nowhere"}, reddit.NO_POST),
        ({"body": "Both bots and robots: I am a bottle. Nothing was removed."}, None),
    ],
)
def test_comments_left_out(tmp_path: Path, more: dict[str, Any], reason: str | None) -> None:
    found, summary = read(tmp_path, submission("p1"), comment("c1", "p1", **more), comment("c2", "p1"))
    assert found[0]["answers"]["a_id"] == (["c2"] if reason else ["c1", "c2"])
    left_out = {name: count for name, count in summary.comments_left_out.items() if count}
    assert left_out == ({reason: 1} if reason else {})
    assert balanced(summary)


@pytest.mark.parametrize(
    ("author", "bot"),
    [
        ("sneakpeekbot", True),
        ("WikiTextBot", True),
        ("some-helpful_bot_2", True),
        ("TotesMessenger", True),
        ("MAGIC_EYE_BOT", True),
        ("HelperBot_", True),
        ("mr_robot", False),
        ("MrRobot99", False),
        ("Talbot", False),
        ("JohnAbbot", False),
        ("botanist", False),
        ("Bottle", False),
    ],
)
def test_names_of_bots(author: str, bot: bool) -> None:
    assert reddit.bot_author({"author": author}) is bot
