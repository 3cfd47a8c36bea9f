"""Traces of persons: what is found, what only looks like one, and that no text makes the search slow."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2train.data.filters.pii import KINDS, PATTERNS, Pii, luhn, masked, mod97, reason, traces
from s2train.data.records import Pair

FOUND = [
    ("email", "ann@example.org"),
    ("email", "ann.lee+news@mail.example.co.uk"),
    ("phone", "(907) 555-3227"),
    ("phone", "907-555-3227"),
    ("phone", "1-907-555-3227"),
    ("phone", "+44 20 7946 0958"),
    ("phone", "+33 6 12 34 56 78"),
    ("phone", "+1 (907) 555 3227"),
    ("iban", "DE89370400440532013000"),  # the examples of the registry
    ("iban", "GB29 NWBK 6016 1331 9268 19"),
    ("iban", "BE68 5390 0754 7034"),
    ("card", "4111 1111 1111 1111"),  # the test numbers of the brands
    ("card", "5500-0000-0000-0004"),
    ("card", "340000000000009"),
    ("card", "3400 000000 00009"),
    ("card", "30000000000004"),
    ("ip", "37.24.9.82"),
    ("ip", "2a00:1450:4001:81b::200e"),
    ("handle", "u/ann_lee"),
    ("handle", "/u/Ann-Lee99"),
    ("handle", "/user/annlee"),
    ("handle", "@ann_lee"),
]

NONE = [
    "r/science and and/or his/her u/s, 50/50",
    "five @ 3 each, me@home, a @b c, @app.route(x)",
    "import foo@1.2.3 and user@localhost",
    "800-555-0123 or 1-888-555-0123 or +1 800 555 0123",  # toll-free
    "in 1914-1918 and 2001-2003, pages 234-5678",
    "555-3227 and 123-456-7890 and 907-155-3227",  # no area, or none that begins with 0 or 1
    "+1 000 000 000 of them, 1 000 000 000 000",
    "4111 1111 1111 1112",  # Luhn: 31, not 30
    "3.14159265358979323846264338327950288419716939937510",
    "9999999999999995 atoms, 1234567890123456",
    "GB29 NWBK 6016 1331 9268 18 and AB12 3456 7890 1234",  # 97 does not check
    "192.168.0.1, 10.1.2.3, 127.0.0.1, 192.0.2.7, 255.255.255.255",
    "8.8.8.8 and 12.0.0.0/8 and 37.24.9.255",
    "version 1.2.3.4.5, 300.1.2.3, 12:30:45, std::vector, ::1, fe80::1",
    "",
]


@pytest.mark.parametrize(("kind", "text"), FOUND)
@pytest.mark.parametrize("around", ["{}", "Write to {}.", "({})", "“{}”, they said", "a\n{}\nb", "{} ALSO ok"])
def test_what_is_found(kind: str, text: str, around: str) -> None:
    whole = around.format(text)
    (trace,) = traces(whole, KINDS)
    assert (trace.kind, whole[trace.start : trace.end]) == (kind, text)
    assert masked(whole) == around.format("***")


@pytest.mark.parametrize("text", NONE)
def test_what_only_looks_like_one(text: str) -> None:
    assert list(traces(text, KINDS)) == []
    assert masked(text) == text


def test_checksums() -> None:
    # 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1: every second doubled: 8 + 7 * 2 = 22, the others 8 * 1: 30 % 10 == 0
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
    assert mod97("BE68539007547034")
    assert not mod97("BE67539007547034")


@given(st.text("0123456789", min_size=12, max_size=18))
def test_luhn_takes_exactly_one_last_digit(digits: str) -> None:
    assert sum(luhn(digits + last) for last in "0123456789") == 1


def test_the_reason_names_the_kind_and_the_text_and_never_the_trace() -> None:
    pair = Pair("1", "Ask u/annlee?", "Mail ann@example.org, 37.24.9.82.", "test")
    assert reason(pair, Pii()) == "e-mail address in the answer"
    assert reason(pair, Pii(kinds=("ip", "handle"))) == "IP address in the answer"
    assert reason(pair, Pii(kinds=("handle",))) == "user name in the question"
    assert reason(pair, Pii(kinds=("phone", "card"))) is None
    assert reason(pair, Pii(kinds=())) is None


def test_masks_overlap_no_more_than_once() -> None:
    assert masked("mail @ann_lee, ann@example.org and 4111 1111 1111 1111!") == "mail ***, *** and ***!"


@given(st.lists(st.sampled_from([text for _, text in FOUND] + ["so", "(", ".", "\n"]), max_size=6).map(" ; ".join))
def test_nothing_is_left_after_masking(text: str) -> None:
    assert list(traces(masked(text), KINDS)) == []


def test_every_kind_has_a_pattern() -> None:
    assert tuple(PATTERNS) == KINDS


# fmt: off
PARTS = [
    "1", "1 ", "1-", "1.", "1.1.1.", "A1", "4111 ", "4111-", "+", "+1 ", "(2", "222-", "(222) ", "GB29", "GB29 ABCD ",
    "2:", "2a00:", "@", "@a", "a@", "a@a.", "a@a-", "a.", "/", "u/", "/u/a", "u/a-", "-", ".", " ", "_", "é",
]
# fmt: on


@pytest.mark.parametrize("part", PARTS)
def test_time_is_linear(part: str) -> None:
    def seconds(size: int) -> float:
        text = part * (size // len(part))
        taken = list[float]()
        for _ in range(3):
            started = time.process_time()
            for whole in (text, f"{text}!", f"x{text}@"):
                list(traces(whole, KINDS))
            taken.append(time.process_time() - started)
        return min(taken)

    # 16 times the text: a quadratic pattern takes 256 times as long; 5 ms keep the clock's grain out of it
    assert seconds(48_000) < 64 * (seconds(3_000) + 0.005)
