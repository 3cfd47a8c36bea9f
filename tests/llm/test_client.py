from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from s2eval.errors import BudgetError, PrerequisiteError, ServiceError, UsageError
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Call, Failure, Message, Reply, Usage
from s2eval.llm.client import OpenAIService
from tests.llm.asked import KEY, Told, ask, call, calls, service
from tests.llm.faults import RATE, error, http, in_turn, ok, serve

# -- what is sent, what comes back


def test_a_call_is_sent_with_all_that_determines_the_reply():
    messages = (
        Message("system", "You judge."),
        Message("user", "É 🙂 \x00"),
        Message("assistant", "a"),
        Message("user", "b"),
    )
    one = Call("s", "judge", messages, temperature=0.7, max_tokens=99, seed=5, stop=("###",))
    with serve(ok()) as server:
        ask(server, one)
    (request,) = server.requests
    assert (request.path, request.headers["authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert request.body == {
        "model": "judge",
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "max_tokens": 99,
        "temperature": 0.7,
        "seed": 5,
        "stop": ["###"],
    }


def test_seed_stop_and_schema_are_not_sent_where_they_are_not_set():
    with serve(ok()) as server:
        ask(server, call("q"))
    assert sorted(server.requests[0].body) == ["max_tokens", "messages", "model", "temperature"]


def test_a_reply_says_what_the_server_said():
    with serve(ok(" [[8]]\n").late(0.05)) as server:
        reply = ask(server, call("q"))
    assert (reply.text, reply.finish, reply.model, reply.attempts) == (" [[8]]\n", "stop", "judge-0613", 1)
    assert (reply.tokens_in, reply.tokens_out) == (11, 7)
    assert 0.05 <= reply.seconds < 4


def test_a_reply_that_is_cut_is_a_reply():
    with serve(ok("The answer", "length")) as server:
        assert ask(server, call("q")).finish == "length"


@pytest.mark.parametrize(
    "usage", [None, [], {}, {"prompt_tokens": "11"}, {"prompt_tokens": -1}, {"prompt_tokens": True}]
)
def test_tokens_that_the_server_does_not_count_are_unknown(usage):
    with serve(ok(usage=usage, model=None)) as server:
        reply = ask(server, call("q"))
    assert (reply.tokens_in, reply.tokens_out, reply.model) == (None, None, "")


@pytest.mark.parametrize("text", ["\ud800", "[[10]]\u202e", "x" * 100_000, "\x00\x1b[2J", '"}],"model":"other'])
def test_any_text_can_be_sent(text):
    with serve(ok()) as server:
        assert isinstance(ask(server, call(text)), Reply)
    assert server.requests[0].question == text


def test_no_calls_are_no_requests():
    with serve(ok()) as server:
        service(server.url).run([], Told())
    assert server.requests == []


# -- many at once


def test_all_are_asked_once_and_told_in_this_thread():
    threads, told = set(), Told()

    def done(one, outcome):
        threads.add(threading.current_thread())
        told(one, outcome)

    with serve(ok().late(0.05)) as server:
        service(server.url, max_in_flight=8).run(calls(60), done)
    assert sorted(told, key=int) == [str(n) for n in range(60)]
    assert sorted(request.question for request in server.requests) == sorted(told)
    assert threads == {threading.current_thread()}
    assert server.peak == 8


def test_half_of_the_maximum_is_asked_at_first():
    with serve(ok().late(0.2)) as server:
        service(server.url, max_in_flight=8).run(calls(12), Told())
    first, *_, fourth, fifth = (request.at for request in server.requests[:5])
    assert fourth < first + 0.2 <= fifth


def test_a_429_halves_what_is_asked_at_once():
    with serve(lambda request, n: (RATE if n < 8 else ok()).late(0.1)) as server:
        service(server.url, max_in_flight=16, backoff=0.001).run(calls(8), Told())
    first, *_, fourth, fifth = (request.at for request in server.requests[8:13])  # after a burst of eight
    assert fourth < first + 0.1 <= fifth


def test_only_as_many_calls_are_taken_as_workers_ask():
    taken = 0

    class Counted(list):
        def __iter__(self):
            nonlocal taken
            for one in super().__iter__():
                taken += 1
                yield one

    with serve(error(401, "no")) as server, pytest.raises(ServiceError):
        service(server.url, max_in_flight=4).run(Counted(calls(1000)), Told())
    assert taken <= 4


def test_a_service_runs_again():
    with serve(ok()) as server:
        client, told = service(server.url), Told()
        client.run(calls(3), told)
        client.run([call("again")], told)
    assert len(told) == 4


# -- how it ends


def test_what_done_raises_ends_the_run():
    def full(one, outcome):
        raise OSError(28, "No space left on device")

    with serve(ok().late(0.05)) as server, pytest.raises(OSError, match="No space left"):
        service(server.url, max_in_flight=8).run(calls(100), full)
    assert len(server.requests) == 4


def test_an_interrupt_in_done_is_raised_on():
    def interrupt(one, outcome):
        raise KeyboardInterrupt

    with serve(ok()) as server, pytest.raises(KeyboardInterrupt):
        service(server.url, max_in_flight=2).run(calls(100), interrupt)
    assert len(server.requests) == 1


def test_an_interrupt_drops_what_is_in_flight():
    budget, told = Budget(None, None), Told()
    with serve(ok().late(30)) as server:
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            service(server.url, max_in_flight=4, timeout=60, budget=budget).run(calls(10), told)
        assert time.monotonic() - started < 5
    assert not told
    assert budget.spent.calls == 2
    assert budget.in_flight == 0  # every attempt is settled


def test_inside_a_loop_it_says_what_to_do():
    async def inside():
        service("http://127.0.0.1:1/v1").run(calls(1), Told())

    with pytest.raises(UsageError, match=r"await asyncio\.to_thread\(service\.run"):
        asyncio.run(inside())


# -- the budget


class Book:
    """A budget that notes what it is told."""

    def __init__(self):
        self.admitted, self.settled = [], []

    async def admit(self, one):
        self.admitted.append(one)
        return 0.25

    def settle(self, reserved, usage):
        self.settled.append((reserved, usage))


def test_every_attempt_is_paid_for():
    book = Book()
    with serve(in_turn(error(500, "oops"), RATE, http(200, "{"), ok("[[3]]"))) as server:
        reply = ask(server, call("q"), budget=book)
    assert reply.attempts == len(server.requests) == len(book.admitted) == 4
    # a server error and a broken body may have been billed, a refusal is not
    assert book.settled == [(0.25, None), (0.25, Usage(0, 0)), (0.25, None), (0.25, Usage(11, 7))]


def test_at_the_limit_of_calls_no_call_starts_and_what_is_in_flight_is_told():
    told, budget = Told(), Budget(10, None)
    with serve(ok().late(0.02)) as server, pytest.raises(BudgetError, match="--max-calls 10"):
        service(server.url, max_in_flight=8, budget=budget).run(calls(40), told)
    assert len(server.requests) == len(told) == budget.spent.calls == 10


def test_attempts_that_fail_count_against_the_limit_of_calls():
    told = Told()
    with serve(error(500, "oops")) as server, pytest.raises(BudgetError):
        service(server.url, max_in_flight=2, attempts=3, budget=Budget(7, None)).run(calls(40), told)
    assert len(server.requests) == 7
    assert all(isinstance(outcome, Failure) for outcome in told.values())


# -- models


def test_models_are_listed():
    with serve(http(200, {"object": "list", "data": [{"id": "judge"}, {"id": 3}, {"id": "other"}]})) as server:
        assert service(server.url).models() == ["judge", "other"]
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/v1/models")


def test_a_server_without_a_list_is_no_error():
    with serve(http(404, "not found")) as server:
        assert service(server.url).models() == []


def test_models_are_asked_for_again():
    with serve(in_turn(error(503, "starting"), http(200, {"data": []}))) as server:
        assert service(server.url).models() == []
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error(401, f"bad key {KEY}"), r"HTTP 401: bad key \*\*\*.*OPENAI_API_KEY"),
        (http(200, "<html>Welcome</html>", "text/html"), "a web page: Welcome"),
        (http(200, {"status": "fine"}), "usually ends in /v1"),
        (http(302, b"", location="/login"), "a redirection to /login"),
    ],
)
def test_what_is_no_server_of_models_is_told(answer, message):
    with serve(answer) as server, pytest.raises(ServiceError, match=message):
        service(server.url).models()


# -- where to ask, and with what key


@pytest.fixture
def bare(monkeypatch):
    """An environment without key and base URL."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_openai_is_the_default_and_wants_a_key(bare):
    client = OpenAIService()
    assert client.url == "https://api.openai.com/v1"
    assert client.name("gpt-4") == "openai:gpt-4@https://api.openai.com/v1"
    with pytest.raises(PrerequisiteError, match="OPENAI_API_KEY"):
        client.run(calls(1), Told())
    with pytest.raises(PrerequisiteError, match="OPENAI_API_KEY"):
        client.models()


def test_a_local_server_needs_no_key(bare):
    with serve(ok()) as server:
        OpenAIService(server.url + "/").run([call("q")], Told())
    assert server.requests[0].headers["authorization"] == "Bearer none"


def test_key_and_url_come_from_the_environment(bare):
    with serve(ok()) as server:
        bare.setenv("OPENAI_API_KEY", f" {KEY}\n")
        bare.setenv("OPENAI_BASE_URL", server.url)
        OpenAIService().run([call("q")], Told())
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": "localhost:8000/v1"}, "expected http://HOST"),
        ({"base_url": "ftp://example.org"}, "expected http://HOST"),
        ({"base_url": "http://:8000/v1"}, "expected http://HOST"),
        ({"base_url": "http://host:port/v1"}, "expected http://HOST"),
        ({"base_url": "http://[::1/v1"}, "expected http://HOST"),
        ({"base_url": "http://host/v1?key=1"}, "leave out"),
        ({"api_key": "sk-canary 123"}, "a space, a line break"),
        ({"api_key": "sk-canary-ü"}, "a space, a line break"),
        ({"api_key": "sk-canary-\udc80"}, "a space, a line break"),
        ({"max_in_flight": 0}, "max_in_flight must be above 0, not 0"),
        ({"attempts": -1}, "attempts must be above 0"),
        ({"timeout": float("nan")}, "timeout must be above 0"),
        ({"requests_per_minute": 0}, "requests_per_minute must be above 0"),
    ],
)
def test_what_cannot_be_used_is_told(bare, changes, message):
    with pytest.raises(UsageError, match=message) as caught:
        OpenAIService(**{"base_url": "http://127.0.0.1:1/v1"} | changes)
    assert "canary" not in str(caught.value)


def test_the_module_is_imported_without_the_sdk():
    code = (
        "import sys, s2eval.llm.client; print([name for name in ('openai', 'httpx2', 'torch') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
