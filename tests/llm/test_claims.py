"""Two processes on one store: each call is asked, and paid, once, whoever of them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from s2eval.llm import asking, claims
from s2eval.llm.asking import ask
from s2eval.llm.calls import Call, Done, Failure, Message, Reply
from s2eval.llm.claims import Claims
from s2eval.llm.ledger import Ledger
from tests.llm.faults import Answer, Faults, Request, error, ok, serve

CALLS = [Call("openai:judge@x", "judge", (Message("user", str(n)),), 0.0, 16) for n in range(40)]
KEYS = [call.key for call in CALLS]

RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from s2eval.llm.asking import ask
from s2eval.llm.calls import Call, Message
from s2eval.llm.client import OpenAIService
from s2eval.llm.ledger import Ledger
calls = [Call("openai:judge@x", "judge", (Message("user", str(n)),), 0.0, 16) for n in range(40)]
with Ledger.open(Path(sys.argv[1])) as ledger:
    outcomes = ask(OpenAIService(sys.argv[2], "none", max_in_flight=4, attempts=2, backoff=0.01), calls, ledger)
print(sorted(outcome.text if hasattr(outcome, "text") else outcome.kind for outcome in outcomes.values()))
"""


def start(path: Path, server: Faults) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", RUN, str(path), server.url, root]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def slow(request: Request, _: int) -> Answer:
    """A reply that depends on the question; every fifth call is refused."""
    if int(request.question) % 5 == 0:
        return error(400, "content filter", code="content_filter").late(0.05)
    return ok(f"yes to {request.question}").late(0.05)


def test_two_processes_ask_each_call_once(tmp_path: Path) -> None:
    with serve(slow) as server:
        processes = [start(tmp_path / "calls.sqlite", server) for _ in range(3)]
        ended = [process.communicate(timeout=60) for process in processes]
        asked = Counter(request.question for request in server.requests)
    assert {out for out, _ in ended} == {ended[0][0]}, ended
    assert "yes to 39" in ended[0][0]
    assert set(asked.values()) == {1}  # those that failed, too
    assert len(asked) == 40


def test_who_is_killed_leaves_its_calls_to_the_others(tmp_path: Path) -> None:
    with serve(lambda request, _: ok(f"yes to {request.question}").late(0.2)) as server:
        first = start(tmp_path / "calls.sqlite", server)
        while len(server.requests) < 8:
            time.sleep(0.01)
        second = start(tmp_path / "calls.sqlite", server)
        time.sleep(1.0)
        first.send_signal(signal.SIGKILL)  # and nobody waits for it: it stays in the list of processes
        out, said = second.communicate(timeout=30)  # less than a lease
        first.wait()
        asked = Counter(request.question for request in server.requests)
    assert "yes to 39" in out, said
    assert len(asked) == 40
    assert sum(asked.values()) <= 40 + 4  # those in flight at the kill


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


def test_a_claim_is_held_and_released(path: Path) -> None:
    with Ledger.open(path) as mine, Ledger.open(path) as other:
        with Claims.open(mine) as first, Claims.open(other) as second:
            assert first.take(KEYS[:3]) == set(KEYS[:3])
            assert second.take(KEYS[:5]) == set(KEYS[3:5])
            mine.record(CALLS[0], Reply("a"))  # an outcome ends it
            assert second.take(KEYS[:3]) == {KEYS[0]}
        with Claims.open(other) as third:
            assert third.take(KEYS[:5]) == set(KEYS[:5])


def test_of_another_machine_the_lease_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "LEASE", 0.4)
    with Ledger.open(path) as ledger, Claims.open(ledger) as first:
        gone = Claims(ledger)  # nobody renews it
        gone._machine = "elsewhere"
        assert gone.take(KEYS[:2]) == set(KEYS[:2])
        assert first.take(KEYS[:1]) == set()
        assert first.take(KEYS[2:3]) == {KEYS[2]}
        time.sleep(0.6)
        assert first.take(KEYS[:2]) == set(KEYS[:2])
        assert gone.take(KEYS[2:3]) == set()  # this one is renewed


def test_a_process_that_is_gone_holds_nothing(path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with Ledger.open(path) as ledger, Claims.open(ledger) as first:
        Claims(ledger).take(KEYS[:2])
        with ledger.transaction() as connection:
            connection.execute("UPDATE claims SET pid = ?", (child.pid,))
        assert first.take(KEYS[:2]) == set(KEYS[:2])
        assert not claims._is_dead(os.getpid())


class Once:
    """A service that answers, and meanwhile another process does, too."""

    def __init__(self, path: Path) -> None:
        self.path, self.asked = path, list[Call]()

    def run(self, calls: list[Call], done: Done) -> None:  # pyright: ignore
        for call in calls:
            self.asked.append(call)
            done(call, Reply("mine"))


def test_what_another_is_asking_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three calls another process holds two: one is answered meanwhile, the other given up without an outcome."""
    monkeypatch.setattr(asking, "POLL", 0.01)
    with Ledger.open(path) as ledger, Ledger.open(path) as elsewhere:
        elsewhere.record(CALLS[0], Failure("server", "500", attempts=3))  # from before
        other = Claims(elsewhere)
        other.take(KEYS[:2])
        looks = 0

        def sleep(_: float) -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                elsewhere.record(CALLS[0], Failure("refused", "no", attempts=1))
            if looks == 6:
                with elsewhere.transaction() as connection:
                    connection.execute("DELETE FROM claims")

        monkeypatch.setattr(asking.time, "sleep", sleep)
        service, told = Once(path), list[tuple[int, int]]()
        outcomes = ask(service, CALLS[:3], ledger, progress=lambda done, total, _: told.append((done, total)))
    assert [call.key for call in service.asked] == [KEYS[2], KEYS[1]]
    assert outcomes[KEYS[0]] == Failure("refused", "no", 4)
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
