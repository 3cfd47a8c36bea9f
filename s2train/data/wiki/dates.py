"""Templates of wikitext that stand for dates and times; as `values`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from s2train.data.wiki.values import Arguments

_DIGITS = re.compile("[0-9]{1,5}")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def date(given: Arguments) -> str | None:
    """`2001, 2, 3` → `February 3, 2001`; the year alone, or anything but numbers, as it stands; no age."""
    return _date(given.places, day_first=given.flag("df", "day_first"))


def _date(places: Sequence[str], *, day_first: bool) -> str | None:
    if not places or not places[0]:
        return None
    numbers = list(map(int, takewhile(_DIGITS.fullmatch, places[:3])))
    if len(numbers) < 2 or not 1 <= numbers[1] <= 12:
        return places[0]
    month = _MONTHS[numbers[1] - 1]
    if len(numbers) == 2:
        return f"{month} {numbers[0]}"
    return f"{numbers[2]} {month} {numbers[0]}" if day_first else f"{month} {numbers[2]}, {numbers[0]}"


def as_of(given: Arguments) -> str:
    """`{{as of|2015|4}}` → `As of April 2015`; without a date `As of`."""
    named = given.named
    if named.get("alt"):
        return named["alt"]
    when = _date(given.places, day_first=named.get("df", "").lower() != "us") or ""
    when = f"{named['pre']} {when}" if named.get("pre") else when
    if given.flag("bare"):
        return when
    first = "since" if given.flag("since") else "as of"
    return f"{first if 'lc' in named else first.capitalize()} {when}".strip() + named.get("post", "")


def age(given: Arguments) -> str | None:
    """Years between two dates; None where the second is today."""
    numbers = [int(place) for place in given.places[:6] if _DIGITS.fullmatch(place)]
    if len(numbers) < 6:
        return None
    born, died = numbers[:3], numbers[3:6]
    return str(died[0] - born[0] - (died[1:] < born[1:]))


def circa(given: Arguments) -> str:
    """`{{circa|1490|1500}}` → `c. 1490 – c. 1500`."""
    return " – ".join(f"c. {place}" for place in given.places[:2] if place) or "c."


def span(word: str, given: Arguments) -> str:
    """`{{reign|1066|1087}}` → `r. 1066–1087`, likewise `fl.`, `born`, `died`."""
    return f"{word} {'–'.join(place for place in given.places[:2] if place)}".strip()


def million_years(given: Arguments) -> str | None:
    """`{{mya|66}}` → `66 million years ago`."""
    times = [place for place in given.places[:2] if place]
    return f"{'–'.join(times)} million years ago" if times else None
