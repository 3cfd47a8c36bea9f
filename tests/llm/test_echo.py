"""A server that has the key may send it back, in a success too: it reaches no file, no table and no message."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from s2eval.llm import secrets
from s2eval.llm.asking import ask
from s2eval.llm.batch import BatchService
from s2eval.llm.calls import Failure, Reply
from s2eval.llm.endpoint import endpoint
from s2eval.llm.ledger import Ledger
from tests.llm import batches
from tests.llm.asked import Told, call, calls, service
from tests.llm.faults import completion, error, http, serve

KEY = "sk-canary/0123+456789-abcdef"
B64 = base64.b64encode(KEY.encode()).decode()


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Secrets of other tests are none here, and these none elsewhere."""
    known, replies = set(secrets._known), dict(secrets._in_replies)
    yield
    secrets._known.clear()
    secrets._known.update(known)
    secrets._in_replies.clear()
    secrets._in_replies.update(replies)


WRITTEN = {
    "as it is": KEY,
    "in another case": KEY.upper(),
    "in a sentence": f"Your key is {KEY}.",
    "percent-encoded": "sk-canary%2F0123%2B456789-abcdef",
    "in base64": B64,
    "after a word in base64": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "in base64 for URLs": base64.urlsafe_b64encode(f"?{KEY}".encode()).decode(),
    "in hexadecimal": KEY.encode().hex(),
    "over two lines": KEY[:12] + "\n" + KEY[12:],
    "spaced": " ".join(KEY),
    "with an invisible character": KEY[:6] + "\u200b" + KEY[6:],
}


def trace(text: str) -> bool:
    """Whether six characters in a row of the key are in a text, whichever way they are written."""
    plain = text.replace("\\n", "").replace("\\u200b", "").translate({0x200B: None, 32: None, 10: None}).casefold()
    forms = (KEY.casefold(), KEY.encode().hex(), "sk-canary%2f0123%2b456789-abcdef")
    return any(form[i : i + 8] in plain for form in forms for i in range(0, len(form) - 8, 4)) or B64[8:20] in text


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize(
    "body",
    [
        completion,
        lambda key: completion("fine", key),
        lambda key: completion("fine", model=key, id=key),
        lambda key: completion("", key),
        lambda key: completion(None, **{"choices": [{"message": {"refusal": key, key: key}, "finish_reason": key}]}),
        lambda key: {"error": {"message": key, "code": key}},
        lambda key: {key: key},
    ],
)
def test_no_reply_brings_it_into_the_store(way: str, body: Any, tmp_path: Path) -> None:
    document = body(WRITTEN[way])
    if "content" in str(document):  # what servers of reasoning models add
        document["choices"][0]["message"]["reasoning_content"] = WRITTEN[way]
    with serve(http(200, document, x_key=KEY)) as server, Ledger.open(tmp_path / "calls.sqlite") as ledger:
        one = service(server.url, attempts=1)
        secrets.register(KEY)
        outcomes = ask(one, [call()], ledger)
        kept = "".join(ledger.lines())
    assert not trace(kept + json.dumps([str(outcome) for outcome in outcomes.values()]))
    for path in tmp_path.iterdir():
        assert not trace(path.read_bytes().decode(errors="replace"))


def test_a_json_escape_does_not_hide_it(tmp_path: Path) -> None:
    escaped = "".join(f"\\u{ord(character):04x}" for character in KEY)
    body = json.dumps(completion("KEY")).replace("KEY", escaped)
    secrets.register(KEY)
    told = Told()
    with serve(http(200, body)) as server:
        service(server.url).run(calls(1), told)
    outcome = told["0"]
    assert isinstance(outcome, Reply)
    assert outcome.text == "***"


@pytest.mark.parametrize(
    "answer",
    [
        error(400, f"bad key {KEY}", param=KEY),
        http(500, f"<html>{KEY}</html>", "text/html"),
        http(200, f"<html>{KEY}</html>", "text/html"),
        http(503, {"detail": KEY}, retry_after=KEY),
    ],
)
def test_no_error_brings_it_into_a_message(answer: Any) -> None:
    secrets.register(KEY)
    told = Told()
    with serve(answer) as server:
        service(server.url, attempts=1).run(calls(1), told)
    outcome = told["0"]
    assert isinstance(outcome, Failure)
    assert not trace(outcome.message)


def test_no_batch_brings_it_into_the_store(tmp_path: Path) -> None:
    with batches.running() as server, Ledger.open(tmp_path / "calls.sqlite") as ledger:
        server.rows = lambda _: {"response": {"status_code": 200, "body": completion(batches.CANARY, batches.CANARY)}}
        outcomes = ask(BatchService(server.url, batches.CANARY, ledger, interval=0.01), calls(2), ledger)
    assert {outcome.text for outcome in outcomes.values() if isinstance(outcome, Reply)} == {"***"}
    for path in tmp_path.iterdir():
        assert batches.CANARY.encode() not in path.read_bytes()


def test_secrets_of_the_environment_and_of_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary123456")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "ant-canary-1")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pr0xy%2Fpass@proxy.example:3128")
    monkeypatch.setenv("PGPASSWORD", "password")  # a word: replies may have it
    endpoint("http://someone:s3cret-pass@127.0.0.1:1/v1", None)
    text = "hf_canary123456 ant-canary-1 pr0xy/pass pr0xy%2Fpass s3cret-pass password someone"
    assert secrets.clean({"a": [text]}) == {"a": ["*** *** *** *** *** password someone"]}
    assert "someone" not in secrets.redact(text)  # in messages the user's name goes, too


def test_text_without_a_key_stays_as_it_is() -> None:
    secrets.register(KEY)
    for text in ("sk-", "Authorization: Bearer abc, http://a:b@c", "s k", "", "\ud800"):
        assert secrets.clean(text) == text  # of what looks like a key in a reply, nothing is taken out


def test_short_placeholders_are_no_secrets() -> None:
    for word in ("none", "EMPTY", "ollama", "lmstudio", "dummy"):
        secrets.register(word)
    assert secrets.clean("none EMPTY ollama lmstudio dummy") == "none EMPTY ollama lmstudio dummy"
