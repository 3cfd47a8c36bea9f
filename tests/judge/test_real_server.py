"""A real OpenAI-compatible server, with a real model as student and as judge: `transformers serve` and SmolLM2."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from s2eval.llm import Call, Failure, Ledger, Message, OpenAIService, Reply, ask
from tests.run.runs import program

PATIENCE = 120  # seconds for the server to start


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of the server, which loads the model that a call names."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    serve = [str(Path(sys.executable).parent / "transformers"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("w") as file, subprocess.Popen([*serve, "--device", "cpu"], stdout=file, stderr=file) as server:
        try:
            end = time.monotonic() + PATIENCE
            while True:
                try:
                    urlopen(f"http://127.0.0.1:{port}/health", timeout=5).read()
                    break
                except OSError:
                    assert server.poll() is None, log.read_text()
                    assert time.monotonic() < end, log.read_text()
                    time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.kill()


def test_the_client_and_a_real_server(url: str, smollm2: Path) -> None:
    service = OpenAIService(url, max_in_flight=2)

    def call(text: str, model: str = str(smollm2)) -> Call:
        return Call(service.name(model), model, (Message("user", text),), 0.0, 12)

    calls = [call("Say hi."), call("Say bye.")]
    with Ledger.open(Path(":memory:")) as ledger:
        outcomes = ask(service, calls, ledger)
        assert all(isinstance(outcomes[one.key], Reply) for one in calls)
        reply = outcomes[calls[0].key]
        assert isinstance(reply, Reply)
        assert (reply.tokens_out or 0) <= 12
        assert reply.finish in ("stop", "length")
        assert ask(service, [calls[0]], ledger)[calls[0].key] == reply  # stored


def test_a_student_and_a_judge_at_a_real_server(url: str, smollm2: Path, tmp_path: Path) -> None:
    who = f"openai:{smollm2}"
    options = ["--limit", 1, "--max-tokens", 12, "--judge-max-tokens", 12, "--in-flight", 2, "--out", tmp_path]
    environment = {**os.environ, "OPENAI_API_KEY": "sk-canary-server"}
    ended = subprocess.run(
        program("mtbench", "--model", who, "--judge", who, "--base-url", url, *options),
        capture_output=True,
        text=True,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr
    assert "2 of 2 verdicts could not be read" in ended.stdout  # 12 tokens are too few for one
    (file,) = tmp_path.glob("*/mtbench/*/judgments.jsonl")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(line["turn"], line["score"], line["failure"]) for line in lines] == [(1, None, ""), (2, None, "")]
    assert all(line["judgment"] for line in lines)


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        service = OpenAIService(f"http://127.0.0.1:{one.getsockname()[1]}/v1", backoff=0.01)
        call = Call("openai:x@y", "x", (Message("user", "?"),), 0.0, 8)
        with Ledger.open(Path(":memory:")) as ledger, pytest.raises(Exception, match=r"127\.0\.0\.1") as error:
            ask(service, [call], ledger)
    assert type(error.value).__name__ == "ServiceError"
    assert not isinstance(error.value, Failure)
