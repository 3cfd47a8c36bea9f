"""What ends a run: a refused key, an exhausted quota, no such model, no server."""

from __future__ import annotations

import time

import pytest

from s2eval.errors import ServiceError
from s2eval.llm.calls import Reply
from tests.llm.asked import KEY, Told, calls, service
from tests.llm.faults import RATE, error, http, ok, serve

ENDING = {  # fault → (answer, what the message tells to do)
    "401": (error(401, f"Incorrect API key provided: {KEY}", code="invalid_api_key"), "OPENAI_API_KEY"),
    "403": (error(403, "You are not allowed"), "OPENAI_API_KEY"),
    "400 of a bad key": (error(400, "API key not valid. Please pass a valid API key."), "OPENAI_API_KEY"),
    "401 inside a 200": (http(200, {"error": {"code": 401, "message": "No auth"}}), "OPENAI_API_KEY"),
    "402": (error(402, "Insufficient Balance"), "add credit"),
    "exhausted quota": (error(429, "You exceeded your current quota", code="insufficient_quota"), "add credit"),
    "billing limit": (error(400, "hard limit", code="billing_hard_limit_reached"), "add credit"),
    "unknown path": (http(404, "404 page not found", "text/plain"), "usually ends in /v1"),
    "405": (error(405, "Method Not Allowed"), "usually ends in /v1"),
    "a redirection": (http(301, b"", location="https://example.org/v1"), "https://example.org/v1"),
}


@pytest.mark.parametrize("fault", ENDING)
def test_the_run_ends_at_once(fault):
    answer, advice = ENDING[fault]
    told = Told()
    with serve(answer) as server, pytest.raises(ServiceError) as caught:
        service(server.url, max_in_flight=8).run(calls(40), told)
    asked = [request for request in server.requests if request.method == "POST"]
    assert 1 <= len(asked) <= 4  # half of 8 at first
    assert not told
    assert str(caught.value).startswith(server.url)
    assert advice in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_when_the_run_ends_calls_in_flight_are_told_and_none_starts():
    def script(request, n):
        return error(401, "no").late(0.2) if request.question == "0" else ok().late(0.4)

    told = Told()
    with serve(script) as server, pytest.raises(ServiceError):
        service(server.url, max_in_flight=8).run(calls(40), told)
    assert sorted(told) == ["1", "2", "3"]
    assert all(isinstance(outcome, Reply) for outcome in told.values())
    assert len(server.requests) == 4


def test_when_the_run_ends_a_call_in_flight_that_might_have_been_tried_again_is_not_told():
    def script(request, n):
        return error(401, "no").late(0.1) if request.question == "0" else error(500, "oops").late(0.3)

    told = Told()
    with serve(script) as server, pytest.raises(ServiceError, match="401"):
        service(server.url, max_in_flight=4, attempts=1).run(calls(2), told)
    assert len(server.requests) == 2
    assert not told


def test_when_the_run_ends_calls_that_wait_are_not_told():
    def script(request, n):
        return {"0": error(401, "no").late(0.2), "1": error(500, "oops"), "2": RATE}.get(request.question, ok())

    told = Told()
    with serve(script) as server, pytest.raises(ServiceError, match="401"):
        service(server.url, max_in_flight=6, backoff=30.0).run(calls(3), told)
    assert not told
    assert len(server.requests) == 3


def test_the_models_that_are_there_are_named():
    def script(request, n):
        if request.method == "GET":
            return http(200, {"data": [{"id": "judge-7b"}, {"id": "other"}]})
        return error(404, "The model `judge` does not exist", code="model_not_found")

    with serve(script) as server, pytest.raises(ServiceError, match=r"does not exist.*Did you mean 'judge-7b'\?"):
        service(server.url).run(calls(3), Told())


def test_nobody_there_ends_the_run(nobody):
    told, started = Told(), time.monotonic()
    with pytest.raises(ServiceError, match="cannot be reached") as caught:
        service(f"http://{nobody}", attempts=8, backoff=0.05).run(calls(480), told)
    assert time.monotonic() - started < 4  # 3 attempts, after 0.05 and 0.1 s; 8 would take 6.35 s
    assert f"http://{nobody}" in str(caught.value)
    assert "Check the base URL" in str(caught.value)
    assert not told


def test_a_server_that_goes_away_ends_the_run():
    told = Told()
    with serve(lambda request, n: ok()) as server:
        client = service(server.url, max_in_flight=1, attempts=2)

        def done(call, outcome):
            told(call, outcome)
            if len(told) == 3:
                server.close()

        with pytest.raises(ServiceError, match="cannot be reached"):
            client.run(calls(100), done)
    assert [type(outcome) for outcome in told.values()] == [Reply] * 3


def test_a_server_that_answers_nothing_of_use_ends_the_run():
    told = Told()
    with serve(error(500, "oops")) as server, pytest.raises(ServiceError, match="32 calls in a row brought no reply"):
        service(server.url, attempts=1, max_in_flight=1).run(calls(100), told)
    assert len(told) == len(server.requests) == 32
