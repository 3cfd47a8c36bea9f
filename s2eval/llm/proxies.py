"""Proxies of the environment: messages about errors in them, and which one is before a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from s2eval.errors import PrerequisiteError
from s2eval.llm.secrets import shown

_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_SCHEMES = ("http", "https", "socks5", "socks5h")


@contextmanager
def explained() -> Iterator[None]:
    """Errors of a new client, which reads proxies and certificates from the environment, as a PrerequisiteError."""
    for name in (*_VARIABLES, *map(str.lower, _VARIABLES)):
        if value := os.environ.get(name, "").strip():
            _check(name, value)
    try:
        yield
    except Exception as error:
        # InvalidURL is httpx's, which is not imported here
        if not isinstance(error, ImportError | ValueError | OSError) and type(error).__name__ != "InvalidURL":
            raise
        raise PrerequisiteError(
            "no connection can be made with the proxies (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) or certificates"
            f" (SSL_CERT_FILE, SSL_CERT_DIR) of the environment: {shown(str(error) or type(error).__name__)}. Correct"
            " them, or unset them"
        ) from None


def _check(name: str, value: str) -> None:
    where = f"environment variable {name}={shown(value)}"
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        usable = parts.scheme in _SCHEMES and bool(parts.hostname)
        _ = parts.port  # raises where it is not a number
    except ValueError:
        parts, usable = None, False
    if parts is None or not usable:
        raise PrerequisiteError(
            f"{where}: no proxy that can be used; expected http://HOST:PORT or socks5://HOST:PORT. Correct it, or"
            " unset it"
        )
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        raise PrerequisiteError(
            f"{where}: a SOCKS proxy needs a package that is not installed: pip install socksio. Or unset the variable"
        )


def through(url: str) -> str:
    """` through the proxy …` where there is one before a server; else empty."""
    try:
        parts = urlsplit(url)
        proxies, host = getproxies(), parts.hostname or ""
        proxy = proxies.get(parts.scheme) or proxies.get("all")
        if not proxy or proxy_bypass(host):
            return ""
    except (ValueError, OSError):
        return ""
    return f" through the proxy {shown(proxy)} of the environment (NO_PROXY={host} goes past it)"
