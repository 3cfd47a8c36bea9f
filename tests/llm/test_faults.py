"""One test for each thing that a server may do wrong: what was promised comes of it, and never a wrong reply."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import traceback
from urllib.parse import quote

import pytest

from s2eval.errors import ServiceError
from s2eval.llm import secrets
from s2eval.llm.calls import Failure, Reply
from s2eval.llm.client import OpenAIService
from tests.llm.asked import KEY, Told, call, calls, service
from tests.llm.faults import DROP, RATE, Answer, completion, error, http, in_turn, ok, serve

GOOD = json.dumps(completion()).encode()


def raw(text: str | bytes, *, close: bool = True) -> Answer:
    return Answer(text if isinstance(text, bytes) else text.encode(), close=close)


def choice(**fields):
    return http(200, completion() | {"choices": [fields]})


PASSING = {  # fault → (what the server sends, kind of the failure that it is in the end)
    "500": (error(500, "The server had an error"), "server"),
    "502 with a web page": (http(502, "<html><h1>Bad gateway</h1></html>", "text/html"), "server"),
    "503": (error(503, "overloaded"), "server"),
    "408": (error(408, "Request timeout"), "server"),
    "409": (error(409, "Conflict"), "server"),
    "dropped connection": (DROP, "connection"),
    "no HTTP": (raw("SSH-2.0-OpenSSH_9.2\r\n"), "connection"),
    "short body": (raw(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n" + GOOD), "connection"),
    "chunked garbage": (raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}"), "connection"),
    "garbage in place of gzip": (http(200, GOOD, content_encoding="gzip"), "malformed"),
    "cut gzip": (http(200, gzip.compress(GOOD)[:40], content_encoding="gzip"), "malformed"),
    "truncated JSON": (http(200, GOOD[:-20]), "malformed"),
    "a web page with status 200": (http(200, "<!doctype html><title>Log in</title>", "text/html"), "malformed"),
    "a web page said to be JSON": (http(200, "<html>Log in</html>"), "malformed"),
    "a stream": (http(200, b"data: " + GOOD + b"\n\n", "text/event-stream"), "malformed"),
    "no UTF-8": (http(200, GOOD.replace(b"[[8]]", b"\xff\xfe\xfa")), "malformed"),
    "half a character": (http(200, GOOD.replace(b"[[8]]", b"\\ud83d")), "malformed"),
    "empty body": (http(200), "malformed"),
    "status 204": (raw("HTTP/1.1 204 No Content\r\n\r\n", close=False), "malformed"),
    "a list": (http(200, [1]), "malformed"),
    "100,000 brackets": (http(200, b"[" * 100_000), "malformed"),
    "choices: null": (http(200, completion() | {"choices": None}), "malformed"),
    "no choices": (http(200, {"object": "chat.completion"}), "malformed"),
    "an empty list of choices": (http(200, completion() | {"choices": []}), "malformed"),
    "message: null": (choice(message=None, finish_reason="stop"), "malformed"),
    "content is a number": (choice(message={"content": 8}, finish_reason="stop"), "malformed"),
    "content is a picture": (choice(message={"content": [{"type": "image_url"}]}, finish_reason="stop"), "malformed"),
    "finish_reason is a number": (choice(message={"content": "8"}, finish_reason=0), "malformed"),
    "error body with status 200": (http(200, {"error": {"message": "overloaded"}}), "server"),
    "error text with status 200": (http(200, {"error": "overloaded"}), "server"),
    "error in the choice": (choice(error={"message": "upstream", "code": 502}), "server"),
    "finish_reason error": (ok("[[8", "error"), "server"),
    "an empty reply": (ok(""), "empty"),
    "content: null": (ok(None), "empty"),
}
WRITTEN = {  # what the model wrote is wrong; at temperature 0 it is asked once more, and no further
    "half a character",
    "content is a number",
    "content is a picture",
    "an empty reply",
    "content: null",
}


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_pass_is_tried_again(fault):
    answer, _ = PASSING[fault]
    told = Told()
    with serve(in_turn(answer, ok())) as server:
        service(server.url).run([call("q")], told)
    assert isinstance(told["q"], Reply)
    assert (told["q"].text, told["q"].attempts, len(server.requests)) == ("[[8]]", 2, 2)


@pytest.mark.parametrize("fault", PASSING)
def test_what_does_not_pass_is_a_failure_and_no_reply(fault):
    answer, kind = PASSING[fault]
    told = Told()
    with serve(lambda request, _: answer if request.question == "0" else ok()) as server:
        service(server.url, max_in_flight=2).run(calls(3), told)
    attempts = 2 if fault in WRITTEN else 3
    assert (type(told["0"]), told["0"].kind, told["0"].attempts) == (Failure, kind, attempts)
    assert told["0"].message
    assert fault not in WRITTEN or "content" in told["0"].message or "half" in told["0"].message  # it names the field
    assert "\n" not in told["0"].message
    assert [told[q].text for q in "12"] == ["[[8]]"] * 2
    assert len(server.requests) == attempts + 1 + 1


@pytest.mark.parametrize("fault", sorted(WRITTEN))
def test_a_sampled_reply_that_is_wrong_is_asked_for_as_often_as_any(fault):
    told = Told()
    with serve(PASSING[fault][0]) as server:
        service(server.url).run([call("0", temperature=0.7)], told)
    assert told["0"].attempts == 3


def test_a_stall_ends_with_the_timeout_and_is_tried_again():
    told = Told()
    with serve(in_turn(ok().late(30), ok())) as server:
        service(server.url, timeout=0.3).run([call("q")], told)
    assert told["q"].attempts == 2


def test_a_server_that_trickles_is_a_stall():
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    told = Told()
    with serve(Answer(head, trickle=(b"1\r\n \r\n", 0.03))) as server:  # never 0.2 s without a byte
        service(server.url, timeout=0.2, attempts=2).run([call("q")], told)
    assert told["q"] == Failure("timeout", "no complete answer within 0.2 s", 2)


def test_each_wait_is_twice_the_one_before():
    with serve(error(500, "oops")) as server:
        service(server.url, attempts=4, backoff=0.05).run([call("q")], Told())
    times = [request.at for request in server.requests]
    assert len(times) == 4
    for wait, before, after in zip((0.05, 0.1, 0.2), times, times[1:], strict=False):
        assert after - before >= wait  # and up to 0.05 s more by chance


def test_a_wrong_content_type_does_not_matter_where_the_body_is_right():
    told = Told()
    with serve(http(200, completion("[[3]]"), "text/html; charset=latin-1")) as server:
        service(server.url).run([call("q")], told)
    assert (told["q"].text, told["q"].attempts) == ("[[3]]", 1)


# -- refused: this call, and only this one

REFUSED = {
    "400": (error(400, "messages[0].content is too long"), "refused"),
    "context length": (error(400, "maximum context length is 8192 tokens", code="context_length_exceeded"), "refused"),
    "413": (error(413, "Payload too large"), "refused"),
    "422 of FastAPI": (http(422, {"detail": [{"loc": ["body", "messages"], "msg": "too short"}]}), "refused"),
    "content filter of the prompt": (error(400, "filtered", code="content_filter"), "refused"),
    "moderation with status 403": (error(403, "This model requires moderation: your input was flagged"), "refused"),
    "content filter of the reply": (ok("I would", "content_filter"), "refused"),
    "the model's own refusal": (
        choice(message={"content": None, "refusal": "I can't"}, finish_reason="stop"),
        "refused",
    ),
    "larger than the rate limit": (error(429, "Request too large for judge on tokens per min (TPM)"), "refused"),
    "no text within the tokens": (ok("", "length"), "empty"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_refused_call_is_not_asked_again_and_the_others_are_answered(fault):
    answer, kind = REFUSED[fault]
    told = Told()
    with serve(lambda request, _: answer if request.question == "0" else ok()) as server:
        service(server.url).run(calls(4), told)
    assert isinstance(told["0"], Failure)
    assert told["0"].attempts == 1
    assert told["0"].kind in (kind, "rate limit")
    assert [type(told[q]) for q in "123"] == [Reply] * 3
    assert len(server.requests) == 4


def test_a_refusal_says_what_the_server_said():
    told = Told()
    with serve(error(400, "bad\x1b[31m thing\n<b>here</b>")) as server:
        service(server.url).run([call("q")], told)
    assert told["q"].message == "HTTP 400: bad [31m thing here"


def test_a_long_page_is_cut():
    told = Told()
    with serve(http(500, "<p>" + "word " * 1000, "text/html")) as server:
        service(server.url, attempts=1).run([call("q")], told)
    assert len(told["q"].message) == len("HTTP 500: ") + 299 + 1  # 300 characters end in a space, which goes; then "…"


# -- 429


def others_in_wait(server, wait):
    """Of each 429, the arrivals within `wait` seconds after it."""
    times = [request.at for request in server.requests]
    return [sum(at < other < at + wait for other in times) for n, at in enumerate(times) if n % 2]


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [("retry_after", "0.05", 0.05), ("retry_after_ms", "50", 0.05), (None, None, 0.0)],
)
def test_half_of_all_calls_429(header, value, seconds):
    limited = error(429, "Rate limit reached", code="rate_limit_exceeded")
    if header:
        limited = http(429, {"error": {"message": "slow down"}}, **{header: value})
    told = Told()
    with serve(lambda _, n: limited if n % 2 else ok()) as server:
        service(server.url, max_in_flight=8).run(calls(20), told)
    assert len(told) == 20
    assert all(isinstance(outcome, Reply) for outcome in told.values())
    assert sum(outcome.attempts for outcome in told.values()) == len(server.requests)
    again = {}
    for n, request in enumerate(server.requests):
        if request.question in again:
            assert request.at - again.pop(request.question) >= seconds
        if n % 2:
            again[request.question] = request.at
    if seconds:  # what arrives after a 429 before its time was under way already
        assert max(others_in_wait(server, seconds)) < 8


def test_nobody_is_asked_while_the_server_asks_to_wait():
    told = Told()
    with serve(in_turn(http(429, b"", retry_after="0.3"), ok())) as server:
        service(server.url, max_in_flight=2).run(calls(5), told)  # one at a time at first
    first, second, *_ = server.requests
    assert 0.3 <= second.at - first.at < 2
    assert len(told) == 5


def test_429s_do_not_use_up_the_attempts():
    told = Told()
    with serve(in_turn(*[RATE] * 6, ok())) as server:
        service(server.url, attempts=2).run([call("q")], told)
    assert told["q"].attempts == len(server.requests) == 7


def test_a_call_that_alone_is_refused_for_ever_fails():
    def script(request, n):
        return RATE if request.question == "0" else ok().late(0.02)

    told = Told()
    with serve(script) as server:
        service(server.url, max_wait=0.3, max_in_flight=2, backoff=0.002).run(calls(60), told)
    assert told["0"].kind == "rate limit"
    assert sum(isinstance(outcome, Reply) for outcome in told.values()) == 59


def test_nothing_but_429s_for_longer_than_max_wait_ends_the_run():
    told = Told()
    with serve(RATE) as server, pytest.raises(ServiceError, match=r"refused every call for 0\.1 s"):
        service(server.url, max_wait=0.1, backoff=0.01).run(calls(5), told)
    assert not told


def test_a_retry_after_of_an_hour_ends_the_run_and_says_when_to_come_back():
    told = Told()
    wait = http(429, {"error": {"message": "tokens per day"}}, retry_after="3600")
    with (
        serve(wait) as server,
        pytest.raises(ServiceError, match=r"wait until 20\d\d-.* \(3600 s\), longer than") as caught,
    ):
        service(server.url, max_in_flight=8).run(calls(40), told)
    assert len(server.requests) <= 4
    assert "tokens per day" in str(caught.value)
    assert "same command" in str(caught.value)


def test_a_retry_after_of_a_century_is_no_traceback():
    wait = http(503, b"", retry_after="9" * 300)
    with serve(wait) as server, pytest.raises(ServiceError, match="asks to wait more than a year"):
        service(server.url).run(calls(2), Told())


# -- the key


@pytest.mark.parametrize(
    ("user", "key"),
    [("", "canary/No+prefix=0123"), ("", KEY), ("", "canary-key"), (f"{KEY}:canary%20word@", None)],
)
def test_the_key_is_in_no_log_message_or_traceback(caplog, monkeypatch, user, key):
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.setattr(secrets, "_in_replies", {})
    sent = [key] if key else [KEY, "canary word", base64.b64encode(f"{KEY}:canary word".encode()).decode()]
    echo = "you sent " + " and ".join([*sent, f"Authorization: Bearer {sent[0]}", quote(sent[0], safe="")])
    header = {"x_echo": " ".join(sent)}
    answers = {
        "0": error(400, echo),
        "1": http(500, echo, **header),
        "2": http(200, {"error": {"message": echo}}, **header),
        "3": http(200, f"<html>{'x' * 290} {echo}</html>"),  # where a message is cut
        "4": ok("fine", model=sent[0]),
    }
    final = http(401, {"error": {"message": echo}}, **header)
    for name in ("openai", "httpx2", "httpcore2", "asyncio", ""):
        caplog.set_level(logging.DEBUG, logger=name)
    told = Told()
    with serve(lambda request, _: answers.get(request.question, final)) as server:
        url = server.url.replace("http://", f"http://{user}")
        client = OpenAIService(url, key, attempts=2, backoff=0.001, max_in_flight=1)
        with pytest.raises(ServiceError) as caught:
            client.run(calls(6), told)
    assert len(told) == 5
    authorization = server.requests[0].headers["authorization"]
    assert authorization == (f"Bearer {key}" if key else f"Basic {sent[2]}")
    ours = caught.tb.tb_next  # without this function's own variables
    trace = traceback.TracebackException(caught.type, caught.value, ours, capture_locals=True).format()
    texts = [repr(client), str(vars(client)), client.url, client.name("judge"), str(caught.value), *trace]
    texts += [str(outcome) for outcome in told.values()]
    assert "x-echo" in caplog.text  # the logs would have it
    assert "you sent ***" in str(caught.value)
    for text in (caplog.text, *texts):
        for secret in ("canary", *sent):
            assert secret not in text


def test_an_unreachable_url_with_a_password_is_told_without_it(nobody):
    with pytest.raises(ServiceError, match="cannot be reached") as caught:
        service(f"http://me:canary-password@{nobody}").run(calls(1), Told())
    assert f"http://{nobody} cannot" in str(caught.value)
    assert "canary" not in str(caught.value)
