"""`s2eval view`: the report on 127.0.0.1, and nothing but the report."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from s2eval.errors import DataError, UsageError
from s2eval.report.html import server, write_page
from s2eval.report.html.server import HOST, Server
from tests.report.html.made_up import N, logs, report
from tests.report.html.visits import visit


class Serving:
    """A server of a made-up page, which counts how often it was made."""

    def __init__(self, folder: Path) -> None:
        self.source, self.made, self.fails = folder / "source", 0, False
        self.error: Exception | None = None
        made = report(self.source)

        def make(page: Path) -> None:
            if self.fails:
                raise DataError("half a file")
            if self.error:
                raise self.error
            self.made += 1
            write_page(page, *made, largest=1000)

        (folder / "page").mkdir()
        self.page = folder / "page" / "report.html"
        self.server = Server(self.page, [self.source], make, 0)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def get(self, path: str, host: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection(HOST, self.server.server_port, timeout=10)
        connection.request("GET", path, headers={"Host": host} if host else {})
        response = connection.getresponse()
        return response.status, response.read().decode()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    found = Serving(tmp_path_factory.mktemp("served"))
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_the_page_works_when_it_is_served(browser: Browser, serving: Serving) -> None:
    with visit(browser, serving.server.url) as found:
        found.counted(f"{N} of {N} samples")
        assert found.problems == []
        assert all(url.startswith(serving.server.url) for url in found.asked)
        assert len(found.asked) == 3  # the page, and columns and scores of the first set


def test_nothing_but_the_report_is_served(serving: Serving) -> None:
    serving.get("/")
    (serving.page.parent / "secret.txt").write_text("secret")
    name = next(serving.page.with_name("report_files").iterdir()).name
    assert serving.get(f"/report_files/{name}")[0] == 200
    wrong = ["/secret.txt", "/report_files", "/report_files/", "/..", "/report_files/../secret.txt"]
    wrong += ["/report_files/%2e%2e/secret.txt", "//etc/passwd", "/source/logs"]
    assert [serving.get(path)[0] for path in wrong] == [404] * len(wrong)


def test_another_sites_name_gets_nothing(serving: Serving) -> None:
    status, text = serving.get("/", host=f"example.org:{serving.server.server_port}")
    assert (status, text) == (403, "not the name of this server\n")


def test_it_is_made_anew_when_a_run_changed_and_only_then(serving: Serving) -> None:
    serving.get("/")
    before = serving.made
    serving.get("/")
    assert serving.made == before
    (serving.source / "scores.csv").write_text("a new file")
    assert serving.get("/")[0] == 200
    assert serving.made == before + 1


def test_what_is_wrong_with_a_run_is_told_in_the_browser(serving: Serving) -> None:
    serving.fails = True
    (serving.source / "more.json").write_text("{")
    try:
        assert serving.get("/") == (500, "half a file\n")
    finally:
        serving.fails = False
        (serving.source / "more.json").unlink()


def test_whatever_goes_wrong_is_a_sentence(serving: Serving) -> None:
    serving.error = RecursionError("too deep")
    (serving.source / "more.json").write_text("[")
    try:
        assert serving.get("/") == (500, "the report cannot be made: RecursionError('too deep')\n")
    finally:
        serving.error = None
        (serving.source / "more.json").unlink()


# --- clients that misbehave ------------------------------------------------------------------------------------


def connected(serving: Serving) -> socket.socket:
    return socket.create_connection((HOST, serving.server.server_port), timeout=10)


def test_a_client_that_leaves_leaves_no_traceback(serving: Serving, capfd: pytest.CaptureFixture[str]) -> None:
    serving.get("/")
    for request in (b"", b"GET", b"GET / HTTP/1.1\r\nHo", f"GET / HTTP/1.0\r\nHost: {HOST}\r\n".encode()):
        for _ in range(3):
            with connected(serving) as client:
                # a reset: what is not read yet is thrown away
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(request)
    for _ in range(5):
        with connected(serving) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}:{serving.server.server_port}\r\n\r\n".encode())
            client.recv(1)  # and the rest never
    time.sleep(0.2)
    assert serving.get("/")[0] == 200
    out, error = capfd.readouterr()
    assert (out, error) == ("", "")


def test_a_slow_client_is_left(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that sends nothing, and one that sends a byte now and then, for ever."""
    monkeypatch.setattr(server, "REQUEST", 0.6)
    monkeypatch.setattr(server._Handler, "timeout", 0.3)
    started = time.monotonic()
    with connected(serving) as silent:
        assert silent.recv(1) == b""
    with connected(serving) as slow, contextlib.suppress(ConnectionError):
        slow.sendall(b"GET / HTTP/1.1\r\n")
        while time.monotonic() < started + 8:
            slow.sendall(b"X-a: b\r\n")
            time.sleep(0.1)
    assert time.monotonic() < started + 5
    assert serving.get("/")[0] == 200


def test_too_many_connections_are_closed(serving: Serving) -> None:
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(serving)) for _ in range(server.CONNECTIONS)]
        time.sleep(0.3)
        with connected(serving) as more, contextlib.suppress(ConnectionError):
            assert more.recv(1) == b""
        assert len(idle) == server.CONNECTIONS
    time.sleep(0.3)
    assert serving.get("/")[0] == 200


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET http://[ HTTP/1.1", 400),
        ("GET /%00 HTTP/1.1", 404),
        ("GET /%ff%fe HTTP/1.1", 404),
        ("GET /report_files/%2e%2e%2fsecret.txt HTTP/1.1", 404),
        ("GET / HTTP/9.9", 505),
        ("GET / X", 400),
        ("BREW / HTTP/1.1", 501),
        ("POST / HTTP/1.1", 501),
        ("GET /" + "a" * 70_000 + " HTTP/1.1", 414),
        ("\x00\x01\x02 \xff", 400),
    ],
)
def test_bad_requests_are_answered(
    serving: Serving, request_line: str, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with connected(serving) as client:
        host = f"Host: {HOST}:{serving.server.server_port}"
        with contextlib.suppress(ConnectionError):
            client.sendall(f"{request_line}\r\n{host}\r\n\r\n".encode("latin-1"))
        reply = client.recv(1 << 16)
    assert f" {status} ".encode() in reply.split(b"\n")[0] or f"Error code: {status}".encode() in reply
    assert serving.get("/")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_port_in_use_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is in use. Choose another with --port, or --port 0"):
            Server(tmp_path / "report.html", [], lambda page: None, port)


def test_the_command_prints_the_address_and_ends_well(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "s2eval", "view", str(logs(tmp_path / "logs")), "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout is not None
    found = re.match(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
    assert found
    connection = http.client.HTTPConnection(HOST, int(found[1]), timeout=10)
    connection.request("GET", "/")
    assert "<!doctype html>" in connection.getresponse().read().decode()
    process.send_signal(signal.SIGINT)
    _, problems = process.communicate(timeout=10)
    assert (process.returncode, problems.strip()) == (0, "")
