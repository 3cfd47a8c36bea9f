"""How many tokens a server bills for an answer, whatever else is in it."""

from __future__ import annotations

from typing import Any

from s2eval.llm.calls import MOST_TOKENS, Usage

_IN = ("prompt_tokens", "input_tokens")
_OUT = ("completion_tokens", "output_tokens")
_FREE_STATUSES = range(300, 500)


def usage_of(document: Any) -> Usage | None:
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
    tokens_in, tokens_out = _count(usage, _IN), _count(usage, _OUT)
    if tokens_in is None or tokens_out is None:
        return None
    total = _count(usage, ("total_tokens",)) or 0
    return Usage(tokens_in, max(tokens_out, total - tokens_in))


def _count(usage: dict[Any, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
            return value
    return None


def is_free(status: int, *, filtered: bool) -> bool:
    """Whether an answer with that status, and without `usage`, was certainly not billed.

    A request that is refused is not. Azure bills for content filters and for time-outs (408), also where the status is
    an error; behind a 5xx of a proxy the model may have answered.

    Args:
        filtered: a content filter refused the request.
    """
    return status in _FREE_STATUSES and status != 408 and not filtered
