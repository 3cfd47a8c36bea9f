"""Keys out of everything that is shown or stored: replies, messages, exceptions, and what the HTTP libraries log.

A secret is registered once, by the client that is given it; from then on `redact` and `clean` know it, whoever calls.
Messages lose whatever looks like a key, too; of a reply, which is data, only registered secrets are taken out.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import os
import re
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote, urlsplit

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

_SECRET_NAME = re.compile(r"(API_?KEY|ACCESS_KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
_PROXY_NAME = re.compile(r"(?<!NO)_PROXY$", re.IGNORECASE)
_LONG = 8  # characters from which on a secret is taken out of replies; a shorter one may be a word of theirs
_GAP = r"[\s\u00ad\u200b-\u200f\u2060\ufeff]*"  # what may be put between the characters of a key, unseen

_known: set[str] = set()
_in_replies: dict[str, re.Pattern[str]] = {}  # secret → every way to write it


def register(secret: str, *, in_replies: bool = True) -> None:
    """Have `redact` and `clean` take this text out from now on, also in base64, hexadecimal, percent-encoded, as JSON
    and HTML write it, in another case, and with blanks or invisible characters in it.

    The placeholder `none` and texts of fewer than four characters are not taken for secrets.

    Args:
        in_replies: also of replies, if it has eight characters and is not a mere word, which replies may have.
    """
    if len(secret) < _SHORTEST or secret.casefold() == "none" or secret in (_in_replies if in_replies else _known):
        return
    raw = secret.encode(errors="surrogatepass")
    encoded = {quote(raw, safe=""), json.dumps(secret)[1:-1], html.escape(secret), raw.hex(), *_base64(raw)}
    _known.update({secret, *encoded})
    if in_replies and len(secret) >= _LONG and not secret.isalpha():
        longest_first = [re.escape(text) for text in sorted(encoded, key=len, reverse=True)]
        ways = [*longest_first, _GAP.join(map(re.escape, secret))]
        _in_replies[secret] = re.compile("|".join(ways), re.IGNORECASE)


def register_environment() -> None:
    """Register what the environment holds of secrets: keys, tokens, passwords, and those in the URLs of proxies."""
    for name, value in os.environ.items():
        if _PROXY_NAME.search(name):
            with suppress(ValueError):  # what is no URL is refused where it is used
                register_url(value)
        elif _SECRET_NAME.search(name) and len(value.strip()) >= _LONG and not value.strip().isalpha():
            register(value.strip())


def register_url(url: str) -> tuple[str, str] | None:
    """Register the password of a URL; gives user and password, decoded. None: it has no user.

    Raises:
        ValueError: it is no URL.
    """
    parts = urlsplit(url if "://" in url else f"//{url}")
    if parts.username is None:
        return None
    user, password = unquote(parts.username), unquote(parts.password or "")
    for name in (user, parts.username):
        register(name, in_replies=False)
    for secret in (password, parts.password or "", f"{user}:{password}"):
        register(secret)
    return user, password


def _base64(raw: bytes) -> set[str]:
    """The secret in base64, by itself and as a part of something longer, whatever stands before it."""
    found = {base64.b64encode(raw).decode()}
    for shift in range(3):  # of the characters that also depend on what stands around, none
        text = base64.b64encode(bytes(shift) + raw).decode().rstrip("=")
        whole = text[-(-shift * 8 // 6) : len(text) - ((len(raw) + shift) % 3 > 0)]
        found |= {whole} if len(whole) >= _LONG else set()
    return found | {text.replace("+", "-").replace("/", "_") for text in found}


def clean(document: Any) -> Any:
    """What a server sent, with `***` for registered secrets in every text of it, names included.

    A key that is cut into several texts, or spelt in words, is not recognised.
    """
    if isinstance(document, str):
        for pattern in _in_replies.values():
            document = pattern.sub(MASK, document)
        return document
    if isinstance(document, list):
        return [clean(item) for item in document]
    if isinstance(document, dict):
        return {clean(name): clean(item) for name, item in document.items()}
    return document


def redact(text: str) -> str:
    """The text with `***` for registered secrets and for whatever looks like one (`sk-…`, `Authorization: …`).

    >>> redact("Incorrect API key provided: sk-abc*****xyz. See https://me:pass@example.org/v1")
    'Incorrect API key provided: ***. See https://***@example.org/v1'
    """
    text = clean(text)
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
