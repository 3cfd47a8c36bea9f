"""What the tests of `s2eval mtbench` against a real server share: the server's replies, and the command."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.llm.faults import Answer, Faults, Request, http, ok
from tests.llm.faults import serve as serve_as

serve = partial(serve_as, catalog=http(404, {}))  # a server without a list of models
Outcome = tuple[int, str, str]
KEY = "sk-canary-4ac1f0"


def judged(request: Request, _: int = 0) -> Answer:
    """A student that answers, and a judge: 8 for a first turn, 5 for a second one."""
    if request.body["model"] == "student":
        return ok(f"An answer to: {request.question[:20]}")
    if "Assistant B" in request.question:
        return ok("Both are fine.\nVerdict: [[C]]")
    return ok("It is clear.\nRating: [[5]]" if "[First Question]" in request.question else "Good.\nRating: [[8]]")


def command(server: Faults, out: Path, *more: object) -> list[object]:
    models = () if "--model" in more else ("--model", "openai:student")
    return ["mtbench", *models, "--judge", "openai:gpt-4", "--base-url", server.url, "--limit", 6, "--out", out, *more]


def asked(server: Faults, model: str) -> int:
    return sum(request.method == "POST" and request.body["model"] == model for request in server.requests)
