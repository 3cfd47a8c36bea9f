"""What a server's answer means: a reply, or a problem. Nothing in it is taken on trust."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from s2eval.files import Json, JsonObject
from s2eval.llm.calls import MAX_TOKENS, Call, Reply, Usage
from s2eval.llm.messages import FormError, Written, json_in, kind_of, written
from s2eval.llm.problems import CHECK_URL, Problem, refusal, retry_after
from s2eval.llm.secrets import clean, shown

_TOKENS_IN = ("prompt_tokens", "input_tokens")
_TOKENS_OUT = ("completion_tokens", "output_tokens")


def billed(outcome: Reply | Problem) -> Usage | None:
    """The tokens that an attempt is billed for; None = unknown, so that it may have cost all that was set aside."""
    if isinstance(outcome, Problem):
        return outcome.usage or (Usage(0, 0) if outcome.free else None)
    if outcome.tokens_in is None or not outcome.tokens_out:  # a reply of no tokens was not counted
        return None
    return Usage(outcome.tokens_in, outcome.tokens_out)


def read(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Reply | Problem:
    """The reply in an answer, `seconds` and `attempts` still unset, or what is wrong. Headers by lower-case name."""
    document = parse(status, headers, body)
    return document if isinstance(document, Problem) else read_document(call, document, retry_after(headers))


def parse(status: int, headers: Mapping[str, str], body: bytes) -> Json | Problem:
    """The JSON of a successful answer, or what is wrong; see `read`."""
    wait = retry_after(headers)
    if 300 <= status < 400:
        where = shown(headers.get("location", "elsewhere"))
        return Problem("refused", f"HTTP {status}, a redirection to {where}. {CHECK_URL}.", "end", status, free=True)
    try:
        document = clean(json.loads(body))
    except (ValueError, RecursionError):
        text = body.decode(errors="replace")
        if 200 <= status < 300:
            what = "an empty body" if not text.strip() else "a web page" if text.lstrip()[0] == "<" else "broken JSON"
            message = f"HTTP {status} with {what}: {shown(text)}".rstrip(": ")
            return Problem("malformed", message, "retry", status, wait)
        document = text
    if 200 <= status < 300:
        return document
    return replace(refusal(status, document, wait), usage=usage_of(document))


def read_document(call: Call, document: Json, wait: float | None = None) -> Reply | Problem:
    """The reply in the parsed body of a successful answer, as `read`; also of a line of the Batch API."""
    outcome = _read_document(call, document, wait)
    # a refusal inside a successful answer may come after tokens that are billed
    return replace(outcome, usage=usage_of(document), free=False) if isinstance(outcome, Problem) else outcome


def _read_document(call: Call, document: Json, wait: float | None) -> Reply | Problem:
    def malformed(what: str, *, content: bool = False) -> Problem:
        return Problem("malformed", f"not a chat completion: {what}", "retry", 200, wait, content=content)

    if not isinstance(document, dict):
        return malformed(f"the body is {kind_of(document)}, not an object")
    if document.get("error"):
        return _refusal_inside(document["error"], wait)
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choice := choices[0], dict):
        return malformed(f"`choices` is {kind_of(choices)}")
    if choice.get("error"):
        return _refusal_inside(choice["error"], wait)
    message, finish = choice.get("message"), choice.get("finish_reason")
    if not isinstance(message, dict):
        return malformed(f"`message` is {kind_of(message)}")
    if finish is not None and not isinstance(finish, str):
        return malformed(f"`finish_reason` is {kind_of(finish)}")
    if finish == "error":
        return Problem("server", "the server broke off with finish_reason `error`", "retry", 200, wait)
    if finish == "content_filter":
        return Problem("refused", "the server's content filter stopped the reply", "give up", 200)
    try:
        content = written(message)
    except FormError as error:
        return malformed(f"`choices[0].message`: {error}", content=True)
    if message.get("tool_calls") and finish in (None, "stop"):
        finish = "tool_calls"
    if not content.text and content.refusal:
        return Problem("refused", f"the model refused: {shown(content.refusal)}", "give up", 200)
    if any("\ud800" <= character <= "\udfff" for character in content.text + content.reasoning):
        return malformed("half of a character (a lone surrogate) in the text", content=True)
    if not content.text and not content.reasoning:
        if finish == "length":
            text = f"no text within {call.max_tokens} tokens (a model that reasons may need more)"
            return Problem("empty", text, "give up", 200)
        text = f"a reply without text: `choices[0].message.content` is empty (finish_reason {shown(finish or 'null')})"
        return Problem("empty", text, "retry", 200, wait, content=True)
    if call.schema is not None:
        return _structured(call, content, finish, document, wait)
    return _reply(content.text, content.reasoning, finish, document)


def _structured(
    call: Call, content: Written, finish: str | None, document: JsonObject, wait: float | None
) -> Reply | Problem:
    """The reply where JSON was requested; some servers put it where the reasoning belongs, and leave `content` null."""
    text = json_in(content.text or content.reasoning)
    if text is not None:
        return _reply(text, content.reasoning if content.text else "", finish, document)
    if finish == "length":
        message = f"not a chat completion: the JSON is cut at {call.max_tokens} tokens; allow more"
        return Problem("malformed", message, "give up", 200, wait)
    where = "`choices[0].message.content`" if content.text else "`content` is empty, and the text beside it"
    message = f"not a chat completion: JSON was asked for, {where} is none: {shown(content.text or content.reasoning)}"
    return Problem("malformed", message, "retry", 200, wait, content=True)


def _reply(text: str, reasoning: str, finish: str | None, document: JsonObject) -> Reply:
    usage, model = usage_of(document), document.get("model")
    return Reply(
        text,
        reasoning=reasoning,
        finish=finish or "unknown",
        tokens_in=usage and usage.tokens_in,
        tokens_out=usage and usage.tokens_out,
        model=shown(model) if isinstance(model, str) else "",
    )


def _refusal_inside(error: Json, wait: float | None) -> Problem:
    """An error in an answer with status 200: its code counts as the status where it is one, else 500."""
    code = error.get("code") if isinstance(error, dict) else None
    digits = str(code) if isinstance(code, int | str) else ""
    status = int(digits) if re.fullmatch(r"[45]\d\d", digits) else 500
    return refusal(status, {"error": error}, wait)


def usage_of(document: Json) -> Usage | None:
    """The tokens that a body reports: of a reply, of an error, or beside either. None: it reports none.

    Some servers leave a model's reasoning out of `completion_tokens` and have it in `total_tokens`: what the total has
    beyond the prompt counts as written.

    >>> usage_of({"usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 20}})
    Usage(tokens_in=9, tokens_out=11)
    """
    if isinstance(document, list):
        document = document[0] if document else None
    if not isinstance(document, dict):
        return None
    error, usage = document.get("error"), document.get("usage")
    if not isinstance(usage, dict):
        usage = error.get("usage") if isinstance(error, dict) else None
    if not isinstance(usage, dict):
        return None
    tokens_in, tokens_out = _count(usage, _TOKENS_IN), _count(usage, _TOKENS_OUT)
    if tokens_in is None or tokens_out is None:
        return None
    total = _count(usage, ("total_tokens",)) or 0
    return Usage(tokens_in, max(tokens_out, total - tokens_in))


def _count(usage: JsonObject, names: tuple[str, ...]) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
            return value
    return None
