"""Templates of wikitext that stand for values: quantities, amounts of money, coordinates, ships.

Each function takes a template's arguments, as text, and gives what it stands for; None where they do not tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s2train.data.wiki.formulas import raised


@dataclass(frozen=True, slots=True)
class Arguments:
    """Of one use of a template.

    Attributes:
        places: positional ones, from 1 on without a gap.
        named: all by their names, positional ones by their numbers.
    """

    places: Sequence[str]
    named: Mapping[str, str]

    def flag(self, *names: str) -> bool:
        """Whether one of these is given and means yes."""
        return any(self.named.get(name, "").lower() in ("y", "yes", "true", "on", "1") for name in names)


# --- numbers and units ---

_UNITS = {
    "km2": "km²", "m2": "m²", "cm2": "cm²", "ft2": "sq ft", "sqft": "sq ft", "sqmi": "sq mi", "mi2": "sq mi",
    "sqkm": "km²", "m3": "m³", "km3": "km³", "cm3": "cm³", "c": "°C", "f": "°F", "kph": "km/h", "acre": "acres",
    "k": "K", "l": "L", "usgal": "US gallons", "impgal": "imperial gallons", "hand": "hands", "c-change": "°C",
    "f-change": "°F", "pd/km2": "people per km²", "pd/sqkm": "people per km²", "pd/mi2": "people per sq mi",
    "pd/sqmi": "people per sq mi", "/km2": "per km²", "/sqkm": "per km²", "/sqmi": "per sq mi",
}  # fmt: skip
_BETWEEN = {
    "to": " to ", "and": " and ", "or": " or ", "-": "–", "–": "–", "&ndash;": "–", "to(-)": " to ", "and(-)": " and ",
    "to about": " to about ", "x": " × ", "xx": " × ", "*": " × ", "×": " × ", "by": " by ", "+/-": " ± ", "±": " ± ",
}  # fmt: skip
_MINUTES, _SECONDS = "′", "″"


def grouped(number: str) -> str:
    """A number of four digits or more with commas, its decimals as they are; anything else as it is."""
    match = re.fullmatch(r"([+−-]?)([0-9]{4,30})(\.[0-9]+)?", number)
    return f"{match[1]}{int(match[2]):,}{match[3] or ''}" if match else number


def quantity(given: Arguments) -> str | None:
    """`5, km, mi` → `5 km`; `5, to, 10, km` → `5 to 10 km`; `5, ft, 6, in, m` → `5 ft 6 in`."""
    places = given.places
    written, at = "", 0
    while at + 1 < len(places) and _is_number(places[at]):
        written += _number(places[at])
        if places[at + 1] in _BETWEEN:
            written += _BETWEEN[places[at + 1]]
        else:
            unit = places[at + 1]
            written += f" {_UNITS.get(unit.lower(), unit)} "
        at += 2
    return written.strip() or " ".join(places[:2]) or None


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+−-]?[\d.,/]+(?:[+⁄/][\d/]+)*(?:e[+−-]?\d+)?", text))


def _number(text: str) -> str:
    mantissa, e, exponent = text.replace("−", "-").partition("e")
    mantissa = re.sub(r"(?<=\d)\+(?=\d)", " ", mantissa)  # 5+1/2
    return grouped(mantissa) + (f"×10{raised(exponent.lstrip('+'))}" if e else "")


def conversion(name: str, given: Arguments) -> str | None:
    """`{{km to mi|5}}` → `5 km`."""
    unit = name.partition(" to ")[0]
    return f"{grouped(given.places[0])} {_UNITS.get(unit, unit)}" if given.places else None


def value(given: Arguments) -> str | None:
    """`{{val|1234.5|0.5|e=6|u=km}}` → `1,234.5±0.5×10⁶ km`."""
    if not given.places:
        return None
    number, exponent = given.places[0], given.named.get("e", "")
    if match := re.fullmatch(r"(.*\d)e([+−-]?\d+)(.*)", number):
        number, exponent = match[1] + match[3], match[2]
    written = re.sub(r"^[+−-]?\d{4,30}(?:\.\d+)?(?![\d,.])", lambda match: grouped(match[0]), number)
    errors = [one for one in given.places[1:3] if one]
    if len(errors) == 2:
        plus, minus = errors[0].lstrip("+"), errors[1].lstrip("-−")
        written += f"+{grouped(plus)}−{grouped(minus)}"
    elif errors:
        written += errors[0] if errors[0].startswith("(") else f"±{grouped(errors[0])}"
    if exponent:
        written = (f"({written})" if "±" in written else written) + f"×10{raised(exponent.replace('−', '-'))}"
    unit = _first(given, "u", "ul", "upl", "up")
    per = _first(given, "per", "up", "upl") if _first(given, "u", "ul") else ""
    unit = _unit(unit) + (f"/{_unit(per)}" if per else "")
    if unit:
        written += unit if unit in ("%", "°", "′", "″") else f" {unit}"
    suffix = _first(given, "s", "end")
    return _first(given, "p") + written + suffix


def _first(given: Arguments, *names: str) -> str:
    return next((given.named[name] for name in names if given.named.get(name)), "")


def _unit(text: str) -> str:
    """`m.s-2` → `m⋅s⁻²`, `deg` → `°`."""
    names = {"deg": "°", "degree": "°", "arcmin": "′", "arcsec": "″", "c": "°C", "degc": "°C", "degf": "°F", "%": "%"}
    if text.lower() in names:
        return names[text.lower()]
    text = re.sub(r"(?<=[A-Za-zμΩ])([−-]?[23]|[−-]1)(?!\d)", lambda match: raised(match[0].replace("−", "-")), text)
    return text.replace(".", "⋅")


def height(given: Arguments) -> str | None:
    """`{{height|m=1.83}}` → `1.83 m`; `{{height|ft=6|in=2}}` → `6 ft 2 in`."""
    units = [(unit, given.named[unit]) for unit in ("m", "cm", "ft", "in") if given.named.get(unit)]
    return " ".join(f"{number} {unit}" for unit, number in units) or None


def fraction(given: Arguments) -> str | None:
    """`{{frac|1|2}}` → `1/2`, `{{frac|3|1|2}}` → `3 1/2`, `{{frac|3}}` → `1/3`."""
    places = [place for place in given.places if place]
    if len(places) == 1:
        return f"1/{places[0]}"
    return (f"{places[0]} " if len(places) > 2 else "") + "/".join(places[-2:]) or None


def gaps(given: Arguments) -> str | None:
    """`{{gaps|1|234|567}}` → `1,234,567`; digits of a fraction stay together."""
    joined = "".join(given.places)
    return grouped(joined) if joined else None


def power(given: Arguments) -> str | None:
    """`{{e|6}}` → `×10⁶`."""
    return f"×10{raised(given.places[0].replace('−', '-'))}" if given.places else None


def ordinal(given: Arguments) -> str | None:
    """`{{ordinal|3}}` → `3rd`."""
    if not given.places or not re.fullmatch("[0-9]{1,12}", given.places[0]):
        return None
    number = int(given.places[0])
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def duration(given: Arguments) -> str | None:
    """`{{duration|m=3|s=45}}` → `3:45`."""
    if given.places:
        return given.places[0] if len(given.places) == 1 else ":".join(given.places)
    parts = [given.named.get(unit, "") for unit in ("h", "m", "s")]
    shown = parts if parts[0] else parts[1:]
    return ":".join([shown[0] or "0", *(f"{part or '0':0>2}" for part in shown[1:])]) if any(parts) else None


# --- money ---


def money(sign: str, given: Arguments) -> str:
    """The sign and the amount; the sign alone where there is no amount."""
    return sign + (grouped(given.places[0]) if given.places else "")


# --- positions ---


def coordinates(given: Arguments) -> str | None:
    """`{{coord|59|55|N|10|45|E}}` → `59°55′N 10°45′E`; "" where they are shown beside the title only."""
    shown = given.named.get("display", "inline").lower()
    if "inline" not in shown and "i" not in shown.split(","):
        return ""
    parts: list[str] = []
    numbers: list[str] = []
    for place in given.places:
        if re.fullmatch(r"[+−-]?[\d.]+", place):
            numbers.append(place)
        elif place.upper() in ("N", "S", "E", "W") and 1 <= len(numbers) <= 3:
            parts.append(_angle(numbers) + place.upper())
            numbers = []
        else:
            break
    if not parts and len(numbers) == 2:
        parts = [
            f"{number.lstrip('+−-')}°{sides[number[0] in '−-']}"
            for number, sides in zip(numbers, ("NS", "EW"), strict=True)
        ]
    return " ".join(parts) if len(parts) == 2 else None


def _angle(numbers: Sequence[str]) -> str:
    return "".join(f"{number}{mark}" for number, mark in zip(numbers, ("°", _MINUTES, _SECONDS), strict=False))


def declination(given: Arguments) -> str | None:
    """`{{DEC|+12|30|15}}` → `+12° 30′ 15″`."""
    marks = zip(given.places, ("°", _MINUTES, _SECONDS), strict=False)
    return " ".join(f"{place}{mark}" for place, mark in marks if place) or None


def right_ascension(given: Arguments) -> str | None:
    """`{{RA|1|15|30}}` → `1h 15m 30s`."""
    return " ".join(f"{place}{mark}" for place, mark in zip(given.places, "hms", strict=False) if place) or None


# --- ships ---


def ship(prefix: str, given: Sequence[str]) -> str | None:
    """`{{USS|Enterprise|CV-6}}` → `USS Enterprise (CV-6)`.

    Args:
        given: name, hull number or year, and which of them are shown: 1 the number, 2 the name, 3 name and number,
            5 prefix and number, 6 prefix and name.
    """
    name, number, shown = (*given, "", "", "")[:3]
    if not name:
        return None
    in_brackets = f"({number})" if number else ""
    parts = {
        "1": (number,),
        "2": (name,),
        "3": (name, in_brackets),
        "5": (prefix, in_brackets),
        "6": (prefix, name),
    }.get(shown, (prefix, name, in_brackets))
    return " ".join(part for part in parts if part) or None


def ship_class(given: Arguments) -> str | None:
    """`{{sclass|Nimitz|aircraft carrier}}` → `Nimitz-class aircraft carrier`."""
    name, kind, shown = (*given.places, "", "", "")[:3]
    if not name:
        return None
    if shown == "3":
        return name
    if shown in ("2", "5"):
        return f"{name} class"
    return f"{name}-class" if shown == "1" or not kind else f"{name}-class {kind}"
