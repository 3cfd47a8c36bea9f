"""A server on a real socket that answers as a script says: any status, any bytes, late, in part or not at all."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Request:
    """What arrived, and when (`time.monotonic`)."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def question(self) -> str:
        """The text of the last message."""
        return self.body["messages"][-1]["content"]


@dataclass(frozen=True)
class Answer:
    """Bytes to send.

    Attributes:
        raw: as they go over the wire.
        delay: seconds before them.
        trickle: bytes to send again and again after them, and the seconds between.
        close: hang up afterwards; else the connection stays open.
    """

    raw: bytes
    delay: float = 0.0
    trickle: tuple[bytes, float] | None = None
    close: bool = False

    def late(self, seconds: float) -> Answer:
        return replace(self, delay=seconds)


Script = Callable[[Request, int], Answer]


def http(status: int, body: Any = b"", kind: str = "application/json", **headers: str) -> Answer:
    """A well-formed answer; `retry_after="1"` is the header `retry-after`."""
    content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return Answer("\r\n".join([*lines, "", ""]).encode() + content)


def completion(text: Any = "[[8]]", finish: Any = "stop", **changes: Any) -> dict[str, Any]:
    """The body of a chat completion; `changes` replace or add fields."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return {"object": "chat.completion", "model": "judge-0613", "choices": [choice], "usage": usage, **changes}


def ok(text: Any = "[[8]]", finish: Any = "stop", **changes: Any) -> Answer:
    """A good reply."""
    return http(200, completion(text, finish, **changes))


def error(status: int, message: str, **fields: Any) -> Answer:
    """An error in OpenAI's form."""
    return http(status, {"error": {"message": message, "type": None, "param": None, "code": None, **fields}})


DROP = Answer(b"", close=True)
RATE = error(429, "Rate limit reached for requests", type="requests", code="rate_limit_exceeded")


def in_turn(*answers: Answer) -> Script:
    """One after the other, then the last one for ever."""
    return lambda _, n: answers[min(n, len(answers) - 1)]


@dataclass
class Faults:
    """The server while it runs.

    Attributes:
        catalog: the answer to `GET /models`; None = the script's.
        url: base URL.
        listed: how often the catalog was asked for.
        requests: what else arrived, in order.
        peak: the most requests that were under way at once.
        close: stop listening and hang up, at once.
    """

    script: Script
    catalog: Answer | None = None
    url: str = ""
    listed: int = 0
    requests: list[Request] = field(default_factory=list)
    peak: int = 0
    close: Callable[[], None] = lambda: None
    _active: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while (answer := await self._next(reader)) is not None:
                self._active += 1
                self.peak = max(self.peak, self._active)
                try:
                    await asyncio.sleep(answer.delay)
                finally:
                    self._active -= 1
                writer.write(answer.raw)
                await writer.drain()
                while answer.trickle is not None:
                    await asyncio.sleep(answer.trickle[1])
                    writer.write(answer.trickle[0])
                    await writer.drain()
                if answer.close:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _next(self, reader: asyncio.StreamReader) -> Answer | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = first.split(" ")
        request = Request(time.monotonic(), method, path, headers, json.loads(content) if content else None)
        if self.catalog is not None and (method, path) == ("GET", "/v1/models"):
            self.listed += 1
            return self.catalog
        self.requests.append(request)
        return self.script(request, len(self.requests) - 1)


@contextmanager
def serve(script: Script | Answer, catalog: Answer | None = None) -> Iterator[Faults]:
    """A server of its own thread and port for the body of `with`; an `Answer` is given to every request."""
    answer = script
    faults = Faults((lambda _request, _n: answer) if isinstance(answer, Answer) else answer, catalog)
    ready, stopped = threading.Event(), threading.Event()
    stop: list[Callable[[], object]] = []

    async def work() -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        stop.append(lambda: loop.call_soon_threadsafe(end.set))
        server = await asyncio.start_server(faults.talk, "127.0.0.1", 0)
        faults.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        ready.set()
        await end.wait()
        server.close()  # and `asyncio.run` cancels the conversations

    def close() -> None:
        if not stopped.is_set():
            stopped.set()
            stop[0]()
            thread.join()

    thread = threading.Thread(target=lambda: asyncio.run(work()), daemon=True)
    thread.start()
    ready.wait()
    faults.close = close
    try:
        yield faults
    finally:
        close()
