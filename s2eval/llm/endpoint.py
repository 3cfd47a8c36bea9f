"""Where a server is and what lets us in: the base URL that may be shown, and the secrets that may not."""

from __future__ import annotations

import base64
import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.llm.secrets import register, register_environment, register_url, shown

OPENAI = "https://api.openai.com/v1"
NO_KEY = "none"  # what a local server is given, as the SDK wants some key


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's address and the key for it; made by `endpoint`.

    Attributes:
        url: base URL without user, password and slash at the end.
        key: None = no key known, and the server is not a local one.
        basic: `user:password` from the URL, sent in place of the key; None = the URL has none.
    """

    url: str
    key: str | None = field(repr=False)
    basic: str | None = field(default=None, repr=False)

    def credentials(self) -> tuple[str, dict[str, str]]:
        """The key for the SDK, and headers that it sends besides.

        Raises:
            PrerequisiteError: there is no key.
        """
        if self.basic is not None:
            return NO_KEY, {"Authorization": f"Basic {base64.b64encode(self.basic.encode()).decode()}"}
        if self.key is None:
            raise PrerequisiteError(
                f"no key for {self.url}: set the environment variable OPENAI_API_KEY, or name a server of your own with"
                " a base URL (http://127.0.0.1:8000/v1), which needs none"
            )
        return self.key, {}


def endpoint(base_url: str | None = None, api_key: str | None = None) -> Endpoint:
    """Where to ask. Every secret in it is known to `redact` from now on.

    Args:
        base_url: None = the environment variable OPENAI_BASE_URL, else OpenAI's.
        api_key: None = the environment variable OPENAI_API_KEY; a local server needs none.

    Raises:
        UsageError: the URL is none, or the key cannot be sent.
    """
    register_environment()
    url = (base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).strip()
    key = (api_key or os.environ.get("OPENAI_API_KEY") or "").strip() or None
    if key is not None:
        register(key)
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise UsageError("the key (OPENAI_API_KEY) has a space, a line break or a letter in it that no key has")
    scheme, host, basic = _taken_apart(url)
    if scheme not in ("http", "https") or not host:
        raise UsageError(f"base URL {shown(url)!r}: expected http://HOST… or https://HOST…, e.g. {OPENAI}")
    address, rest = url.split("://", 1)[1], urlsplit(url)
    if rest.query or rest.fragment:
        raise UsageError(f"base URL {shown(url)!r}: leave out what follows {'?' if rest.query else '#'}")
    clean = f"{scheme}://{address.rpartition('@')[2]}".rstrip("/")
    return Endpoint(clean, key or (NO_KEY if _is_local(host) else None), basic)


def _taken_apart(url: str) -> tuple[str, str, str | None]:
    """Scheme, host and `user:password`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "", "", None
    user = register_url(url)
    return parts.scheme, host, f"{user[0]}:{user[1]}" if user else None


def _is_local(host: str) -> bool:
    """Whether a host is this machine, one of its network, or a name without a domain (a container's)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal"))
    return address.is_loopback or address.is_private or address.is_unspecified
