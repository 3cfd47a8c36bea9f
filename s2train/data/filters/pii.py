"""Traces of persons in a text: addresses, numbers and names under which somebody can be reached or is registered.

Each kind is a pattern for candidates and a check that rejects most of them. Every pattern is linear: parts that repeat
are bounded, and runs are entered at their beginning only. Not counted: toll-free numbers (800, 888 …: help lines), IP
addresses of no person (192.168.0.1, those for documentation, networks, public name servers), subreddits (r/…), and
names and postal addresses, for which there is no pattern.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from s2train.data.filters.chain import one_by_one
from s2train.data.filters.kind import FilterKind, Section
from s2train.data.records import Pair

MASK = "***"
Kind = Literal["email", "phone", "iban", "card", "ip", "handle"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Trace:
    """Its position in a text: text[start:end]."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Pattern:
    name: str
    hint: re.Pattern[str]  # occurs in every candidate, and not in most texts
    candidate: re.Pattern[str]
    length: Callable[[str], int]  # of the trace at the beginning of a candidate; 0 = none


class Pii(Section):
    """Which traces of persons, in question and answer, drop a pair."""

    kinds: tuple[Kind, ...] = KINDS


def reason(pair: Pair, limits: Pii) -> str | None:
    """Why the pair is left out, by kind and never with the trace itself; None = it has none."""
    for text, name in ((pair.answer, "answer"), (pair.question, "question")):
        for trace in traces(text, limits.kinds):
            return f"{PATTERNS[trace.kind].name} in the {name}"
    return None


def traces(text: str, kinds: Sequence[Kind]) -> Iterator[Trace]:
    """All traces, kind by kind, each in the order of the text."""
    for kind in kinds:
        pattern = PATTERNS[kind]
        if not pattern.hint.search(text):
            continue
        for match in pattern.candidate.finditer(text):
            if length := pattern.length(match[0]):
                yield Trace(kind, match.start(), match.start() + length)


def masked(text: str) -> str:
    """The text with `***` for every trace of any kind.

    >>> masked("Write to ann@example.org or u/ann_42.")
    'Write to *** or ***.'
    """
    parts, done = list[str](), 0
    for start, end in sorted((trace.start, trace.end) for trace in traces(text, KINDS)):
        if start >= done:
            parts += [text[done:start], MASK]
        done = max(done, end)
    return "".join([*parts, text[done:]])


# --- what candidates must pass ---


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others: from the right every second digit doubled, cross sums, total % 10 == 0
    (ISO/IEC 7812-1, annex B).

    >>> luhn("79927398713")
    True
    """
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def mod97(iban: str) -> bool:
    """Whether the number with its first four characters at the end, letters as 10..35, is 1 modulo 97 (ISO 7064).

    >>> mod97("GB82WEST12345698765432")
    True
    """
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def _card(candidate: str) -> int:
    return len(candidate) if luhn(re.sub(r"\D", "", candidate)) else 0


def _iban(candidate: str) -> int:
    """The longest beginning that checks: a word in capitals may follow in groups of four."""
    for end in reversed([match.start() for match in re.finditer(r" |$", candidate)]):
        number = candidate[:end].replace(" ", "")
        if 15 <= len(number) <= 34 and mod97(number):
            return end
    return 0


def _phone(candidate: str) -> int:
    """Not toll-free, and more than two different digits, unlike 1 000 000 000."""
    digits = re.sub(r"\D", "", candidate)
    national = digits[1:] if digits.startswith("1") and len(digits) == 11 else digits
    if national[:3] in _TOLL_FREE or len(set(digits)) < 3:
        return 0
    return len(candidate) if 8 <= len(digits) <= 15 else 0


def _ip(candidate: str) -> int:
    """A single host of the public internet."""
    if candidate in _NAME_SERVERS or candidate.endswith((".0", ".255")):
        return 0
    try:
        address = ipaddress.ip_address(candidate)
    except ValueError:
        return 0
    return len(candidate) if address.is_global and not address.is_multicast else 0


_TOLL_FREE = frozenset({"800", "888", "877", "866", "855", "844", "833"})
_NAME_SERVERS = frozenset({"1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9"})

_EMAIL = re.compile(
    r"(?<![\w.%+-])\w[\w.%+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)
_PHONE = re.compile(
    r"(?<![\w.+/-])(?:"
    r"\+[1-9]\d{0,2}(?: ?\(\d{1,4}\))?(?:[ .-]?\d){4,14}"  # +44 20 7946 0958
    r"|(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[.-])[2-9]\d{2}[.-]\d{4}"  # (212) 555-0123
    r")(?![\w-]|\.\d)"
)
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)(?![A-Za-z0-9])"
)
_CARD = re.compile(
    r"(?<![\w.,-])(?:"
    r"4\d{3}([ -]?)\d{4}\1\d{4}\1\d{1,7}"
    r"|(?:5[1-5]\d{2}|2[2-7]\d{2}|6\d{3})([ -]?)\d{4}\2\d{4}\2\d{4}"
    r"|3[47]\d{2}([ -]?)\d{6}\3\d{5}|3[0689]\d{2}([ -]?)\d{6}\4\d{4}"
    r")(?![\w-]|[.,]\d)"
)
_IP = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?!\.?\w)|[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,34}(?![\w:]))")
_HANDLE = re.compile(
    r"(?<![\w/@.])(?:/?(?:u|user)/[A-Za-z0-9][\w-]{2,19}(?![\w/-])|@[A-Za-z_]\w{2,29}(?![\w@]|[.(]\w))"
)

PATTERNS: Mapping[Kind, _Pattern] = {
    "email": _Pattern("e-mail address", re.compile("@"), _EMAIL, len),
    "phone": _Pattern("telephone number", re.compile(r"\d[\d .()-]{6}"), _PHONE, _phone),
    "iban": _Pattern("bank account", re.compile(r"[A-Z][A-Z]\d\d"), _IBAN, _iban),
    "card": _Pattern("card number", re.compile(r"\d[\d -]{12}"), _CARD, _card),
    "ip": _Pattern("IP address", re.compile(r"\d[0-9A-Fa-f.:]{6}"), _IP, _ip),
    "handle": _Pattern("user name", re.compile("[@/]"), _HANDLE, len),
}

PII = FilterKind("pii", Pii, one_by_one(reason))
