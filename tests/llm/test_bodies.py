"""A body is read up to the limit and no further, however it comes: at once, without an end, packed, drop by drop."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from s2eval.llm import batch_api
from s2eval.llm.asking import ask as ask_store
from s2eval.llm.batch import BatchService
from s2eval.llm.calls import Failure, Reply
from s2eval.llm.ledger import Ledger
from tests.llm import batches
from tests.llm.asked import Told, calls, service
from tests.llm.faults import Answer, completion, http, ok, serve

MB = 2**20
HEAD = b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\n\r\n{"
CHUNKED = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n"


def packed(megabytes: int, wbits: int = 31) -> bytes:
    """So many megabytes of blanks, as gzip (31) or deflate (15)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join(packer.compress(b" " * MB) for _ in range(megabytes)) + packer.flush()


LARGE: dict[str, Answer] = {
    "at once": http(200, b'{"a": "' + b"x" * (20 * MB) + b'"}'),
    "without an end": Answer(HEAD, trickle=(b" " * 65536, 0)),
    "chunks without an end": Answer(CHUNKED, trickle=(b"10000\r\n" + b" " * 65536 + b"\r\n", 0)),
    "a gzip bomb": http(200, packed(500), content_encoding="gzip"),
    "a deflate bomb": http(200, packed(500, 15), content_encoding="deflate"),
    "a bomb in a bomb": http(200, gzip.compress(packed(500)), content_encoding="gzip, gzip"),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_body_beyond_the_limit_is_malformed(kind: str) -> None:
    told = Told()
    with serve(LARGE[kind]) as server:
        service(server.url, attempts=1, timeout=30).run(calls(1), told)
    assert told["0"] == Failure("malformed", "a body of more than 16 MB")


ENDLESS: dict[str, tuple[Answer, str]] = {
    "a slow drip": (Answer(HEAD, trickle=(b" ", 0.02)), "timeout"),
    "a header": (Answer(b"HTTP/1.1 200 X\r\nx: ", trickle=(b"a" * 65536, 0)), "connection"),
    "headers": (Answer(b"HTTP/1.1 200 X\r\n", trickle=(b"a: b\r\n" * 1000, 0)), "connection"),
    "trailers": (Answer(CHUNKED + b"1\r\n{\r\n0\r\n", trickle=(b"a: b\r\n" * 1000, 0)), "connection"),
    "100 Continue": (Answer(b"", trickle=(b"HTTP/1.1 100 Continue\r\n\r\n", 0.001)), "timeout"),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_answer_without_an_end_ends(kind: str) -> None:
    answer, expected = ENDLESS[kind]
    told, started = Told(), time.monotonic()
    with serve(answer) as server:
        service(server.url, attempts=1, timeout=1.0).run(calls(1), told)
    assert time.monotonic() - started < 10
    outcome = told["0"]
    assert isinstance(outcome, Failure)
    assert outcome.kind == expected


def test_what_is_packed_and_small_is_read() -> None:
    body = gzip.compress(json.dumps(completion("[[7]]")).encode())
    told = Told()
    with serve(http(200, body, content_encoding="gzip")) as server:
        service(server.url).run(calls(1), told)
    outcome = told["0"]
    assert isinstance(outcome, Reply)
    assert outcome.text == "[[7]]"


def test_the_limit_is_an_argument() -> None:
    told = Told()
    with serve(ok("x" * 5000)) as server:
        service(server.url, attempts=1, max_body=4096).run(calls(1), told)
        assert isinstance(told["0"], Failure)
        more = Told()
        service(server.url, attempts=1, max_body=8192).run(calls(1), more)
    assert isinstance(more["0"], Reply)


def test_of_a_large_error_page_the_beginning_counts() -> None:
    told = Told()
    page = b'{"error": "overloaded"}' + b" " * (20 * MB)
    with serve(http(400, page)) as server:
        service(server.url, attempts=1, timeout=30).run(calls(1), told)
    outcome = told["0"]
    assert isinstance(outcome, Failure)
    assert outcome.kind == "refused"
    assert "overloaded" in outcome.message


PEAK = """
import sys
sys.path.insert(0, sys.argv[2])
from s2eval.llm.calls import Call, Message
from s2eval.llm.client import OpenAIService
calls = [Call("s", "m", (Message("user", str(n)),), 0.0, 8) for n in range(8)]
service = OpenAIService(sys.argv[1], "none", attempts=1, timeout=60, max_in_flight=4)
def peak():
    return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) // 1024
import openai, s2eval.llm.bodies
before = peak()
service.run(calls, lambda call, outcome: None)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory from Linux's /proc")
@pytest.mark.parametrize("kind", ["without an end", "a gzip bomb"])
def test_the_memory_that_it_takes(kind: str) -> None:
    root = str(Path(__file__).parents[2])
    with serve(LARGE[kind]) as server:
        run = subprocess.run([sys.executable, "-c", PEAK, server.url, root], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 200  # MB: 2 to 4 bodies of 16 at once, and what is made of them


# --- files of the Batch API ------------------------------------------------------------------------------------


def test_a_file_of_answers_may_be_larger_than_an_answer(tmp_path: Path) -> None:
    with batches.running() as server, Ledger.open(tmp_path / "calls.sqlite") as ledger:
        server.extra = b'{"custom_id": "x", "pad": "' + b"x" * (17 * MB) + b'"}\n' + (b" " * 65535 + b"\n") * 100
        outcomes = ask_store(BatchService(server.url, batches.CANARY, ledger, interval=0.01), calls(2), ledger)
    assert all(isinstance(outcome, Reply) for outcome in outcomes.values())  # a line beyond the limit is left out
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("calls.sqlite")] == []


def test_a_file_of_answers_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_api, "MAX_FILE", MB)
    with batches.running() as server, Ledger.open(tmp_path / "calls.sqlite") as ledger:
        server.extra = b" \n" * MB
        service = BatchService(server.url, batches.CANARY, ledger, interval=0.01, pause=0.01, patience=0.05)
        with pytest.raises(Exception, match="a body of more than 1 MB"):
            ask_store(service, calls(2), ledger)
