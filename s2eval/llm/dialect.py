"""How a server wants to be asked: the body of a request, and what is learned from the refusal of one.

Nothing that determines the reply is ever left out to please a server: where a parameter is not taken, the call is
refused and the message says so.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from s2eval.llm.calls import Call, dialogue
from s2eval.llm.responses import Problem

DEFAULT_TEMPERATURE = 1.0  # of OpenAI's API: leaving it out asks for the same
_UNSUPPORTED = re.compile(r"(un|not )support|unrecognized|unknown|instead|not permitted|does not take", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a model of a server takes.

    Attributes:
        limit: the name of the limit on the reply's tokens.
        schema: the form in which a JSON schema is given: OpenAI's, or llama-cpp-python's.
        proven: a reply in the schema's form has come, so that later errors are not about the form.
        temperature: whether it is sent where it is the default, 1.
    """

    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    schema: Literal["json_schema", "json_object"] = "json_schema"
    proven: bool = False
    temperature: bool = True


def body(call: Call, dialect: Dialect) -> dict[str, Any]:
    """The request's body in the form of `POST /chat/completions`."""
    fields: dict[str, Any] = {"model": call.model, "messages": dialogue(call.messages), dialect.limit: call.max_tokens}
    if dialect.temperature or call.temperature != DEFAULT_TEMPERATURE:
        fields["temperature"] = call.temperature
    if call.seed is not None:
        fields["seed"] = call.seed
    if call.stop:
        fields["stop"] = list(call.stop)
    if call.schema is not None:
        fields["response_format"] = _format(json.loads(call.schema), dialect)
    return fields


def _format(schema: Any, dialect: Dialect) -> dict[str, Any]:
    if dialect.schema == "json_object":
        return {"type": "json_object", "schema": schema}
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": schema}}


def alternative(call: Call, dialect: Dialect, problem: Problem) -> Dialect | None:
    """How to ask the same at once in another way after this refusal; None = there is no other way.

    Each alternative is offered once: the dialect that it gives has no way back.
    """
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
    """The refusal of a parameter with what it means here; any other problem as it is."""
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
    """Whether the server says that it does not take the parameter."""
    named = problem.param == name or re.search(rf"\b{name}\b", problem.message) is not None
    return named and (_UNSUPPORTED.search(problem.message) is not None or problem.code.startswith("unsupported"))
