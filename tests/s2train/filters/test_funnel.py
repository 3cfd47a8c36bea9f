"""What the filters dropped: counts that add up, and ten examples that depend on nothing but the pairs."""

from __future__ import annotations

import hashlib
import json
import random

from hypothesis import given
from hypothesis import strategies as st

from s2train.data.filters.chain import Verdict
from s2train.data.filters.funnel import EXAMPLES, SHOWN, FilterFunnel, Tally
from s2train.data.records import Pair

NAMES = ("length", "pii")
SHORT, MAIL = Verdict("length", "answer under 10 words"), Verdict("pii", "e-mail address in the answer")
LONG = Verdict("length", "answer over 400 words")


def pair(number: int, answer: str = "So.") -> Pair:
    return Pair(f"p{number}", "Why?", answer, "test")


def funnel(*verdicts: Verdict | None) -> FilterFunnel:
    tally = Tally(NAMES)
    for number, verdict in enumerate(verdicts):
        tally.add(pair(number), verdict)
    return tally.funnel()


def test_counts_add_up() -> None:
    found = funnel(SHORT, None, LONG, LONG, MAIL, None, LONG)
    assert (found.read, found.kept) == (7, 2)
    assert dict(found.dropped) == {"length": 4, "pii": 1}
    assert list(found.steps[0].reasons.items()) == [(LONG.reason, 3), (SHORT.reason, 1)]  # the most frequent first
    assert found.lines() == [
        "  read                                      7",
        "  - length                                  4",
        "      answer over 400 words                 3",
        "      answer under 10 words                 1",
        "  - pii                                     1",
        "      e-mail address in the answer          1",
        "  = kept                                    2",
    ]


def test_a_filter_that_dropped_nothing_is_told_as_well() -> None:
    found = funnel(None)
    assert dict(found.dropped) == {"length": 0, "pii": 0}
    assert found.entry() == {
        "read": 1,
        "filters": [
            {"filter": "length", "dropped": 0, "reasons": {}, "examples": []},
            {"filter": "pii", "dropped": 0, "reasons": {}, "examples": []},
        ],
        "kept": 1,
    }


def test_examples_are_the_ten_with_the_smallest_hashes() -> None:
    found = funnel(*[SHORT] * 50)
    smallest = sorted((f"p{n}" for n in range(50)), key=lambda identity: hashlib.sha256(identity.encode()).hexdigest())
    assert [example.id for example in found.steps[0].examples] == smallest[:EXAMPLES]


@given(st.lists(st.sampled_from([None, SHORT, LONG, MAIL]), max_size=40), st.integers(1, 5), st.integers())
def test_parts_in_any_order_give_the_whole(verdicts: list[Verdict | None], parts: int, seed: int) -> None:
    judged = [(pair(number), verdict) for number, verdict in enumerate(verdicts)]
    whole, tallies = Tally(NAMES), [Tally(NAMES) for _ in range(parts)]
    for one, verdict in judged:
        whole.add(one, verdict)
    random.Random(seed).shuffle(judged)
    for i, (one, verdict) in enumerate(judged):
        tallies[i % parts].add(one, verdict)
    for other in tallies[1:]:
        tallies[0].merge(other)
    assert json.dumps(tallies[0].funnel().entry()) == json.dumps(whole.funnel().entry())


def test_examples_are_short_and_show_nobody() -> None:
    tally = Tally(NAMES)
    tally.add(pair(1, "a" * (SHOWN - 5) + " ann.lee@example.org " + "b" * 500), MAIL)  # the cut would halve it
    (example,) = tally.funnel().steps[1].examples
    assert example.answer == "a" * (SHOWN - 5) + " ***…"
    assert (example.id, example.reason, example.question) == ("p1", MAIL.reason, "Why?")
