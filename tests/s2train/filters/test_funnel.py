"""What the filters dropped: counts that add up, and ten examples that depend on nothing but the pairs."""

from __future__ import annotations

import hashlib
import random

from hypothesis import given
from hypothesis import strategies as st

from s2train.data.filters.chain import Verdict
from s2train.data.filters.funnel import EXAMPLES, SHOWN, Step, Tally
from s2train.data.records import Pair

NAMES = ("length", "pii")
SHORT, MAIL = Verdict("length", "answer under 10 words"), Verdict("pii", "e-mail address in the answer")
LONG = Verdict("length", "answer over 400 words")


def pair(number: int, answer: str = "So.") -> Pair:
    return Pair(f"p{number}", "Why?", answer, "test")


def steps(*verdicts: Verdict | None) -> tuple[Step, ...]:
    tally = Tally(NAMES)
    for number, verdict in enumerate(verdicts):
        tally.add(pair(number), verdict)
    return tally.steps()


def test_counts_add_up() -> None:
    length, pii = steps(SHORT, None, LONG, LONG, MAIL, None, LONG)
    assert (length.name, length.dropped, pii.name, pii.dropped) == ("length", 4, "pii", 1)
    assert list(length.reasons.items()) == [(LONG.reason, 3), (SHORT.reason, 1)]  # the most frequent first
    assert pii.reasons == {MAIL.reason: 1}


def test_a_filter_that_dropped_nothing_is_listed_as_well() -> None:
    assert steps(None) == (Step("length", {}, ()), Step("pii", {}, ()))


def test_examples_are_the_ten_with_the_smallest_hashes() -> None:
    length, _ = steps(*[SHORT] * 50)
    smallest = sorted((f"p{n}" for n in range(50)), key=lambda identity: hashlib.sha256(identity.encode()).hexdigest())
    assert [example.id for example in length.examples] == smallest[:EXAMPLES]


@given(st.lists(st.sampled_from([None, SHORT, LONG, MAIL]), max_size=40), st.integers())
def test_the_order_of_the_pairs_changes_nothing(verdicts: list[Verdict | None], seed: int) -> None:
    judged = [(pair(number), verdict) for number, verdict in enumerate(verdicts)]
    shuffled = random.Random(seed).sample(judged, len(judged))
    tallies = [Tally(NAMES), Tally(NAMES)]
    for tally, order in zip(tallies, (judged, shuffled), strict=True):
        for judged_pair, verdict in order:
            tally.add(judged_pair, verdict)
    assert tallies[0].steps() == tallies[1].steps()


def test_examples_are_short_and_show_nobody() -> None:
    tally = Tally(NAMES)
    tally.add(pair(1, "a" * (SHOWN - 5) + " ann.lee@example.org " + "b" * 500), MAIL)  # the cut would halve it
    (example,) = tally.steps()[1].examples
    assert example.answer == "a" * (SHOWN - 5) + " ***…"
    assert (example.id, example.reason, example.question) == ("p1", MAIL.reason, "Why?")
