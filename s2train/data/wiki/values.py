"""What templates with arguments stand for: quantities, money, coordinates, ships, dates, links.

Each function takes a template's arguments as text and returns its text, None where the arguments do not determine it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from s2train.data.wiki.formulas import lowered, raised


@dataclass(frozen=True, slots=True)
class Arguments:
    """Of one use of a template: `positional` from 1 on without a gap; `named` all, positional ones by their number."""

    positional: Sequence[str]
    named: Mapping[str, str]

    def flag(self, *names: str) -> bool:
        """Whether one of these means yes."""
        return any(self.named.get(name, "").lower() in ("y", "yes", "true", "on", "1") for name in names)

    def first_of(self, *names: str) -> str:
        """The first of these that is not empty, or ""."""
        return next((self.named[name] for name in names if self.named.get(name)), "")

    def padded(self) -> tuple[str, str, str]:
        """The first three positional ones, "" where one is missing."""
        first, second, third = (*self.positional, "", "", "")[:3]
        return first, second, third


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
_NUMBER = re.compile(r"[+−-]?[\d.,/]+(?:[+⁄/][\d/]+)*(?:e[+−-]?\d+)?")
_UNIT_SYMBOLS = {
    "deg": "°", "degree": "°", "arcmin": "′", "arcsec": "″", "c": "°C", "degc": "°C", "degf": "°F", "%": "%",
}  # fmt: skip
ANGLE_MARKS = ("°", "′", "″")


def grouped(number: str) -> str:
    """A number of four digits or more with commas, its decimals as they are; anything else as it is."""
    match = re.fullmatch(r"([+−-]?)([0-9]{4,30})(\.[0-9]+)?", number)
    return f"{match[1]}{int(match[2]):,}{match[3] or ''}" if match else number


def power_of_ten(exponent: str) -> str:
    return f"×10{raised(exponent.replace('−', '-'))}"


def quantity(arguments: Arguments) -> str | None:
    """`5, km, mi` → `5 km`; `5, to, 10, km` → `5 to 10 km`; `5, ft, 6, in, m` → `5 ft 6 in`."""
    values = arguments.positional
    written = ""
    for number, unit in zip(values[::2], values[1::2], strict=False):
        if not _NUMBER.fullmatch(number):
            break
        mantissa, e, exponent = number.replace("−", "-").partition("e")
        mantissa = re.sub(r"(?<=\d)\+(?=\d)", " ", mantissa)  # 5+1/2
        written += grouped(mantissa) + (power_of_ten(exponent.lstrip("+")) if e else "")
        written += _BETWEEN.get(unit) or f" {_UNITS.get(unit.lower(), unit)} "
    return written.strip() or " ".join(values[:2]) or None


def conversion(name: str, arguments: Arguments) -> str | None:
    """`{{km to mi|5}}` → `5 km`."""
    unit = name.partition(" to ")[0]
    return f"{grouped(arguments.positional[0])} {_UNITS.get(unit, unit)}" if arguments.positional else None


def value(arguments: Arguments) -> str | None:
    """`{{val|1234.5|0.5|e=6|u=km}}` → `1,234.5±0.5×10⁶ km`."""
    if not arguments.positional:
        return None
    number, exponent = arguments.positional[0], arguments.named.get("e", "")
    if match := re.fullmatch(r"(.*\d)e([+−-]?\d+)(.*)", number):
        number, exponent = match[1] + match[3], match[2]
    written = re.sub(r"^[+−-]?\d{4,30}(?:\.\d+)?(?![\d,.])", lambda match: grouped(match[0]), number)
    errors = [error for error in arguments.positional[1:3] if error]
    if len(errors) == 2:
        written += f"+{grouped(errors[0].lstrip('+'))}−{grouped(errors[1].lstrip('-−'))}"
    elif errors:
        written += errors[0] if errors[0].startswith("(") else f"±{grouped(errors[0])}"
    if exponent:
        written = (f"({written})" if "±" in written else written) + power_of_ten(exponent)
    unit = _unit(arguments.first_of("u", "ul", "upl", "up"))
    if (per := arguments.first_of("per", "up", "upl")) and arguments.first_of("u", "ul"):
        unit += f"/{_unit(per)}"
    if unit:
        written += unit if unit in ("%", *ANGLE_MARKS) else f" {unit}"
    return arguments.first_of("p") + written + arguments.first_of("s", "end")


def _unit(text: str) -> str:
    """`m.s-2` → `m⋅s⁻²`, `deg` → `°`."""
    if symbol := _UNIT_SYMBOLS.get(text.lower()):
        return symbol
    text = re.sub(r"(?<=[A-Za-zμΩ])([−-]?[23]|[−-]1)(?!\d)", lambda match: raised(match[0].replace("−", "-")), text)
    return text.replace(".", "⋅")


def height(arguments: Arguments) -> str | None:
    """`{{height|m=1.83}}` → `1.83 m`; `{{height|ft=6|in=2}}` → `6 ft 2 in`."""
    units = [(unit, arguments.named[unit]) for unit in ("m", "cm", "ft", "in") if arguments.named.get(unit)]
    return " ".join(f"{number} {unit}" for unit, number in units) or None


def fraction(arguments: Arguments) -> str | None:
    """`{{frac|1|2}}` → `1/2`, `{{frac|3|1|2}}` → `3 1/2`, `{{frac|3}}` → `1/3`."""
    parts = [part for part in arguments.positional if part]
    if len(parts) == 1:
        return f"1/{parts[0]}"
    return (f"{parts[0]} " if len(parts) > 2 else "") + "/".join(parts[-2:]) or None


def gaps(arguments: Arguments) -> str | None:
    """`{{gaps|1|234|567}}` → `1,234,567`."""
    return grouped("".join(arguments.positional)) or None


def power(arguments: Arguments) -> str | None:
    """`{{e|6}}` → `×10⁶`."""
    return power_of_ten(arguments.positional[0]) if arguments.positional else None


def ordinal(arguments: Arguments) -> str | None:
    """`{{ordinal|3}}` → `3rd`."""
    if not arguments.positional or not re.fullmatch("[0-9]{1,12}", arguments.positional[0]):
        return None
    number = int(arguments.positional[0])
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def duration(arguments: Arguments) -> str | None:
    """`{{duration|m=3|s=45}}` → `3:45`."""
    if arguments.positional:
        return ":".join(arguments.positional)
    parts = [arguments.named.get(unit, "") for unit in ("h", "m", "s")]
    first, *others = parts if parts[0] else parts[1:]
    return ":".join([first or "0", *(f"{part or '0':0>2}" for part in others)]) if any(parts) else None


def money(sign: str, arguments: Arguments) -> str:
    """The sign and the amount; the sign alone where there is no amount."""
    return sign + (grouped(arguments.positional[0]) if arguments.positional else "")


def script(arguments: Arguments) -> str | None:
    """`{{su|p=2+|b=4}}`; `{{subsup|x|a|b}}`."""
    return lowered(arguments.named.get("b", "")) + raised(arguments.named.get("p", "")) or None


def isotope(arguments: Arguments) -> str | None:
    """`{{SimpleNuclide|U|235}}` → `²³⁵U`; a name is no symbol."""
    symbol, number, _ = arguments.padded()
    if not number:
        return symbol or None
    return raised(number) + symbol if len(symbol) < 3 else f"{symbol}-{number}"


# --- positions ---


def coordinates(arguments: Arguments) -> str | None:
    """`{{coord|59|55|N|10|45|E}}` → `59°55′N 10°45′E`; "" where they are shown beside the title only."""
    display = arguments.named.get("display", "inline").lower()
    if "inline" not in display and "i" not in display.split(","):
        return ""
    parts: list[str] = []
    numbers: list[str] = []
    for part in arguments.positional:
        if re.fullmatch(r"[+−-]?[\d.]+", part):
            numbers.append(part)
        elif part.upper() in ("N", "S", "E", "W") and 1 <= len(numbers) <= 3:
            angle = "".join(f"{number}{mark}" for number, mark in zip(numbers, ANGLE_MARKS, strict=False))
            parts.append(angle + part.upper())
            numbers = []
        else:
            break
    if not parts and len(numbers) == 2:
        parts = [
            f"{number.lstrip('+−-')}°{sides[number[0] in '−-']}"
            for number, sides in zip(numbers, ("NS", "EW"), strict=True)
        ]
    return " ".join(parts) if len(parts) == 2 else None


def angle(marks: Sequence[str], arguments: Arguments) -> str | None:
    """`{{DEC|+12|30|15}}` → `+12° 30′ 15″`, `{{RA|1|15|30}}` → `1h 15m 30s`."""
    return " ".join(f"{part}{mark}" for part, mark in zip(arguments.positional, marks, strict=False) if part) or None


# --- ships ---


def ship(prefix: str | None, arguments: Arguments) -> str | None:
    """`{{USS|Enterprise|CV-6}}` → `USS Enterprise (CV-6)`; without a prefix the first argument is one.

    After the name and its number or year comes which of them are shown: 1 the number, 2 the name, 3 name and number,
    5 prefix and number, 6 prefix and name.
    """
    if prefix is None:
        prefix, *rest = arguments.positional or ("",)
        arguments = Arguments(rest, {})
    name, number, shown = arguments.padded()
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


def ship_class(arguments: Arguments) -> str | None:
    """`{{sclass|Nimitz|aircraft carrier}}` → `Nimitz-class aircraft carrier`."""
    name, kind, shown = arguments.padded()
    if not name or shown == "3":
        return name or None
    if shown in ("2", "5"):
        return f"{name} class"
    return f"{name}-class" if shown == "1" or not kind else f"{name}-class {kind}"


# --- dates and times ---

_DIGITS = re.compile("[0-9]{1,5}")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def date(arguments: Arguments) -> str | None:
    """`2001, 2, 3` → `February 3, 2001`; the year alone, or anything but numbers, as it stands; no age."""
    return _date(arguments.positional, day_first=arguments.flag("df", "day_first"))


def _date(parts: Sequence[str], *, day_first: bool) -> str | None:
    if not parts or not parts[0]:
        return None
    numbers = list(map(int, takewhile(_DIGITS.fullmatch, parts[:3])))
    if len(numbers) < 2 or not 1 <= numbers[1] <= 12:
        return parts[0]
    month = _MONTHS[numbers[1] - 1]
    if len(numbers) == 2:
        return f"{month} {numbers[0]}"
    return f"{numbers[2]} {month} {numbers[0]}" if day_first else f"{month} {numbers[2]}, {numbers[0]}"


def as_of(arguments: Arguments) -> str:
    """`{{as of|2015|4}}` → `As of April 2015`; without a date `As of`."""
    named = arguments.named
    if named.get("alt"):
        return named["alt"]
    when = _date(arguments.positional, day_first=named.get("df", "").lower() != "us") or ""
    when = f"{named['pre']} {when}" if named.get("pre") else when
    if arguments.flag("bare"):
        return when
    first = "since" if arguments.flag("since") else "as of"
    return f"{first if 'lc' in named else first.capitalize()} {when}".strip() + named.get("post", "")


def age(arguments: Arguments) -> str | None:
    """Years between two dates; None where the second is today."""
    numbers = [int(part) for part in arguments.positional[:6] if _DIGITS.fullmatch(part)]
    if len(numbers) < 6:
        return None
    born, died = numbers[:3], numbers[3:]
    return str(died[0] - born[0] - (died[1:] < born[1:]))


def circa(arguments: Arguments) -> str:
    """`{{circa|1490|1500}}` → `c. 1490 – c. 1500`."""
    return " – ".join(f"c. {year}" for year in arguments.positional[:2] if year) or "c."


def span(word: str, arguments: Arguments) -> str:
    """`{{reign|1066|1087}}` → `r. 1066–1087`, likewise `fl.`, `born`, `died`."""
    return f"{word} {'–'.join(filter(None, arguments.positional[:2]))}".strip()


def million_years(arguments: Arguments) -> str | None:
    """`{{mya|66}}` → `66 million years ago`."""
    years = "–".join(filter(None, arguments.positional[:2]))
    return f"{years} million years ago" if years else None


# --- names ---


def link_text(arguments: Arguments) -> str | None:
    """`{{ill|Name|fr|lt=label}}`, `{{link-interwiki|en=Name|lt=label}}`."""
    return arguments.first_of("lt", "text", "en") or (arguments.positional[0] if arguments.positional else None)


def verse(arguments: Arguments) -> str | None:
    """`{{bibleverse|John|3|16}}` → `John 3:16`."""
    book, chapter, number = arguments.padded()
    return f"{book} {chapter}{':' if number and ':' not in chapter else ''}{number}".strip() or None
