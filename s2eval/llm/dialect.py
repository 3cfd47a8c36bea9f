"""The body of a request in the form that a server accepts, which is learned from its refusals.

Nothing that determines the reply is ever left out: where a parameter is not accepted, the call fails with a message.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Literal

from s2eval.files import JsonObject
from s2eval.llm.calls import Call
from s2eval.llm.problems import Problem

DEFAULT_TEMPERATURE = 1.0  # of OpenAI's API: leaving it out asks for the same
_UNSUPPORTED = re.compile(r"(un|not )support|unrecognized|unknown|instead|not permitted|does not take", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a model of a server accepts.

    Attributes:
        limit: the name of the limit on the reply's tokens.
        schema: the form of a JSON schema: OpenAI's, or llama-cpp-python's.
        proven: a reply in the schema's form has come, so that later errors are not about the form.
        temperature: whether the default, 1, is sent.
    """

    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    schema: Literal["json_schema", "json_object"] = "json_schema"
    proven: bool = False
    temperature: bool = True


def body(call: Call, dialect: Dialect) -> JsonObject:
    """The request's body in the form of `POST /chat/completions`."""
    fields: JsonObject = {
        "model": call.model,
        "messages": [{"role": message.role, "content": message.content} for message in call.messages],
        dialect.limit: call.max_tokens,
    }
    if dialect.temperature or call.temperature != DEFAULT_TEMPERATURE:
        fields["temperature"] = call.temperature
    if call.seed is not None:
        fields["seed"] = call.seed
    if call.stop:
        fields["stop"] = list(call.stop)
    if call.schema is not None:
        schema = json.loads(call.schema)
        fields["response_format"] = (
            {"type": "json_object", "schema": schema}
            if dialect.schema == "json_object"
            else {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": schema}}
        )
    return fields


def alternative(call: Call, dialect: Dialect, problem: Problem) -> Dialect | None:
    """The dialect for the same request after this refusal; None = there is no other. Each is offered once."""
    if problem.status in (400, 422):
        if dialect.limit == "max_tokens" and _about(problem, "max_completion_tokens"):
            return replace(dialect, limit="max_completion_tokens")
        if dialect.temperature and call.temperature == DEFAULT_TEMPERATURE and _about(problem, "temperature"):
            return replace(dialect, temperature=False)
    may_be_schema = call.schema is not None and not dialect.proven and problem.status in (400, 422, 500, 501)
    if may_be_schema and dialect.schema == "json_schema":
        return replace(dialect, schema="json_object")
    return None


def explain(call: Call, problem: Problem) -> Problem:
    """The refusal of a parameter with what to do; any other problem unchanged."""
    if problem.status not in (400, 422):
        return problem
    for name, value in (("temperature", call.temperature), ("seed", call.seed)):
        if value is not None and _about(problem, name):
            advice = f"{call.model} does not take {name} {value}, which determines the reply, so it is not left out"
            option = " (of a judge: --judge-temperature, judge_temperature: in a run)" if name == "temperature" else ""
            return replace(problem, message=f"{advice}; use another model or {name}{option} ({problem.message})")
    if call.schema is not None and (_about(problem, "response_format") or _about(problem, "json_schema")):
        advice = f"{call.model} takes no JSON schema; leave --structured (structured: in a run) out"
        return replace(problem, message=f"{advice} ({problem.message})")
    return problem


def _about(problem: Problem, name: str) -> bool:
    """Whether the server does not accept the parameter."""
    mentioned = problem.param == name or re.search(rf"\b{name}\b", problem.message) is not None
    return mentioned and (_UNSUPPORTED.search(problem.message) is not None or problem.code.startswith("unsupported"))
