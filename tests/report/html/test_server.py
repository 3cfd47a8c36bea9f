"""`s2eval view`: the report on 127.0.0.1, and nothing but the report."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from s2eval.errors import DataError, UsageError
from s2eval.report.html import write_page
from s2eval.report.html.server import HOST, Server
from tests.report.html.made_up import N, logs, report
from tests.report.html.visits import visit


class Serving:
    """A server of a made-up page, which counts how often it was made."""

    def __init__(self, folder: Path) -> None:
        self.source, self.made, self.fails = folder / "source", 0, False
        made = report(self.source)

        def make(page: Path) -> None:
            if self.fails:
                raise DataError("half a file")
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
