"""Kills at random moments of a run with the real client and a real server: nothing is lost, little is asked twice."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from s2eval.llm.ledger import Ledger

CALLS, IN_FLIGHT, LATENCY = 480, 8, 0.03
KILLS = int(os.environ.get("S2_KILLS", "50"))


class Server(threading.Thread):
    """A judge whose answer depends on the question only; counts what it is asked."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.asked: Counter[str] = Counter()
        self.arrived = threading.Semaphore(0)
        self.ready, self.port = threading.Event(), 0
        self.start()
        assert self.ready.wait(10)

    def run(self) -> None:
        asyncio.run(self.serve())

    async def serve(self) -> None:
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.stop, self.loop = asyncio.Event(), asyncio.get_running_loop()
        self.ready.set()
        await self.stop.wait()

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.stop.set)
        self.join(10)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                content = await reader.readexactly(size)
                self.asked[json.loads(content)["messages"][-1]["content"]] += 1
                self.arrived.release()
                await asyncio.sleep(LATENCY)
                body = self.answer(content)
                head = (
                    f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                )
                writer.write(head + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    @staticmethod
    def answer(content: bytes) -> bytes:
        text = f"Rating: [[{hashlib.sha256(content).digest()[0] % 10 + 1}]] {hashlib.sha256(content).hexdigest()}"
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": len(content) // 4, "completion_tokens": 20}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return json.dumps({"model": "judge", "choices": [choice], "usage": usage}).encode()


# Imports the client once, then forks a process for each run: what is killed is a whole process, and starts at once.
STARTER = """
import os, sys
from pathlib import Path
import openai, httpx2
from s2eval.llm.asking import ask
from s2eval.llm.calls import Call, Message
from s2eval.llm.client import OpenAIService
from s2eval.llm.ledger import Ledger

url, in_flight = sys.argv[1], int(sys.argv[2])
calls = [Call(f"openai:judge@{url}", "judge", (Message("user", f"Question {i} " + "x" * i),), 0.0, 64)
         for i in range(480)]
for line in sys.stdin:
    word, number, *path = line.split()
    if word == "run":
        child = os.fork()
        if child == 0:
            try:
                with Ledger.open(Path(path[0])) as ledger:
                    ask(OpenAIService(url, "none", max_in_flight=in_flight), calls[: int(number)], ledger)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        print(child, flush=True)
    else:
        print(os.waitpid(int(number), 0)[1], flush=True)
"""


class Starter:
    """Starts runs in processes of their own."""

    def __init__(self, server: Server) -> None:
        url = f"http://127.0.0.1:{server.port}/v1"
        command = [sys.executable, "-c", STARTER, url, str(IN_FLIGHT)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line: str) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(line, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def start(self, path: Path, calls: int = CALLS) -> int:
        """The id of a process that asks the first so many calls."""
        return self.say(f"run {calls} {path}")

    def wait(self, child: int) -> int:
        """Its exit code, negative for a signal."""
        return os.waitstatus_to_exitcode(self.say(f"wait {child}"))

    def end(self) -> None:
        self.process.communicate()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.end()


@pytest.fixture
def starter(server: Server) -> Iterator[Starter]:
    starter = Starter(server)
    yield starter
    starter.end()


def export(path: Path) -> bytes:
    with Ledger.open(path) as ledger:
        return "\n".join(ledger.lines()).encode()


def kill_at_random(starter: Starter, server: Server, path: Path, moments: random.Random) -> bool:
    """Start a run and kill it, mostly while calls are in flight; whether it was still running."""
    while server.arrived.acquire(blocking=False):
        pass
    child = starter.start(path)
    if moments.random() < 0.1:
        time.sleep(moments.uniform(0, 0.1))  # while it starts
    else:
        assert server.arrived.acquire(timeout=20)
        time.sleep(moments.uniform(0, 2 * LATENCY))
    os.kill(child, signal.SIGKILL)
    return starter.wait(child) == -signal.SIGKILL


def test_kills(server: Server, starter: Starter, tmp_path: Path) -> None:
    undisturbed, path = tmp_path / "undisturbed.sqlite", tmp_path / "killed.sqlite"
    assert starter.wait(starter.start(undisturbed)) == 0
    assert server.asked.total() == len(server.asked) == CALLS

    server.asked.clear()
    moments = random.Random(4)
    kills = sum(kill_at_random(starter, server, path, moments) for _ in range(KILLS))
    asked_before_the_last_run = len(server.asked)
    assert kills == KILLS, "the run was to last longer than all the kills"
    assert 0 < asked_before_the_last_run < CALLS
    assert starter.wait(starter.start(path)) == 0

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT COUNT(*), SUM(status = 'ok') FROM calls").fetchone() == (CALLS, CALLS)
    assert export(path) == export(undisturbed)
    extra = server.asked.total() - CALLS
    print(f"{kills} kills, {extra} extra calls")
    assert 0 <= extra <= kills * IN_FLIGHT


def test_two_runs_share_a_store(server: Server, starter: Starter, tmp_path: Path) -> None:
    alone, shared = tmp_path / "alone.sqlite", tmp_path / "shared.sqlite"
    assert starter.wait(starter.start(alone, 100)) == 0
    children = [starter.start(shared, 100) for _ in range(2)]
    assert [starter.wait(child) for child in children] == [0, 0]
    assert export(shared) == export(alone)
    with Ledger.open(shared) as ledger:
        assert ledger.count() == (100, 0)


def test_a_kill_loses_what_was_in_flight_and_no_more(server: Server, starter: Starter, tmp_path: Path) -> None:
    path, moments, before = tmp_path / "killed.sqlite", random.Random(5), set[str]()
    for _ in range(4):
        server.asked.clear()
        child = starter.start(path)
        for _ in range(moments.randint(2 * IN_FLIGHT, 6 * IN_FLIGHT)):
            assert server.arrived.acquire(timeout=20)
        os.kill(child, signal.SIGKILL)
        assert starter.wait(child) == -signal.SIGKILL
        asked = set(server.asked)
        assert before.isdisjoint(asked)  # what was stored is not asked again
        with Ledger.open(path) as ledger:
            stored = {json.loads(json.loads(line)["call"])["messages"][-1]["content"] for line in ledger.lines()}
        assert stored > before
        assert len(asked - stored) <= IN_FLIGHT
        before = stored
