"""What a server's answer means: a reply, or a problem with what to do about it. Nothing in it is taken on trust."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, cast

from s2eval.llm.calls import Call, FailureKind, Reply, Usage
from s2eval.llm.messages import FormError, Written, json_in, kind_of, written
from s2eval.llm.secrets import clean, shown
from s2eval.llm.usage import is_free, usage_of

Then = Literal["retry", "give up", "end"]

_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance"}
_KEY = {"invalid_api_key", "authentication_error", "account_deactivated", "access_terminated"}
_FILTER = {"content_filter", "content_policy_violation", "responsibleaipolicyviolation"}
_FILTERED = re.compile(
    r"content (filter|management|policy)|moderation|(input|prompt|request) (was|is|has been) flagged", re.IGNORECASE
)
_BAD_KEY = re.compile(r"\bapi[ -]?key\b.{0,20}\b(not valid|invalid)|\binvalid api[ -]?key", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")

_CHECK_KEY = "Check the key (environment variable OPENAI_API_KEY) and that it may use this model"
_PAY = "Raise the limit or add credit at the provider, then run the same command: what was answered is kept"
_CHECK_URL = "Check the model's name and the base URL, which usually ends in /v1"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an attempt brought no reply.

    Attributes:
        kind: of the failure that it becomes if the call is given up.
        message: what the server said, in one line without keys; where the run ends, also what to do about it.
        then: `retry` = it may pass; `give up` = this call will never be answered; `end` = no call will.
        status: of HTTP; None = nothing came.
        wait: seconds that the server asks to wait; None = it does not.
        reached: whether there was a connection to the server.
        code, param: what the error object says: its code or type, the parameter that it is about.
        usage: tokens that the server reports, and bills, all the same.
        free: nothing was billed, unless `usage` says otherwise: nothing was sent, or the server refused the request.
        content: what the model wrote is wrong, not how it came: a greedy model would write the same again.
    """

    kind: FailureKind
    message: str
    then: Then
    status: int | None = None
    wait: float | None = None
    reached: bool = True
    code: str = ""
    param: str = ""
    usage: Usage | None = None
    free: bool = False
    content: bool = False


def billed(outcome: Reply | Problem) -> Usage | None:
    """The tokens that an attempt is billed for; None = unknown, so that it may have cost all that was set aside."""
    if isinstance(outcome, Problem):
        return outcome.usage or (Usage(0, 0) if outcome.free else None)
    if outcome.tokens_in is None or not outcome.tokens_out:  # a reply of no tokens was not counted
        return None
    return Usage(outcome.tokens_in, outcome.tokens_out)


def read(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Reply | Problem:
    """The reply in an answer, with `seconds` and `attempts` still unset, or what is wrong with it.

    Args:
        headers: by lower-case name.
    """
    document = parse(status, headers, body)
    return document if isinstance(document, Problem) else read_document(call, document, retry_after(headers))


def parse(status: int, headers: Mapping[str, str], body: bytes) -> Any | Problem:
    """The JSON of a successful answer, or what is wrong; see `read`."""
    wait = retry_after(headers)
    if 300 <= status < 400:
        where = shown(headers.get("location", "elsewhere"))
        return Problem("refused", f"HTTP {status}, a redirection to {where}. {_CHECK_URL}.", "end", status, free=True)
    try:
        document = clean(json.loads(body))
    except (ValueError, RecursionError):
        if 200 <= status < 300:
            return _unreadable(status, body, wait)
        document = body.decode(errors="replace")
    if 200 <= status < 300:
        return document
    return replace(refusal(status, document, wait), usage=usage_of(document))


def _unreadable(status: int, body: bytes, wait: float | None) -> Problem:
    text = body.decode(errors="replace")
    what = "an empty body" if not text.strip() else "a web page" if text.lstrip().startswith("<") else "broken JSON"
    return Problem("malformed", f"HTTP {status} with {what}: {shown(text)}".rstrip(": "), "retry", status, wait)


def read_document(call: Call, document: Any, wait: float | None = None) -> Reply | Problem:
    """The reply in the parsed body of a successful answer, as `read`; also of a line of the Batch API."""
    outcome = _read_document(call, document, wait)
    # a refusal inside a successful answer may come after tokens that are billed
    return replace(outcome, usage=usage_of(document), free=False) if isinstance(outcome, Problem) else outcome


def _read_document(call: Call, document: Any, wait: float | None) -> Reply | Problem:
    def malformed(what: str, *, content: bool = False) -> Problem:
        return Problem("malformed", f"not a chat completion: {what}", "retry", 200, wait, content=content)

    if not isinstance(document, dict):
        return malformed(f"the body is {kind_of(document)}, not an object")
    document = cast(dict[str, Any], document)
    if document.get("error"):
        return _refusal_inside(document["error"], wait)
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return malformed(f"`choices` is {kind_of(choices)}")
    choice = cast(dict[str, Any], choices[0])
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
    if call.schema is not None:
        return _structured(call, content, finish, document, wait)
    if not content.text and not content.reasoning:
        return _empty(call, finish, wait)
    return _reply(content.text, content.reasoning, finish, document)


def _structured(call: Call, content: Written, finish: str | None, document: Any, wait: float | None) -> Reply | Problem:
    """The reply where JSON was asked for; some servers put it where the reasoning belongs, and leave `content` null."""
    if not content.text and not content.reasoning:
        return _empty(call, finish, wait)
    text = json_in(content.text or content.reasoning)
    if text is not None:
        return _reply(text, content.reasoning if content.text else "", finish, document)
    if finish == "length":
        message = f"not a chat completion: the JSON is cut at {call.max_tokens} tokens; allow more"
        return Problem("malformed", message, "give up", 200, wait)
    where = "`choices[0].message.content`" if content.text else "`content` is empty, and the text beside it"
    message = f"not a chat completion: JSON was asked for, {where} is none: {shown(content.text or content.reasoning)}"
    return Problem("malformed", message, "retry", 200, wait, content=True)


def _reply(text: str, reasoning: str, finish: str | None, document: dict[str, Any]) -> Reply:
    usage, model = usage_of(document), document.get("model")
    return Reply(
        text,
        reasoning=reasoning,
        finish=finish or "unknown",
        tokens_in=usage and usage.tokens_in,
        tokens_out=usage and usage.tokens_out,
        model=shown(model) if isinstance(model, str) else "",
    )


def _empty(call: Call, finish: str | None, wait: float | None) -> Problem:
    if finish == "length":
        message = f"no text within {call.max_tokens} tokens (a model that reasons may need more)"
        return Problem("empty", message, "give up", 200)
    message = f"a reply without text: `choices[0].message.content` is empty (finish_reason {shown(finish or 'null')})"
    return Problem("empty", message, "retry", 200, wait, content=True)


def _refusal_inside(error: Any, wait: float | None) -> Problem:
    """An error in an answer with status 200: its code counts as the status where it is one, else it is the server's."""
    code = error.get("code") if isinstance(error, dict) else None
    digits = str(code) if isinstance(code, int | str) else ""
    status = int(digits) if re.fullmatch(r"[45]\d\d", digits) else 500
    return refusal(status, {"error": error}, wait)


def refusal(status: int, document: Any, wait: float | None = None) -> Problem:
    """What an answer with an error status means.

    Args:
        document: the parsed body, or its text where it is no JSON.
    """
    said, code, param = _words(document)
    codes = {word.casefold() for word in code.split()}
    filtered = bool(codes & _FILTER) or (status in (400, 403) and _FILTERED.search(said) is not None)

    def problem(kind: FailureKind, then: Then, advice: str = "") -> Problem:
        message = f"HTTP {status}: {said}" if said else f"HTTP {status}"
        message = f"{message.rstrip('.')}. {advice}." if advice else message
        free = is_free(status, filtered=filtered)
        return Problem(kind, message, then, status, wait, code=code, param=param, free=free)

    if status == 402 or codes & _QUOTA:
        return problem("refused", "end", _PAY)
    if filtered:
        return problem("refused", "give up")
    if status in (401, 403) or codes & _KEY or (status == 400 and _BAD_KEY.search(said)):
        return problem("refused", "end", _CHECK_KEY)
    if status in (404, 405, 410) or "model_not_found" in codes:
        return problem("refused", "end", _CHECK_URL)
    if status == 429:
        too_large = said.casefold().startswith("request too large")
        return problem("rate limit", "give up" if too_large else "retry")
    if status in (408, 409, 425) or status >= 500:
        return problem("server", "retry")
    return problem("refused", "give up")


def _words(document: Any) -> tuple[str, str, str]:
    """Message, code and type, and parameter of an error body in one of the forms that servers use."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return shown(document if isinstance(document, str) else ""), "", ""
    error = document.get("error") or document
    if not isinstance(error, dict):
        return shown(str(error)), "", ""
    said = error.get("message") or error.get("detail") or error.get("msg") or json.dumps(error)
    codes = (error.get(name) for name in ("code", "type"))
    param = error.get("param")
    return (
        shown(said if isinstance(said, str) else json.dumps(said)),
        " ".join(shown(str(code)) for code in codes if isinstance(code, str | int)),
        shown(param) if isinstance(param, str) else "",
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the headers ask to wait: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date.

    A date counts from the server's own `date`, where it says one. What is neither is ignored.

    >>> retry_after({"retry-after": "1.5"}), retry_after({"retry-after": "soon"})
    (1.5, None)
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if _NUMBER.fullmatch(text) and math.isfinite(seconds := float(text) * unit):
            return seconds
    until = _date(headers.get("retry-after", ""))
    if until is None:
        return None
    return max(0.0, (until - (_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
