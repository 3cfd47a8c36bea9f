"""The Batch API, against a server of our own on a real socket: nothing is submitted twice, nothing is made up."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2eval.errors import BudgetError, IncompleteError, ServiceError
from s2eval.llm.asking import ask
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Failure, Message, Outcome, Reply
from s2eval.llm.ledger import Ledger
from s2eval.llm.prices import Price
from tests.llm.batches import (
    CANARY,
    Handler,
    Server,
    answered,
    asks,
    completion,
    drops,
    refused,
    reply,
    service,
)

# --- what it is for --------------------------------------------------------------------------------------------


def test_calls_are_submitted_and_collected(server: Server, ledger: Ledger, tmp_path: Path) -> None:
    calls = [*asks(3, seed=5), *asks(2, model="other", temperature=0.7, stop=("\n",), schema='{"type": "string"}')]
    server.rows = lambda request: (
        {"response": {"status_code": 200, "body": completion('"yes"')}}
        if request["model"] == "other"
        else answered(request)
    )
    told: list[str] = []
    outcomes = ask(service(server, ledger, say=told.append), calls, ledger)
    assert outcomes == {
        **{call.key: reply(number) for number, call in enumerate(calls[:3])},
        **{call.key: Reply('"yes"', "stop", 10, 2, "judge-0613") for call in calls[3:]},
    }
    first, second = server.submitted()  # a file has one model
    assert first[0] == {
        "custom_id": calls[0].key,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "judge",
            "messages": [{"role": "user", "content": "question 0"}],
            "max_completion_tokens": 16,
            "temperature": 0.0,
            "seed": 5,
        },
    }
    assert [request["body"]["model"] for request in second] == ["other", "other"]
    assert "batch_0: 3 calls submitted" in told
    assert "batch_0: completed, 3 of 3 calls ended" in told
    for file in tmp_path.iterdir():
        assert CANARY.encode() not in file.read_bytes()


def test_what_is_stored_is_not_submitted(server: Server, ledger: Ledger) -> None:
    calls = asks(3)
    ledger.record(calls[1], Reply("from before"))
    assert ask(service(server, ledger), calls, ledger)[calls[1].key] == Reply("from before")
    assert server.asked() == {calls[0].key: 1, calls[2].key: 1}


def test_a_large_batch_is_split(server: Server, ledger: Ledger) -> None:
    calls = asks(7)
    line = len(json.dumps({"custom_id": calls[0].key, "method": "POST", "url": "/v1/chat/completions"})) + 120
    ask(service(server, ledger, most_calls=3), calls[:5], ledger)
    assert [len(requests) for requests in server.submitted()] == [3, 2]
    long = replace(calls[0], messages=(Message("user", "x" * 3 * line),))
    outcomes = ask(service(server, ledger, most_bytes=3 * line), [*calls, long], ledger)
    assert [len(requests) for requests in server.submitted()[2:]] == [2]  # the other five are stored
    assert outcomes[long.key] == Failure("refused", outcomes[long.key].message)  # type: ignore[union-attr]
    assert "larger than a batch may be" in outcomes[long.key].message  # type: ignore[union-attr]


def test_files_hold_as_many_bytes_as_they_may(server: Server, ledger: Ledger) -> None:
    calls = asks(9)
    ask(service(server, ledger), calls[:1], ledger)
    size = len(server.files["file-0"])  # of one line; all are of one length
    ask(service(server, ledger, most_bytes=3 * size), calls[1:], ledger)
    assert [len(requests) for requests in server.submitted()[1:]] == [3, 3, 2]
    assert sum(server.asked().values()) == 9


# --- answers that are none -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "kind", "said"),
    [
        (refused(400, "max_tokens is too large"), "refused", "max_tokens is too large"),
        (refused(429, "slow down"), "rate limit", "slow down"),
        (refused(500, "oh"), "server", "oh"),
        ({"response": {"status_code": 200, "body": completion(None)}}, "empty", "without text"),
        ({"response": {"status_code": 200, "body": {"choices": None}}}, "malformed", "`choices` is null"),
        ({"response": {"status_code": 200, "body": "<html>"}}, "malformed", "the body is a text"),
        ({"response": None, "error": {"code": "batch_expired", "message": "too late"}}, "timeout", "too late"),
        ({"response": None, "error": {"code": "odd", "message": f"key {CANARY}"}}, "server", "key ***"),
        ({"response": None, "error": None}, "server", "without answer and error"),
        (None, "malformed", "without a row"),
    ],
)
def test_a_row_without_an_answer(
    server: Server, ledger: Ledger, row: dict[str, Any] | None, kind: str, said: str
) -> None:
    calls = asks(2)
    server.rows = lambda request: row if request["messages"][0]["content"] == "question 0" else answered(request)
    outcomes = ask(service(server, ledger), calls, ledger)
    failure = outcomes[calls[0].key]
    assert isinstance(failure, Failure)
    assert (failure.kind, said in failure.message) == (kind, True)
    assert CANARY not in failure.message
    assert outcomes[calls[1].key] == reply(1)

    server.rows = answered  # the next run asks this one again, and only this one
    assert ask(service(server, ledger), calls, ledger) == {calls[0].key: reply(0, attempts=2), calls[1].key: reply(1)}
    assert server.asked() == {calls[0].key: 2, calls[1].key: 1}


def test_replies_in_other_forms_are_read(server: Server, ledger: Ledger) -> None:
    calls = asks(3)
    contents = [
        [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "A"}],
        "<think>Hm.</think>A",
        "analysisHm.assistantfinalA",
    ]
    server.rows = lambda request: {
        "response": {
            "status_code": 200,
            "body": completion(contents[int(request["messages"][0]["content"].split()[-1])]),
        }
    }
    outcomes = ask(service(server, ledger), calls, ledger)
    assert [(one.text, one.reasoning) for one in outcomes.values() if isinstance(one, Reply)] == [("A", "Hm.")] * 3


def test_lines_that_are_none_or_not_ours(server: Server, ledger: Ledger) -> None:
    calls = asks(2)
    other = {"custom_id": "somebody's", "response": {"status_code": 200, "body": completion("no")}}
    again = {"custom_id": calls[0].key, "response": {"status_code": 200, "body": completion("twice")}}
    lines = ["{", "[]", "\ufffd", json.dumps(other), json.dumps(again), ""]
    server.extra = "\n".join(lines).encode() + b"\xff\xfe\n"
    assert ask(service(server, ledger), calls, ledger) == {call.key: reply(i) for i, call in enumerate(calls)}


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_a_batch_that_ended_early(server: Server, ledger: Ledger, status: str) -> None:
    calls = asks(3)
    server.looks = ["in_progress", status]
    server.rows = lambda request: answered(request) if request["messages"][0]["content"] == "question 2" else None
    outcomes = ask(service(server, ledger), calls, ledger)
    assert outcomes[calls[2].key] == reply(2)
    for call in calls[:2]:
        failure = outcomes[call.key]
        assert isinstance(failure, Failure)
        assert (failure.kind, f"batch_0 {'was ' * (status == 'cancelled')}{status}" in failure.message) == (
            {"expired": "timeout", "cancelled": "server"}[status],
            True,
        )
    server.looks, server.rows = ["completed"], answered
    assert all(isinstance(one, Reply) for one in ask(service(server, ledger), calls, ledger).values())
    assert server.asked() == {calls[0].key: 2, calls[1].key: 2, calls[2].key: 1}


@pytest.mark.parametrize(
    ("code", "kind"), [("invalid_json_line", "refused"), ("token_limit_exceeded", "rate limit"), (None, "refused")]
)
def test_a_batch_that_failed(server: Server, ledger: Ledger, code: str | None, kind: str) -> None:
    calls = asks(2)
    server.looks = ["failed"]
    server.errors = [{"code": code, "message": "line 1 is bad", "line": 1}] if code else []
    outcomes = ask(service(server, ledger), calls, ledger)
    for outcome in outcomes.values():
        assert isinstance(outcome, Failure)
        assert outcome.kind == kind
        assert ("line 1 is bad" if code else "no reason given") in outcome.message


@pytest.mark.parametrize("where", ["batch", "row"])
def test_an_exhausted_quota_ends_the_run(server: Server, ledger: Ledger, where: str) -> None:
    calls = asks(2)
    if where == "batch":
        server.looks, server.errors = ["failed"], [{"code": "insufficient_quota", "message": "You have no credit"}]
    else:
        server.rows = lambda _: refused(429, "You have no credit", "insufficient_quota")
    with pytest.raises(ServiceError, match="You have no credit"):
        ask(service(server, ledger), calls, ledger)
    assert ledger.count() == (0, 2)  # told, and asked again by the next run
    assert ledger.pending(calls) == calls


# --- over several runs -----------------------------------------------------------------------------------------


def test_without_waiting_a_later_run_collects(server: Server, ledger: Ledger) -> None:
    calls = asks(3)
    server.looks = ["in_progress"]
    for _ in range(2):
        with pytest.raises(IncompleteError, match=r"3 calls are submitted and not answered yet \(batch_0\)") as error:
            ask(service(server, ledger, wait=False), calls, ledger)
        assert error.value.exit_code == 3
    server.looks = ["completed"]
    assert ask(service(server, ledger, wait=False), calls, ledger) == {c.key: reply(i) for i, c in enumerate(calls)}
    assert server.asked() == {call.key: 1 for call in calls}


def test_calls_that_are_not_asked_for_now_stay_collectable(server: Server, ledger: Ledger) -> None:
    calls = asks(3)
    with pytest.raises(IncompleteError):
        ask(service(server, ledger, wait=False), calls, ledger)
    assert ask(service(server, ledger), calls[:1], ledger) == {calls[0].key: reply(0)}
    assert ask(service(server, ledger), calls, ledger) == {call.key: reply(i) for i, call in enumerate(calls)}
    assert server.asked() == {call.key: 1 for call in calls}


def test_a_new_call_gets_a_batch_of_its_own(server: Server, ledger: Ledger) -> None:
    calls = asks(4)
    with pytest.raises(IncompleteError):
        ask(service(server, ledger, wait=False), calls[:2], ledger)
    assert len(ask(service(server, ledger), calls, ledger)) == 4
    assert [len(requests) for requests in server.submitted()] == [2, 2]
    assert server.asked() == {call.key: 1 for call in calls}


CHILD = """
import sys
from pathlib import Path
from s2eval.llm.asking import ask
from s2eval.llm.batch import BatchService
from s2eval.llm.ledger import Ledger
from s2eval.llm.calls import Call, Message
calls = [Call("openai:judge@x", "judge", (Message("user", f"question {i}"),), 0.0, 16) for i in range(4)]
with Ledger.open(Path(sys.argv[2])) as ledger:
    ask(BatchService(sys.argv[1], sys.argv[3], ledger, interval=0.01, pause=0.01), calls, ledger)
"""


@pytest.mark.parametrize(
    ("request_", "done"),
    [
        ("POST /files", False),  # nothing was done
        ("POST /batches", False),  # uploaded
        ("POST /batches", True),  # created, though nobody here knows
        ("GET /batches/*", False),  # submitted
        ("GET /files/*/content", False),  # has ended
    ],
)
def test_a_kill_submits_nothing_twice(server: Server, tmp_path: Path, request_: str, done: bool) -> None:
    reached, go = threading.Event(), threading.Event()

    def hangs(handler: Handler) -> bool:
        if done:
            server.create(json.loads(handler.content))
        reached.set()
        go.wait(20)
        return drops(handler)

    server.faults[request_] = [hangs]
    path = tmp_path / "calls.sqlite"
    child = subprocess.Popen([sys.executable, "-c", CHILD, server.url, path, CANARY], stderr=subprocess.PIPE)
    assert reached.wait(20), child.communicate()
    child.send_signal(signal.SIGKILL)
    child.communicate()
    go.set()
    for number in range(3):  # others are in the list, too; ours is not on its first page
        server.create(
            {"input_file_id": server.make(b""), "endpoint": "/v1/chat/completions", "metadata": {"n": number}}
        )
    calls = asks(4)
    with Ledger.open(path) as ledger:
        assert ask(service(server, ledger), calls, ledger) == {call.key: reply(i) for i, call in enumerate(calls)}
    assert server.asked() == {call.key: 1 for call in calls}


def test_two_at_once_submit_once(server: Server, tmp_path: Path) -> None:
    calls, results = asks(6), list[dict[str, Outcome]]()

    def run() -> None:
        with Ledger.open(tmp_path / "calls.sqlite") as ledger:
            results.append(ask(service(server, ledger), calls, ledger))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [{key: outcome.text for key, outcome in result.items()} for result in results] == 3 * [  # type: ignore[union-attr]
        {call.key: f"about question {i}" for i, call in enumerate(calls)}
    ]
    assert server.asked() == {call.key: 1 for call in calls}


# --- money -----------------------------------------------------------------------------------------------------


def test_the_budget_holds_back_what_does_not_fit(server: Server, ledger: Ledger) -> None:
    calls = asks(5)
    budget = Budget(2, None, lambda _: Price(1.0, 1.0))
    with pytest.raises(BudgetError, match="--max-calls 2 is reached"):
        ask(service(server, ledger, budget=budget), calls, ledger)
    assert [len(requests) for requests in server.submitted()] == [2]
    assert ledger.count() == (2, 0)
    assert budget.spent.usd == pytest.approx(2 * 12e-6)  # 10 + 2 tokens at 1 USD a million


def test_cost_comes_back_for_more(server: Server, ledger: Ledger) -> None:
    """A call may cost 10 + 8 + 16 = 34 millionths and costs 12, so that 75 millionths take 2, then 1, then 1."""
    budget = Budget(None, 75e-6, lambda _: Price(1.0, 1.0))
    with pytest.raises(BudgetError, match="--max-cost"):
        ask(service(server, ledger, budget=budget), asks(5), ledger)
    assert [len(requests) for requests in server.submitted()] == [2, 1, 1]  # 75 ≥ 2×34; 51 ≥ 34; 39 ≥ 34; 27 < 34
    assert budget.spent.usd == pytest.approx(4 * 12e-6)
