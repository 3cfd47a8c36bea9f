"""Address and credentials of a server: the base URL that may be printed, and the secrets that may not."""

from __future__ import annotations

import base64
import ipaddress
import os
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.llm.secrets import register, register_environment, register_url, shown

OPENAI = "https://api.openai.com/v1"
NO_KEY = "none"  # for a local server, as the SDK requires a key


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's address and the key for it; made by `endpoint`.

    Attributes:
        url: base URL without user, password and slash at the end.
        key: None = no key known, and the server is not a local one.
        basic: `user:password` of the URL, sent in place of the key.
    """

    url: str
    key: str | None = field(repr=False)
    basic: str | None = field(default=None, repr=False)

    def credentials(self) -> tuple[str, dict[str, str]]:
        """The key for the SDK, and more headers; raises a PrerequisiteError where there is no key."""
        if self.basic is not None:
            return NO_KEY, {"Authorization": f"Basic {base64.b64encode(self.basic.encode()).decode()}"}
        if self.key is None:
            raise PrerequisiteError(
                f"no key for {self.url}: set the environment variable OPENAI_API_KEY, or name a server of your own with"
                " a base URL (http://127.0.0.1:8000/v1), which needs none"
            )
        return self.key, {}


def endpoint(base_url: str | None = None, api_key: str | None = None) -> Endpoint:
    """The endpoint of these arguments, as of `OpenAIService`. Its secrets are registered for `redact`.

    Raises:
        UsageError: the URL is invalid, or the key cannot be sent.
    """
    register_environment()
    url = (base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).strip()
    key = (api_key or os.environ.get("OPENAI_API_KEY") or "").strip() or None
    if key is not None:
        register(key)
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise UsageError("the key (OPENAI_API_KEY) has a space, a line break or a letter in it that no key has")
    scheme, host, basic = "", "", None
    with suppress(ValueError):
        parts = urlsplit(url)
        _ = parts.port  # raises where it is not a number
        user = register_url(url)
        scheme, host, basic = parts.scheme, parts.hostname or "", ":".join(user) if user else None
    if scheme not in ("http", "https") or not host:
        raise UsageError(f"base URL {shown(url)!r}: expected http://HOST… or https://HOST…, e.g. {OPENAI}")
    address, rest = url.split("://", 1)[1], urlsplit(url)
    if rest.query or rest.fragment:
        raise UsageError(f"base URL {shown(url)!r}: leave out what follows {'?' if rest.query else '#'}")
    clean = f"{scheme}://{address.rpartition('@')[2]}".rstrip("/")
    return Endpoint(clean, key or (NO_KEY if _is_local(host) else None), basic)


def _is_local(host: str) -> bool:
    """Whether a host is this machine, one of its network, or a name without a domain (a container's)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal"))
    return address.is_loopback or address.is_private or address.is_unspecified
