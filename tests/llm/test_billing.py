"""What a server bills is charged whatever becomes of its reply, so that `--max-cost` holds; with a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from s2eval.errors import S2Error
from s2eval.llm.account import Spent
from s2eval.llm.asking import ask
from s2eval.llm.batch import BatchService
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Usage
from s2eval.llm.ledger import Ledger
from s2eval.llm.prices import Price
from s2eval.llm.responses import usage_of
from tests.llm import batches
from tests.llm.asked import calls, service
from tests.llm.faults import DROP, Answer, Request, completion, error, http, in_turn, ok, serve

PRICE = Price(30.0, 60.0)
USAGE = {"prompt_tokens": 1000, "completion_tokens": 3000, "total_tokens": 4000}  # 0.21 USD
BILL, LIMIT = 0.21, 1.00
ROOMY = {"max_tokens": 4000}  # may cost 0.24 USD and a little: four attempts at most

HALF = http(200, completion(usage=USAGE)).raw[:-40]
REFUSAL = {"message": {"role": "assistant", "content": None, "refusal": "No."}, "finish_reason": "stop"}
CALL = {"message": {"role": "assistant", "content": None, "tool_calls": [{"id": "x"}]}, "finish_reason": "tool_calls"}

BILLED: dict[str, Answer] = {
    "good": ok(usage=USAGE),
    "empty at the limit": ok("", "length", usage=USAGE),
    "empty": ok("", usage=USAGE),
    "null": ok(None, usage=USAGE),
    "a filter": ok("half", "content_filter", usage=USAGE),
    "a refusal": http(200, completion(choices=[REFUSAL], usage=USAGE)),
    "a tool call": http(200, completion(choices=[CALL], usage=USAGE)),
    "no choices": http(200, completion(choices=[], usage=USAGE)),
    "a number for a text": ok(8, usage=USAGE),
    "an error inside": http(200, {"error": {"message": "upstream", "code": 502}, "usage": USAGE}),
    "an error inside with its usage": http(200, {"error": {"message": "no", "code": 400, "usage": USAGE}}),
    "a broken choice": http(200, completion(choices=[{"error": {"code": 429, "message": "x"}}], usage=USAGE)),
    "no usage": ok(usage=None),
    "usage of nothing": ok(usage={"prompt_tokens": 0, "completion_tokens": 0}),
    "usage in words": ok(usage={"prompt_tokens": "1000", "completion_tokens": "3000"}),
    "reasoning beside the tokens": ok(usage=USAGE | {"completion_tokens": 5}),
    "other names": ok(usage={"input_tokens": 1000, "output_tokens": 3000}),
    "a web page": http(200, "<html>", "text/html"),
    "broken JSON": http(200, '{"usage": {"prompt_tokens": 1000, "completion_tokens": 3000}, "choices": ['),
    "a body that breaks off": Answer(HALF, close=True),
    "an answer that breaks off": DROP,
    "too late": ok(usage=USAGE).late(30),
    "a server error": error(500, "oops"),
    "a gateway's time-out": error(504, "timeout"),
    "a time-out of the server": error(408, "timeout"),
    "an error with usage": http(400, {"error": {"message": "bad output"}, "usage": USAGE}),
    "a rate limit with usage": http(429, {"error": {"message": "Rate limit"}, "usage": USAGE}),
    "Azure's filter": error(400, "The response was filtered", code="content_filter"),
}


def attempt(path: Path, url: str, limit: float | None, **changes: Any) -> Spent:
    """One run of a command on the store: 30 calls, as many at once; it may fail as it likes."""
    with Ledger.open(path) as ledger:
        budget = Budget(None, limit, lambda _: PRICE)
        budget.keep_in(ledger)
        served = service(url, budget=budget, max_in_flight=60, timeout=changes.pop("timeout", 5.0))
        with suppress(S2Error):
            ask(served, calls(30, **ROOMY | changes), ledger, budget=budget)
        return ledger.spent()


@pytest.mark.parametrize("mode", BILLED)
@pytest.mark.parametrize("schema", [None, "{}"])
def test_the_limit_holds_over_runs(mode: str, schema: str | None, tmp_path: Path) -> None:
    with serve(BILLED[mode]) as server:
        for _ in range(3):
            patience = 0.3 if mode == "too late" else 5.0
            spent = attempt(tmp_path / "calls.sqlite", server.url, LIMIT, timeout=patience, schema=schema)
        posted = len(server.requests)
    assert 1 <= posted <= 4  # 5 · 0.21 > 1
    assert posted * BILL <= spent.usd <= LIMIT
    assert spent.calls == posted


@pytest.mark.parametrize(
    "answer",
    [
        error(429, "Rate limit reached for requests"),
        error(400, "max_tokens is too large"),
        error(422, "unprocessable"),
        error(413, "too large"),
    ],
)
def test_a_refusal_costs_nothing(answer: Answer, tmp_path: Path) -> None:
    script = lambda _, n: answer if n < 20 else ok(usage=USAGE)  # noqa: E731
    with serve(script) as server:
        spent = attempt(tmp_path / "calls.sqlite", server.url, LIMIT)
    assert spent.usd == pytest.approx(min(4, len(server.requests) - 20) * BILL)


def test_a_server_out_of_reach_costs_nothing(tmp_path: Path) -> None:
    spent = attempt(tmp_path / "calls.sqlite", "http://127.0.0.1:9/v1", LIMIT)
    assert spent.usd == pytest.approx(0.0)
    assert spent.assumed == 0


def test_a_server_that_ignores_max_tokens(tmp_path: Path) -> None:
    """Estimates of 0.02 USD, bills of 0.21: the first reply shows it, so that four are asked and not fifty."""
    with serve(ok("", "length", usage=USAGE)) as server:
        for _ in range(2):
            spent = attempt(tmp_path / "calls.sqlite", server.url, LIMIT, max_tokens=300)
    assert len(server.requests) == 4
    assert spent.usd == pytest.approx(0.84)


def test_without_a_limit_it_is_counted(tmp_path: Path) -> None:
    with serve(in_turn(ok("", "length", usage=USAGE))) as server:
        spent = attempt(tmp_path / "calls.sqlite", server.url, None)
        assert spent.usd == pytest.approx(30 * BILL)
        assert attempt(tmp_path / "calls.sqlite", server.url, 7.0).calls == 33  # 6.30 + 2 · 0.21, and a last estimate


# --- batches ---------------------------------------------------------------------------------------------------

ROWS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "empty at the limit": lambda _: {"response": {"status_code": 200, "body": completion("", "length", usage=USAGE)}},
    "no usage": lambda _: {"response": {"status_code": 200, "body": completion("", "length", usage=None)}},
    "no row": lambda _: None,
    "an error with usage": lambda _: {"response": {"status_code": 500, "body": {"error": {}, "usage": USAGE}}},
}


@pytest.mark.parametrize("mode", ROWS)
def test_a_batch_is_charged_by_whoever_collects_it(mode: str, tmp_path: Path) -> None:
    with batches.running() as server:
        server.rows = ROWS[mode]
        for _ in range(6):
            with Ledger.open(tmp_path / "calls.sqlite") as ledger:
                budget = Budget(None, LIMIT, lambda _: PRICE)
                budget.keep_in(ledger)
                batched = BatchService(
                    server.url, batches.CANARY, ledger, budget=budget, wait=False, interval=0.01, pause=0.01
                )
                with suppress(S2Error):
                    ask(batched, calls(30, **ROOMY), ledger, budget=budget)
                spent = ledger.spent()
        submitted = sum(map(len, server.submitted()))
    assert 1 <= submitted <= 4
    assert submitted * BILL <= spent.usd <= LIMIT


def test_what_was_not_submitted_costs_nothing(tmp_path: Path) -> None:
    with batches.running() as server, Ledger.open(tmp_path / "calls.sqlite") as ledger:
        server.faults["POST /files"] = [batches.says(404, {"detail": "Not Found"})]
        budget = Budget(None, LIMIT, lambda _: PRICE)
        budget.keep_in(ledger)
        with suppress(S2Error):
            ask(
                BatchService(server.url, batches.CANARY, ledger, budget=budget),
                calls(30, **ROOMY),
                ledger,
                budget=budget,
            )
        assert ledger.spent().usd == pytest.approx(0.0)


# --- usage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 11, "completion_tokens": 7}, Usage(11, 7)),
        ({"prompt_tokens": 11.0, "completion_tokens": 7.0}, Usage(11, 7)),
        ({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 5}, Usage(11, 7)),  # a total that is none
        ({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 100}, Usage(11, 89)),
        ({"prompt_tokens": 11}, None),
        ({"prompt_tokens": 11, "completion_tokens": -7}, None),
        ({"prompt_tokens": 11, "completion_tokens": True}, None),
        ({"prompt_tokens": 11, "completion_tokens": 10**13}, None),
        ([], None),
        ("11", None),
    ],
)
def test_usage_is_read_where_it_is_plain(usage: Any, expected: Usage | None) -> None:
    body = json.loads(json.dumps({"usage": usage}))
    assert usage_of(body) == usage_of([body]) == usage_of({"error": body}) == expected


def test_no_request_is_lost_from_the_count(tmp_path: Path) -> None:
    """Every kind of answer in turn: the store's attempts are the server's requests."""
    answers = [answer for mode, answer in BILLED.items() if mode != "too late"]

    def script(_: Request, n: int) -> Answer:
        return answers[n % len(answers)]

    with serve(script) as server:
        spent = attempt(tmp_path / "calls.sqlite", server.url, None)
    assert spent.calls == len(server.requests)
