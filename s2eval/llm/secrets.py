"""Keys are removed from all that is printed or stored: replies, messages, exceptions, logs of the HTTP libraries.

A secret is registered once, by the client that uses it; from then on `redact` and `clean` know it. From messages
all that looks like a key is removed too; from a reply, which is data, only registered secrets.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import os
import re
from contextlib import suppress
from urllib.parse import quote, unquote, urlsplit

from s2eval.files import Json

MASK = "***"
SHOWN = 300  # characters of a server's words
_MAX_PAGE = 20_000  # characters of a page that are read
_SHORTEST = 4  # a shorter "key" is a placeholder; removing it would mangle ordinary text
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
_LONG = 8  # characters from which on a secret is removed from replies; a shorter one may be a word of theirs
_GAP = r"[\s\u00ad\u200b-\u200f\u2060\ufeff]*"  # invisible characters between those of a key

_known: set[str] = set()
_in_replies: dict[str, re.Pattern[str]] = {}  # secret → every way to write it


def register(secret: str, *, in_replies: bool = True) -> None:
    """Have `redact` and `clean` remove this text from now on, also in base64, hexadecimal, percent-encoded, as JSON and
    HTML write it, in another case, and with blanks or invisible characters in it.

    The placeholder `none` and texts of fewer than four characters are no secrets. `in_replies` removes it from replies
    too, if it has eight characters and is not a word, which replies may have.
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
    """Register the secrets of the environment: keys, tokens, passwords, and those in the URLs of proxies."""
    for name, value in os.environ.items():
        if _PROXY_NAME.search(name):
            with suppress(ValueError):  # an invalid URL is an error where it is used
                register_url(value)
        elif _SECRET_NAME.search(name) and len(value.strip()) >= _LONG and not value.strip().isalpha():
            register(value.strip())


def register_url(url: str) -> tuple[str, str] | None:
    """Register the password of a URL; gives user and password, decoded, or None without a user.

    Raises:
        ValueError: it is not a URL.
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
    """The secret in base64, by itself and as a part of something longer, at any offset."""
    encoded = {base64.b64encode(raw).decode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + raw).decode().rstrip("=")
        own = text[
            -(-shift * 8 // 6) : len(text) - ((len(raw) + shift) % 3 > 0)
        ]  # without characters that others share
        if len(own) >= _LONG:
            encoded.add(own)
    return encoded | {text.replace("+", "-").replace("/", "_") for text in encoded}


def clean(document: Json) -> Json:
    """A server's document with `***` for registered secrets in every text of it, names included.

    A key that is cut into several texts, or spelt in words, is not recognised.
    """
    if isinstance(document, str):
        return clean_text(document)
    if isinstance(document, list):
        return [clean(item) for item in document]
    if isinstance(document, dict):
        return {clean_text(name): clean(item) for name, item in document.items()}
    return document


def clean_text(text: str) -> str:
    """`clean` of one text."""
    for pattern in _in_replies.values():
        text = pattern.sub(MASK, text)
    return text


def redact(text: str) -> str:
    """The text with `***` for registered secrets and for all that looks like one (`sk-…`, `Authorization: …`).

    >>> redact("Incorrect API key provided: sk-abc*****xyz. See https://me:pass@example.org/v1")
    'Incorrect API key provided: ***. See https://***@example.org/v1'
    """
    text = clean_text(text)
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _USER_INFO.sub(f"{MASK}@", text)
    text = _BEARER.sub(rf"\g<1>{MASK}", text)
    text = _HEADER.sub(_masked_header, text)
    return _KEY.sub(MASK, text)


def _masked_header(header: re.Match[str]) -> str:
    return header[0] if "bearer" in header[0].casefold() else f"{header[1]}{header[2]}{MASK}"


def shown(text: str) -> str:
    """A server's words in one line that may be printed: no keys, markup or control characters, 300 characters at most.

    >>> shown("<html><h1>502</h1>\\nBad  gateway</html>")
    '502 Bad gateway'
    """
    text = redact(text)[:_MAX_PAGE]  # first: part of a key is not recognised
    text = _BLANK.sub(" ", _TAG.sub(" ", text)).strip()
    return text if len(text) <= SHOWN else f"{text[:SHOWN].rstrip()}…"


class Redacting(logging.Filter):
    """Removes keys from a log record, its traceback included."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info:
            exc_info = record.exc_info if isinstance(record.exc_info, tuple) else (None, None, None)
            record.exc_text = redact(record.exc_text or logging.Formatter().formatException(exc_info))
        return True


def guard_logs() -> None:
    """Have the loggers of the HTTP libraries, those of modules imported since too, go through `Redacting`."""
    existing = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in _LOGGERS]
    for name in {*_LOGGERS, *_NESTED, *existing}:
        logger = logging.getLogger(name)
        if not any(isinstance(log_filter, Redacting) for log_filter in logger.filters):
            logger.addFilter(Redacting())
