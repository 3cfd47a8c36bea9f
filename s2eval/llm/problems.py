"""Why an attempt brought no reply, and what to do about it: nothing that a server answers is taken on trust."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from s2eval.files import Json
from s2eval.llm.calls import FailureKind, Usage
from s2eval.llm.secrets import shown

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
CHECK_URL = "Check the model's name and the base URL, which usually ends in /v1"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an attempt brought no reply.

    Attributes:
        kind: of the failure that it becomes if the call is given up.
        message: the server's, in one line without keys; where the run ends, also what to do about it.
        then: `retry` = it may pass; `give up` = this call will never be answered; `end` = no call will.
        status: of HTTP; None = there was no answer.
        wait: seconds that the server asks to wait; None = it does not.
        reached: whether there was a connection to the server.
        code, param: of the error object: its code or type, the parameter that it is about.
        usage: tokens that the server reports, and bills, all the same.
        free: nothing was billed, unless `usage` is known: nothing was sent, or the server refused the request.
        content: the model's text is at fault, not its transport: a greedy model would write the same again.
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


def refusal(status: int, document: Json, wait: float | None = None) -> Problem:
    """What an answer with an error status means; `document` is its parsed body, or its text where it is not JSON."""
    text, code, param = _error_of(document)
    codes = {word.casefold() for word in code.split()}
    filtered = bool(codes & _FILTER) or (status in (400, 403) and _FILTERED.search(text) is not None)

    def problem(kind: FailureKind, then: Then, advice: str = "") -> Problem:
        message = f"HTTP {status}: {text}" if text else f"HTTP {status}"
        message = f"{message.rstrip('.')}. {advice}." if advice else message
        # A refused request is not billed. Azure bills for content filters and for time-outs (408), whatever the status;
        # behind a 5xx of a proxy the model may have answered.
        free = 300 <= status < 500 and status != 408 and not filtered
        return Problem(kind, message, then, status, wait, code=code, param=param, free=free)

    if status == 402 or codes & _QUOTA:
        return problem("refused", "end", _PAY)
    if filtered:
        return problem("refused", "give up")
    if status in (401, 403) or codes & _KEY or (status == 400 and _BAD_KEY.search(text)):
        return problem("refused", "end", _CHECK_KEY)
    if status in (404, 405, 410) or "model_not_found" in codes:
        return problem("refused", "end", CHECK_URL)
    if status == 429:
        too_large = text.casefold().startswith("request too large")
        return problem("rate limit", "give up" if too_large else "retry")
    if status in (408, 409, 425) or status >= 500:
        return problem("server", "retry")
    return problem("refused", "give up")


def _error_of(document: Json) -> tuple[str, str, str]:
    """Message, code and type, and parameter of an error body in one of the forms that servers use."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return shown(document if isinstance(document, str) else ""), "", ""
    error = document.get("error") or document
    if not isinstance(error, dict):
        return shown(str(error)), "", ""
    message = error.get("message") or error.get("detail") or error.get("msg") or json.dumps(error)
    codes = (error.get(name) for name in ("code", "type"))
    param = error.get("param")
    return (
        shown(message if isinstance(message, str) else json.dumps(message)),
        " ".join(shown(str(code)) for code in codes if isinstance(code, str | int)),
        shown(param) if isinstance(param, str) else "",
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the headers ask to wait: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date.

    A date counts from the server's own `date` where there is one. Other values are ignored.

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
