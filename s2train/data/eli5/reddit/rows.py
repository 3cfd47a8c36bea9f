"""A line of a dump as what is kept of it: a post, an answer, or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypedDict

import msgspec
import orjson

from s2train.data.eli5.reddit.rules import COMMENT_RULES, POST_RULES, Rule


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


_Value: TypeAlias = Any  # what msgspec decodes without a check


class _Fields(TypedDict, total=False):
    """The fields in use; a dump's lines have some eighty, and decoding them would take most of the time."""

    _meta: _Value
    author: _Value
    banned_by: _Value
    body: _Value
    collapsed: _Value
    created_utc: _Value
    distinguished: _Value
    id: _Value
    link_flair_text: _Value
    link_id: _Value
    parent_id: _Value
    removed_by_category: _Value
    retrieved_on: _Value
    retrieved_utc: _Value
    score: _Value
    selftext: _Value
    stickied: _Value
    subreddit: _Value
    title: _Value


_DECODER = msgspec.json.Decoder(_Fields)


def parse(line: bytes) -> tuple[Mapping[str, object], bool]:
    """A line's fields, and whether halves of surrogate pairs in it became U+FFFD.

    Raises:
        ValueError: the line is no UTF-8, no JSON or no object.
    """
    try:
        return _DECODER.decode(line), False
    except msgspec.DecodeError:
        pass  # orjson's messages have more, and it accepts more
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


def row_of(thing: Mapping[str, object]) -> Post | Comment | None:
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


def _reason(thing: Mapping[str, object], rules: Sequence[Rule]) -> str | None:
    try:
        for rule in rules:
            if rule.leaves_out(thing):
                return rule.name
        return None
    except (TypeError, AttributeError):  # the rules read text where there is text
        texts = {name: thing.get(name) for name in ("author", "title", "selftext", "body")}
        wrong = [name for name, value in texts.items() if not isinstance(value, str | None)]
        raise ValueError(f"field {wrong[0] if wrong else '_meta'!r}: text is expected") from None


def _common(thing: Mapping[str, object], reason: str | None) -> tuple[str, int, int, str | None, int | None]:
    created = _number(thing, "created_utc")
    if created is None or not 0 <= created < 10**12:
        raise ValueError(f"field 'created_utc': {created!r}, where seconds since 1970 are expected")
    meta = thing.get("_meta")
    seen = _number(meta, "retrieved_2nd_on") if isinstance(meta, dict) else None
    seen = seen or _number(thing, "retrieved_on") or _number(thing, "retrieved_utc") or 0
    return _checked_id(_string(thing, "id"), "id"), created, seen, reason, _number(thing, "score")


def _string(thing: Mapping[str, object], name: str, default: str | None = None) -> str:
    value = thing.get(name)
    if isinstance(value, str):
        return value
    if value is None and default is not None:
        return default
    raise ValueError(f"field {name!r}: {'missing' if name not in thing else 'text is expected'}")


def _number(thing: Mapping[str, object], name: str) -> int | None:
    """Whole; early dumps have `"created_utc": "1420070400"`, later ones 1420070400.0."""
    value = thing.get(name)
    if value is None or (type(value) is int and -(2**63) < value < 2**63):
        return value
    try:
        if not isinstance(value, int | float | str):
            raise TypeError
        number = value if type(value) is int else int(float(value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"field {name!r}: a number is expected, not {str(value)[:20]!r}") from None
    if abs(number) >= 2**63:
        raise ValueError(f"field {name!r}: {number:.3g} is too large a number")
    return number


def _checked_id(identity: str, name: str) -> str:
    if not (identity.isascii() and identity.isalnum() and len(identity) < 20):
        raise ValueError(f"field {name!r}: {identity[:20]!r} is no id")
    return identity
