"""In which form a server is asked, and what is learned when it refuses one."""

from __future__ import annotations

import json

import pytest

from s2eval.llm.calls import Reply
from tests.llm.asked import SCHEMA, Told, ask, call, calls, service
from tests.llm.faults import error, http, in_turn, ok, serve


def strict(request, n):
    """A server that takes `max_completion_tokens` only."""
    if "max_tokens" in request.body:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        return error(400, message, param="max_tokens", code="unsupported_parameter")
    return ok()


def test_max_completion_tokens_is_learned_once():
    told = Told()
    with serve(strict) as server:
        service(server.url, max_in_flight=1, attempts=1).run(calls(5), told)
    assert [told[str(n)].attempts for n in range(5)] == [2, 1, 1, 1, 1]
    assert server.requests[1].body["max_completion_tokens"] == 16
    assert "max_tokens" not in server.requests[1].body


def test_a_limit_that_is_too_large_is_no_question_of_its_name():
    message = "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 4096"
    with serve(error(400, message)) as server:
        assert ask(server, call("q")).kind == "refused"
    assert len(server.requests) == 1


def reasoning(request, n):
    """A server that takes neither a temperature nor a seed."""
    for name in ("temperature", "seed"):
        if name in request.body:
            message = f"Unsupported value: '{name}' does not support {request.body[name]} with this model."
            return error(400, message, param=name, code="unsupported_value")
    return ok()


@pytest.mark.parametrize(
    ("name", "value", "requests"), [("temperature", 0.0, 1), ("seed", 7, 2)]
)  # 2: the default 1 goes
def test_a_parameter_that_determines_the_verdict_is_never_left_out(name, value, requests):
    with serve(reasoning) as server:
        outcome = ask(server, call("q", **{"temperature": 1.0, name: value}))
    assert outcome.kind == "refused"
    assert f"judge does not take {name} {value}, which determines the reply" in outcome.message
    assert [name in request.body for request in server.requests] == [True] * requests


def test_the_temperature_is_left_out_where_it_is_the_default():
    with serve(reasoning) as server:
        assert isinstance(ask(server, call("q", temperature=1.0)), Reply)
    assert [request.body.get("temperature") for request in server.requests] == [1.0, None]


def llama_cpp(request, n):
    """llama-cpp-python's server: another form of the schema, an error 500 for OpenAI's."""
    form = request.body.get("response_format", {})
    if form.get("type") == "json_schema":
        return http(500, {"error": {"message": "[{'type': 'literal_error', 'loc': ('body', 'response_format')}]"}})
    return ok('{"rating": 8}')


def test_a_schema_is_sent_in_the_form_that_the_server_takes():
    told = Told()
    with serve(llama_cpp) as server:
        service(server.url, max_in_flight=1, attempts=1).run(calls(3, schema=SCHEMA), told)
    assert [told[q].attempts for q in "012"] == [2, 1, 1]
    forms = [request.body["response_format"] for request in server.requests]
    assert forms[0]["json_schema"] == {"name": "reply", "strict": True, "schema": json.loads(SCHEMA)}
    assert forms[1:] == [{"type": "json_object", "schema": json.loads(SCHEMA)}] * 3


def test_where_neither_form_is_taken_the_first_refusal_counts():
    def script(request, n):
        return error(400, f"bad response_format {request.body['response_format']['type']}")

    with serve(script) as server:
        outcome = ask(server, call("q", schema=SCHEMA))
    assert (outcome.kind, outcome.message) == ("refused", "HTTP 400: bad response_format json_schema")
    assert len(server.requests) == 2


def test_a_passing_500_does_not_change_the_form():
    def script(request, n):
        if request.body["response_format"]["type"] == "json_object":
            return error(400, "unknown parameter: 'response_format.schema'")
        return error(500, "oops") if n == 0 else ok('{"rating": 8}')

    told = Told()
    with serve(script) as server:
        service(server.url, max_in_flight=1).run(calls(2, schema=SCHEMA), told)
    assert [told[q].attempts for q in "01"] == [3, 1]  # 500, the other form, again
    assert server.requests[-1].body["response_format"]["type"] == "json_schema"


def test_a_form_that_was_taken_is_not_given_up_for_a_500():
    told = Told()
    with serve(in_turn(ok('{"rating": 8}'), error(500, "oops"), ok('{"rating": 8}'))) as server:
        service(server.url, max_in_flight=1).run(calls(2, schema=SCHEMA), told)
    assert [request.body["response_format"]["type"] for request in server.requests] == ["json_schema"] * 3


def test_where_a_schema_is_asked_for_a_reply_without_json_is_none():
    with serve(in_turn(ok("Rating: 8"), ok('{"rating": 8}'))) as server:
        assert ask(server, call("q", schema=SCHEMA)).attempts == 2
    with serve(ok("Rating: 8")) as server:
        outcome = ask(server, call("q", schema=SCHEMA))
    assert (outcome.kind, outcome.attempts) == ("malformed", 2)  # at temperature 0 it would be the same again
    assert "`choices[0].message.content`" in outcome.message


def test_json_that_is_cut_is_not_asked_for_again():
    with serve(ok('{"rating":', "length")) as server:
        outcome = ask(server, call("q", schema=SCHEMA))
    assert (outcome.kind, len(server.requests)) == ("malformed", 1)
    assert "cut at 16 tokens" in outcome.message
