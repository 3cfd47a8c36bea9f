"""What the client's tests share: calls, a service that does not wait long, and a list of how calls ended."""

from __future__ import annotations

from typing import Any

from s2eval.llm.calls import Call, Message, Outcome
from s2eval.llm.client import OpenAIService

KEY = "sk-canary-0123456789abcdef"
SCHEMA = '{"type": "object", "properties": {"rating": {"type": "integer"}}}'


def call(question: str = "How does rain form?", **changes: Any) -> Call:
    """A call with the question as its only message."""
    fields: dict[str, Any] = {"service": "openai:judge", "model": "judge", "temperature": 0.0, "max_tokens": 16}
    return Call(messages=(Message("user", question),), **fields | changes)


def calls(number: int, **changes: Any) -> list[Call]:
    """Calls that ask "0", "1", …"""
    return [call(str(n), **changes) for n in range(number)]


def service(url: str, **changes: Any) -> OpenAIService:
    """A client with a key, that tries three times and is back within milliseconds."""
    return OpenAIService(url, KEY, **{"backoff": 0.001, "attempts": 3, "timeout": 5.0} | changes)


class Told(dict[str, Outcome]):
    """Question → how it ended; a call that is told twice is an error. It is the `done` of a run."""

    def __call__(self, call: Call, outcome: Outcome) -> None:
        question = call.messages[-1].content
        assert question not in self
        self[question] = outcome


def ask(server: Any, one: Call, **changes: Any) -> Outcome:
    """How one call ends."""
    told = Told()
    service(server.url, **changes).run([one], told)
    (outcome,) = told.values()
    return outcome
