"""The templates of wikitext that stand for text: languages, units, dates, signs. Of all others nothing is left."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any


def names_in(text: str) -> frozenset[str]:
    return frozenset(text.split(", "))


_PLACES: Mapping[str, int] = {  # which positional argument is the text; -1: the last
    **dict.fromkeys(("lang", "langx", "color", "fgcolor"), 2),
    **dict.fromkeys(("transl", "transliteration"), -1),
    **dict.fromkeys(
        names_in(
            "nihongo, nihongo2, nowrap, nobr, nobold, noitalic, small, smaller, big, larger, resize, abbr, tooltip, "
            "center, em, strong, var, code, mono, kbd, samp, sub, sup, flag, flagu, flagcountry, ill, ill-wd, "
            "interlanguage link, sic, script, smallcaps, unicode, mvar, keypress"
        ),
        1,
    ),
}
_CONSTANTS: Mapping[str, str] = {
    "!": "|", "=": "=", "'": "'", "nbsp": " ", "space": " ", "spaces": " ", "mdash": "—", "ndash": "–", "snd": " – ",
    "spnd": " – ", "spaced ndash": " – ", "emdash": "—", "endash": "–", "·": " · ", "dot": " · ", "ca.": "c.",
}  # fmt: skip
_PREFIXES: Mapping[str, str] = {
    "us$": "US$", "usd": "US$", "a$": "A$", "aud": "A$", "c$": "C$", "cad": "C$", "£": "£", "gbp": "£", "€": "€",
    "euro": "€", "eur": "€", "¥": "¥", "jpy": "¥", "inr": "₹", "circa": "c. ", "c.": "c. ", "floruit": "fl. ",
}  # fmt: skip
_PAGE_NAMES = frozenset(("pagename", "fullpagename", "basepagename", "subpagename", "articlepagename"))
_DATES = names_in(
    "birth date, birth date and age, birth-date, birth-date and age, bda, dob, birth year and age, "
    "death date, death date and age, death-date, death-date and age, dda, death year and age, start date, "
    "start date and age, end date"
)
_UNITS = {
    "km2": "km²", "m2": "m²", "cm2": "cm²", "ft2": "sq ft", "sqft": "sq ft", "sqmi": "sq mi", "mi2": "sq mi",
    "sqkm": "km²", "m3": "m³", "km3": "km³", "cm3": "cm³", "c": "°C", "f": "°F", "kph": "km/h", "acre": "acres",
}  # fmt: skip
_BETWEEN = {"to": " to ", "and": " and ", "or": " or ", "-": "–", "–": "–", "to(-)": " to ", "x": " × ", "by": " by "}
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def name_of(name: str) -> str:
    """A template's name in one form: lower case, single blanks, no `Template:` before it."""
    return " ".join(name.replace("_", " ").split()).lower().removeprefix("template:").lstrip()


def is_rendered(name: str) -> bool:
    """Whether a template of that name (`name_of`) stands for text that `rendered` gives."""
    head, colon, _ = name.partition(":")
    return name in _RENDERED or name.startswith("lang-") or bool(colon and head == "formatnum")


def rendered(node: Any, title: str, text: Callable[[Any], str]) -> str:
    """Give the text that a template stands for; of all others, "".

    `{{lang|fr|mot}}` gives `mot` (no language's name), `{{convert|5|km|mi}}` the value as it was written (`5 km`),
    dates no age, `{{PAGENAME}}` the title.
    """
    name = name_of(str(node.name))
    if not is_rendered(name):
        return ""
    named = {str(param.name).strip(): text(param.value).strip() for param in node.params}
    places = [named[str(number)] for number in range(1, len(named) + 1) if str(number) in named]
    if name.startswith("formatnum:"):
        return _grouped(name.partition(":")[2].strip())
    if name in _PAGE_NAMES:
        return title
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    if name in _PREFIXES:
        return _PREFIXES[name] + places[0] if places else ""
    if name in _DATES:
        return _date(places, day_first=named.get("df", "").lower() in ("y", "yes", "true"))
    if name in ("convert", "cvt"):
        return _quantity(places)
    if name == "as of":
        return named.get("alt") or f"{'as' if 'lc' in named else 'As'} of {_date(places, day_first=True)}"
    if name in ("frac", "fraction", "sfrac"):
        return (f"{places[0]} " if len(places) > 2 else "") + "/".join(places[-2:])
    place = 1 if name.startswith("lang-") else _PLACES[name]
    return "" if len(places) < place or not places else places[place - 1 if place > 0 else -1]


_RENDERED = (
    frozenset(("convert", "cvt", "as of", "frac", "fraction", "sfrac"))
    | _PLACES.keys() | _CONSTANTS.keys() | _PREFIXES.keys() | _PAGE_NAMES | _DATES
)  # fmt: skip


def _date(places: list[str], *, day_first: bool) -> str:
    """`2001, 2, 3` → `February 3, 2001`; the year alone, or anything but numbers, as it stands."""
    if not places:
        return ""
    numbers = [int(place) for place in places[:3] if place.isascii() and place.isdigit()]
    if len(numbers) < 2 or not 1 <= numbers[1] <= 12:
        return places[0]
    month = _MONTHS[numbers[1] - 1]
    if len(numbers) == 2:
        return f"{month} {numbers[0]}"
    return f"{numbers[2]} {month} {numbers[0]}" if day_first else f"{month} {numbers[2]}, {numbers[0]}"


def _quantity(places: list[str]) -> str:
    """`5, km, mi` → `5 km`; `5, to, 10, km` → `5 to 10 km`; `5, ft, 6, in, m` → `5 ft 6 in`."""
    said, at = "", 0
    while at + 1 < len(places) and _is_number(places[at]):
        said += _grouped(places[at])
        if places[at + 1] in _BETWEEN:
            said += _BETWEEN[places[at + 1]]
        else:
            unit = places[at + 1]
            said += f" {_UNITS.get(unit.lower(), unit)} "
        at += 2
    return said.strip() or " ".join(places[:2])


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+−-]?[\d.,/]+", text))


def _grouped(number: str) -> str:
    """A whole number of four digits or more with commas; others as they are."""
    return f"{int(number):,}" if re.fullmatch(r"[0-9]{4,15}", number) else number
