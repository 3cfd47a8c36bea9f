"""Asking with a store: what is known is not asked again, what ends is stored at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from s2eval.errors import IncompleteError, PrerequisiteError, ServiceError
from s2eval.llm.asking import ask
from s2eval.llm.calls import Call, Done, Failure, Message, Outcome, Reply
from s2eval.llm.ledger import Ledger, Spent

BASE = Call("openai:judge@x", "judge", (), temperature=0.0, max_tokens=16)
CALLS = [replace(BASE, messages=(Message("user", str(number)),)) for number in range(4)]
KEYS = [call.key for call in CALLS]


class Answers:
    """A service that answers as it is told, in reverse order, and counts."""

    def __init__(self, answer: Callable[[Call], Outcome | None]) -> None:
        self.answer, self.asked = answer, list[Call]()

    def run(self, calls: Sequence[Call], done: Done) -> None:
        for call in reversed(calls):
            self.asked.append(call)
            if (outcome := self.answer(call)) is not None:
                done(call, outcome)


def yes(call: Call) -> Reply:
    return Reply(f"yes to {call.messages[0].content}", tokens_in=10, tokens_out=2, attempts=2)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "calls.sqlite") as ledger:
        yield ledger


def test_what_is_stored_is_not_asked(ledger: Ledger) -> None:
    ledger.record(CALLS[1], Reply("from before"))
    ledger.record(CALLS[2], Failure("server", "500", attempts=5))
    service = Answers(yes)
    outcomes = ask(service, [*CALLS, CALLS[0]], ledger)
    assert service.asked == [CALLS[3], CALLS[2], CALLS[0]]  # failures are; each once
    assert list(outcomes) == KEYS  # in the order of the calls
    assert outcomes[KEYS[1]] == Reply("from before")
    assert outcomes[KEYS[2]] == replace(yes(CALLS[2]), attempts=7)  # 5 + 2
    again = Answers(yes)
    assert ask(again, CALLS, ledger) == outcomes
    assert again.asked == []


def test_progress_and_cost(ledger: Ledger) -> None:
    ledger.record(CALLS[0], Reply("from before"), 3.0)
    service = Answers(lambda call: Failure("server", "500") if call == CALLS[3] else yes(call))
    told: list[tuple[int, int, Spent]] = []
    ask(
        service,
        CALLS,
        ledger,
        cost=lambda call, outcome: 0.5 if call == CALLS[1] else None,
        progress=lambda *state: told.append(state),
    )
    assert told == [  # what earlier runs spent is not in it
        (1, 4, Spent()),
        (2, 4, Spent(calls=1)),  # a failure costs nothing
        (3, 4, Spent(calls=3, tokens_in=10, tokens_out=2, unknown=1)),
        (4, 4, Spent(calls=5, tokens_in=20, tokens_out=4, usd=0.5, unknown=1)),
    ]
    assert ledger.spent() == Spent(calls=6, tokens_in=20, tokens_out=4, usd=3.5, unknown=1)


def test_nothing_to_ask(ledger: Ledger) -> None:
    assert ask(Answers(yes), [], ledger) == {}


def test_a_run_that_breaks_off_keeps_what_had_ended(ledger: Ledger) -> None:
    def answer(call: Call) -> Reply:
        if call == CALLS[1]:
            raise ServiceError("the quota is exhausted")
        return yes(call)

    with pytest.raises(ServiceError, match="quota"):
        ask(Answers(answer), CALLS, ledger)
    assert ledger.pending(CALLS) == CALLS[:2]
    service = Answers(yes)
    ask(service, CALLS, ledger)
    assert service.asked == [CALLS[1], CALLS[0]]


def test_a_service_that_forgets_a_call(ledger: Ledger) -> None:
    with pytest.raises(IncompleteError, match="1 of 4 calls were not answered"):
        ask(Answers(lambda call: None if call == CALLS[2] else yes(call)), CALLS, ledger)
    assert ledger.pending(CALLS) == [CALLS[2]]


def test_the_first_reply_of_two_processes_counts(ledger: Ledger, tmp_path: Path) -> None:
    def answer(call: Call) -> Reply:
        with Ledger.open(tmp_path / "calls.sqlite") as other:  # meanwhile another process was faster
            other.record(call, Reply("the other's"))
        return yes(call)

    outcomes = ask(Answers(answer), CALLS[:1], ledger)
    assert outcomes == {KEYS[0]: Reply("the other's", attempts=3)}  # 1 + 2


def test_a_store_that_takes_no_more_ends_the_run(ledger: Ledger) -> None:
    with ledger.transaction() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 3}")  # as a full disk
    service = Answers(lambda call: Reply(call.messages[0].content * 9000))
    with pytest.raises(PrerequisiteError, match="no space left"):
        ask(service, CALLS, ledger)
    assert 1 <= len(service.asked) < 4  # nothing is asked that cannot be stored
    with ledger.transaction() as connection:
        connection.execute("PRAGMA max_page_count = 10000")
    assert len(ask(Answers(yes), CALLS, ledger)) == 4


def test_a_run_with_ten_thousand_replies_starts_at_once(tmp_path: Path) -> None:
    text = "word " * 400
    calls = [replace(BASE, messages=(Message("user", f"{number} {text}"),)) for number in range(10_001)]
    with Ledger.open(tmp_path / "calls.sqlite") as ledger:
        ledger.record(calls[0], Reply("x" * 800))
        with ledger.transaction() as connection:  # as `record` writes it, without 10,000 flushes of the disk
            columns = "status, service, text, finish, model, seconds, attempts, cost, first_at, last_at"
            connection.executemany(
                f"INSERT INTO calls (key, call, {columns}) SELECT ?, ?, {columns} FROM calls WHERE key = ?",
                [(call.key, text, calls[0].key) for call in calls[1:-1]],
            )
    began: list[float] = []

    def answer(call: Call) -> Reply:
        began.append(monotonic())
        return yes(call)

    started = monotonic()
    with Ledger.open(tmp_path / "calls.sqlite") as ledger:
        assert len(ask(Answers(answer), calls, ledger)) == 10_001
    assert len(began) == 1
    print(f"the first call began after {began[0] - started:.2f} s")
    assert began[0] - started < 5  # a promise of one second, on a machine that does nothing else
