"""Which posts and comments are left out: named rules over what the dump has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


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
KNOWN_BOTS = frozenset((
    "automoderator", "botdefense", "eli5_botmod", "imagesofnetwork", "imgurtranscriber", "linkfixerbotsnr",
    "mentioned_videos", "profanitycounter", "qualityvote", "savevideo", "totesmessenger", "vredditdownloader",
    "xkcd_transcriber",
))  # fmt: skip


def deleted(thing: Mapping[str, Any]) -> bool:
    """By its author, a moderator or Reddit: a mark in place of the text or title, or a field that says so.

    What the archive had saved before it was deleted is left out as well.
    """
    meta = thing.get("_meta")
    if thing.get("removed_by_category") or thing.get("banned_by") or (meta and meta.get("was_deleted_later")):
        return True
    if "body" in thing:
        return _gone(thing["body"])
    return _gone(thing.get("title")) or _gone(thing.get("selftext"))


def _gone(text: str | None) -> bool:
    return bool(text and text[0] in "[ \t\n" and _GONE.fullmatch(text))


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


# In this order; the first that applies counts.
POST_RULES = (
    Rule("deleted or removed", deleted),
    Rule("author deleted", lambda thing: not (author := thing.get("author")) or _gone(author)),
    Rule("bot", bot_author),
    Rule("stickied", lambda thing: thing.get("stickied") is True),
    Rule("by a moderator", lambda thing: bool(thing.get("distinguished"))),  # or by Reddit's staff
)
COMMENT_RULES = (
    *POST_RULES[:3],
    Rule("bot's words", bot_mark),
    *POST_RULES[3:],
    Rule("collapsed", lambda thing: thing.get("collapsed") is True),
    Rule("no score", lambda thing: thing.get("score") is None),
)
