"""Keys out of everything that is shown: messages, exceptions, and what the HTTP libraries log.

A secret is registered once, by the client that is given it; from then on `redact` knows it, whoever calls.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from typing import Any
from urllib.parse import quote

MASK = "***"
SHOWN = 300  # characters of a server's words
_LOOKED_AT = 20_000  # characters of a page in which words are looked for
_SHORTEST = 4  # a shorter "key" is a placeholder; taking it out would mangle ordinary text
_LOGGERS = ("openai", "httpx2", "httpcore2", "httpx", "httpcore")
_NESTED = ("httpcore2.connection", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy", "httpcore2.socks")

_KEY = re.compile(r"(?<![A-Za-z0-9])(?:sk|pk|rk|gsk|hf|xai)[-_][\w*.-]{5,}[\w*]")
_BEARER = re.compile(r"\b(Bearer\s+)[^\s'\",;)}\]]+", re.IGNORECASE)
_HEADER = re.compile(
    r"\b(authorization|x-api-key|api-key)(\W{0,3}[:=,]\W{0,4}(?:b['\"])?(?:Basic\s+)?)[^\s'\",;)}\]]+", re.IGNORECASE
)
_USER_INFO = re.compile(r"(?<=://)[^/\s@'\"]+@")
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^<>]*>", re.IGNORECASE | re.DOTALL)
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")

_known: set[str] = set()


def register(secret: str) -> None:
    """Have `redact` take this text out from now on, also percent-encoded, in base64 and inside JSON.

    The placeholder `none` and texts of fewer than four characters are not taken for secrets.
    """
    if len(secret) >= _SHORTEST and secret.casefold() != "none":
        raw = secret.encode(errors="surrogatepass")
        _known.update({secret, quote(raw, safe=""), base64.b64encode(raw).decode(), json.dumps(secret)[1:-1]})


def redact(text: str) -> str:
    """The text with `***` for registered secrets and for whatever looks like one (`sk-…`, `Authorization: …`).

    >>> redact("Incorrect API key provided: sk-abc*****xyz. See https://me:pass@example.org/v1")
    'Incorrect API key provided: ***. See https://***@example.org/v1'
    """
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _USER_INFO.sub(f"{MASK}@", text)
    text = _BEARER.sub(rf"\g<1>{MASK}", text)
    text = _HEADER.sub(_masked_header, text)
    return _KEY.sub(MASK, text)


def _masked_header(found: re.Match[str]) -> str:
    whole = found.group()
    return whole if "bearer" in whole.casefold() else f"{found.group(1)}{found.group(2)}{MASK}"


def shown(text: str) -> str:
    """A server's words in one line that may be printed: no keys, markup or control characters, 300 characters at most.

    Keys go first, while they are whole.

    >>> shown("<html><h1>502</h1>\\nBad  gateway</html>")
    '502 Bad gateway'
    """
    text = redact(text)[:_LOOKED_AT]
    text = _BLANK.sub(" ", _TAG.sub(" ", text)).strip()
    return text if len(text) <= SHOWN else f"{text[:SHOWN].rstrip()}…"


class Redacting(logging.Filter):
    """Takes keys out of a log record, its traceback included, whatever the level."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = redact(record.exc_text or logging.Formatter().formatException(_whole(record.exc_info)))
        return True


def _whole(exc_info: Any) -> Any:
    return exc_info if isinstance(exc_info, tuple) else (None, None, None)


def guard_logs() -> None:
    """Have the loggers of the HTTP libraries go through `Redacting`; those of modules imported since, too."""
    there = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in _LOGGERS]
    for name in {*_LOGGERS, *_NESTED, *there}:
        logger = logging.getLogger(name)
        if not any(isinstance(one, Redacting) for one in logger.filters):
            logger.addFilter(Redacting())
