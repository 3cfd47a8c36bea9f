"""A proxy of the environment that cannot be used is one sentence, and its password is in none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from s2eval.errors import PrerequisiteError, ServiceError
from s2eval.llm import proxies, secrets
from s2eval.llm.batch import BatchService
from s2eval.llm.ledger import MEMORY, Ledger
from tests.llm.asked import KEY, Told, calls, service
from tests.llm.faults import http, serve

PASSWORD = "canary-pr0xy"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """None of the machine that runs the tests; secrets are forgotten."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    known, replies = set(secrets._known), dict(secrets._in_replies)
    yield
    secrets._known.clear()
    secrets._known.update(known)
    secrets._in_replies.clear()
    secrets._in_replies.update(replies)


def ask_directly(url: str) -> None:
    service(url, attempts=1).run(calls(1), Told())


def ask_by_batch(url: str) -> None:
    with Ledger.open(MEMORY) as ledger:
        BatchService(url, KEY, ledger, patience=0.01, pause=0.01).run(calls(1), Told())


@pytest.mark.parametrize("ask", [ask_directly, ask_by_batch])
@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (f"gopher://me:{PASSWORD}@127.0.0.1:70", "no proxy that can be used"),
        (f"socks4://me:{PASSWORD}@127.0.0.1:70", "no proxy that can be used"),
        (f"http://me:{PASSWORD}@127.0.0.1:port", "no proxy that can be used"),
        (":::bad", "no proxy that can be used"),
        ("http://[::1", "no proxy that can be used"),
        pytest.param(
            f"socks5://me:{PASSWORD}@127.0.0.1:1080",
            "pip install socksio",
            marks=pytest.mark.skipif(find_spec("socksio") is not None, reason="socksio is installed"),
        ),
    ],
)
def test_a_proxy_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, ask: object, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(PrerequisiteError, match=message) as error:
        ask("http://127.0.0.1:9/v1")  # type: ignore[operator]
    assert f"environment variable {name}=" in str(error.value)
    assert PASSWORD not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize("ask", [ask_directly, ask_by_batch])
@pytest.mark.parametrize(("name", "value"), [("SSL_CERT_FILE", "/nowhere.pem"), ("NO_PROXY", "http://[::1")])
def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch, ask: object, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises((PrerequisiteError, ServiceError)) as error:
        ask("http://127.0.0.1:9/v1")  # type: ignore[operator]
    assert name in str(error.value) or "cannot be reached" in str(error.value) or "no answer" in str(error.value)


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"{scheme}me:{PASSWORD}@127.0.0.1:9")
    with serve(http(200, {})) as server, pytest.raises(ServiceError) as error:
        ask_directly(server.url)
    assert "through the proxy" in str(error.value)
    assert "NO_PROXY=127.0.0.1" in str(error.value)
    assert PASSWORD not in str(error.value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert proxies.through(server.url) == ""


def test_a_proxy_may_echo_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is the server itself: it is sent the password, and sends it back."""
    told = Told()
    body = {"choices": [{"message": {"content": f"{PASSWORD} it is"}, "finish_reason": PASSWORD}]}
    with serve(http(200, body)) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url.replace("http://", f"http://me:{PASSWORD}@").removesuffix("/v1"))
        service("http://judge.example/v1").run(calls(1), told)
        assert server.requests[0].headers["proxy-authorization"].startswith("Basic ")
    assert PASSWORD not in json.dumps([str(outcome) for outcome in told.values()])
    assert "*** it is" in str(told["0"])
