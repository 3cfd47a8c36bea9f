"""The Batch API of a server that fails."""

from __future__ import annotations

import pytest

from s2eval.errors import IncompleteError, PrerequisiteError, ServiceError
from s2eval.llm.asking import ask
from s2eval.llm.batch import BatchService
from s2eval.llm.ledger import Ledger
from tests.llm.batches import (
    CANARY,
    Fault,
    Server,
    asks,
    does_and_drops,
    drops,
    reply,
    says,
    service,
)


@pytest.mark.parametrize("request_", ["POST /files", "POST /batches", "GET /batches/*", "GET /files/*/content"])
@pytest.mark.parametrize(
    "fault",
    [
        says(500, {"error": {"message": "oh"}}),
        says(429, {"error": {"message": "slow down"}}),
        says(503, b"<html><h1>Bad gateway</h1></html>"),
        drops,
    ],
    ids=["500", "429", "html", "drop"],
)
def test_a_passing_fault(server: Server, ledger: Ledger, request_: str, fault: Fault) -> None:
    server.faults[request_] = [fault, fault]
    assert ask(service(server, ledger), asks(1), ledger) == {asks(1)[0].key: reply(0)}
    assert list(server.asked().values()) == [1]


@pytest.mark.parametrize("request_", ["POST /files", "POST /batches", "GET /batches/*"])
@pytest.mark.parametrize("body", [b"{", b"<html>", b"[]", b'{"id": null}'])
def test_an_answer_that_is_none(server: Server, ledger: Ledger, request_: str, body: bytes) -> None:
    server.faults[request_] = [says(200, body)]
    assert ask(service(server, ledger), asks(1), ledger) == {asks(1)[0].key: reply(0)}
    assert list(server.asked().values()) == [1]


def test_a_lost_answer_to_create(server: Server, ledger: Ledger) -> None:
    server.faults["POST /batches"] = [does_and_drops]
    calls = asks(3)
    assert ask(service(server, ledger), calls, ledger) == {call.key: reply(i) for i, call in enumerate(calls)}
    assert server.asked() == {call.key: 1 for call in calls}
    assert server.seen.count("POST /batches") == 1


def test_a_server_that_never_answers(server: Server, ledger: Ledger) -> None:
    server.faults["GET /batches/*"] = [drops] * 100
    with pytest.raises(ServiceError, match=r"What was submitted goes on there; the same command\s+collects it"):
        ask(service(server, ledger, patience=0.1), asks(2), ledger)
    server.faults.clear()
    assert len(ask(service(server, ledger), asks(2), ledger)) == 2
    assert set(server.asked().values()) == {1}


def test_no_server(ledger: Ledger) -> None:
    nowhere = BatchService("http://127.0.0.1:9/v1", CANARY, ledger, patience=0.05, pause=0.01)
    with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:9/v1, Batch API: no answer"):
        ask(nowhere, asks(1), ledger)


def test_a_refused_key_is_not_shown(server: Server, ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    wrong = BatchService(server.url, "sk-canary-wrong-999999", ledger, pause=0.01)
    with pytest.raises(ServiceError, match="401") as error:
        ask(wrong, asks(1), ledger)
    assert "canary" not in str(error.value)
    assert "canary" not in caplog.text
    assert error.value.__cause__ is None
    assert server.batches == {}


def test_no_key(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(PrerequisiteError, match="OPENAI_API_KEY"):
        ask(BatchService("https://api.openai.com/v1", None, ledger), asks(1), ledger)


def test_a_server_without_batches(server: Server, ledger: Ledger) -> None:
    server.faults["POST /files"] = [says(404, {"detail": "Not Found"})]
    with pytest.raises(ServiceError, match=r"has no Batch API .*without --batch"):
        ask(service(server, ledger), asks(1), ledger)


def test_a_batch_of_another_key(server: Server, ledger: Ledger) -> None:
    with pytest.raises(IncompleteError):
        ask(service(server, ledger, wait=False), asks(1), ledger)
    server.batches.clear()
    with pytest.raises(ServiceError, match=r"knows no batch_0\. Use the key that it was submitted with"):
        ask(service(server, ledger), asks(1), ledger)
    assert server.batches == {}  # not submitted again on its own
