"""As much of OpenAI's Batch API as there is to get wrong, on a real socket."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from s2eval.llm.batch import BatchService
from s2eval.llm.calls import Call, Message, Reply
from s2eval.llm.ledger import Ledger

CANARY = "sk-canary-0123456789"
Fault = Callable[["Handler"], bool]  # whether it has answered


def completion(text: str | None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"} | more
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    return {"object": "chat.completion", "model": "judge-0613", "choices": [choice], "usage": usage}


class Server(ThreadingHTTPServer):
    """As much of the Batch API as there is to get wrong.

    Attributes:
        rows: what comes of a request: its row in a file of answers without the custom_id, or None for no row.
        looks: the states that a batch goes through, one a look; it stays in the last one.
        faults: method and path → what happens in place of an answer, one a request.
        seen: method and path of every request, in their order.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.rows: Callable[[dict[str, Any]], dict[str, Any] | None] = answered
        self.looks = ["validating", "in_progress", "completed"]
        self.errors: list[dict[str, Any]] = []
        self.faults: dict[str, list[Fault]] = {}
        self.seen: list[str] = []
        self.extra = b""  # of the file of answers
        self.shut = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def submitted(self) -> list[list[dict[str, Any]]]:
        """The requests of each batch."""
        files = (self.files[batch["input_file_id"]] for batch in self.batches.values())
        return [[json.loads(line) for line in content.splitlines()] for content in files]

    def asked(self) -> Counter[str]:
        return Counter(request["custom_id"] for requests in self.submitted() for request in requests)

    def make(self, content: bytes) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return name

    def create(self, wanted: dict[str, Any]) -> dict[str, Any]:
        assert wanted["endpoint"] == "/v1/chat/completions"
        name = f"batch_{len(self.batches)}"
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "status": "validating",
            "created_at": 4e9,
            "looks": 0,
        } | wanted
        return self.batches[name]

    def look(self, name: str) -> dict[str, Any]:
        batch = self.batches[name]
        batch["status"] = self.looks[min(batch["looks"], len(self.looks) - 1)]
        batch["looks"] += 1
        if batch["status"] in ("completed", "expired", "cancelled") and "output_file_id" not in batch:
            self.finish(batch)
        if batch["status"] == "failed":
            batch["errors"] = {"object": "list", "data": self.errors}
        return batch

    def finish(self, batch: dict[str, Any]) -> None:
        good, bad = [], []
        for line in reversed(self.files[batch["input_file_id"]].splitlines()):  # the order is the server's
            request = json.loads(line)
            row = self.rows(request["body"])
            if row is not None:
                fine = row.get("response") and row["response"]["status_code"] == 200
                (good if fine else bad).append(json.dumps({"custom_id": request["custom_id"], **row}).encode() + b"\n")
        batch["output_file_id"] = self.make(b"".join(good) + self.extra)
        batch["error_file_id"] = self.make(b"".join(bad)) if bad else None
        batch["request_counts"] = {"total": len(good) + len(bad), "completed": len(good), "failed": len(bad)}


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, document: Any) -> None:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.handle_one("GET")

    def do_POST(self) -> None:
        self.handle_one("POST")

    def handle_one(self, method: str) -> None:
        self.content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.removeprefix("/v1").partition("?")[0]
        what = f"{method} {re.sub(r'(batch_|file-)[0-9]+', '*', path)}"
        self.server.seen.append(what)
        faults = self.server.faults.get(what, [])
        if faults and faults.pop(0)(self):
            return
        with self.server.shut:
            status, document = self.respond(what, path)
        self.answer(status, document)

    def respond(self, what: str, path: str) -> tuple[int, Any]:
        name = path.split("/")[2] if path.count("/") > 1 else ""
        if self.headers["Authorization"] != f"Bearer {CANARY}":
            return 401, {
                "error": {"message": f"Incorrect API key: {self.headers['Authorization']}", "code": "invalid_api_key"}
            }
        if what == "POST /files":
            return 200, {"id": self.server.make(self.upload()), "object": "file"}
        if what == "POST /batches":
            return 200, self.server.create(json.loads(self.content))
        if what == "GET /batches":
            rows = list(reversed(self.server.batches.values()))  # newest first, two a page
            after = re.search(r"after=(\w+)", self.path)
            start = [row["id"] for row in rows].index(after[1]) + 1 if after else 0
            return 200, {"data": rows[start : start + 2], "has_more": start + 2 < len(rows)}
        if what == "GET /batches/*" and name in self.server.batches:
            return 200, self.server.look(name)
        if what == "GET /files/*/content" and name in self.server.files:
            return 200, self.server.files[name]
        return 404, {"error": {"message": f"no {path}"}}

    def upload(self) -> bytes:
        boundary = self.headers.get_param("boundary", header="content-type")
        (part,) = [part for part in self.content.split(f"--{boundary}".encode()) if b'name="file"' in part]
        return part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")

    def log_message(self, *_: Any) -> None:
        pass


def answered(request: dict[str, Any]) -> dict[str, Any]:
    return {"response": {"status_code": 200, "body": completion(f"about {request['messages'][-1]['content']}")}}


def refused(status: int, message: str, code: str = "") -> dict[str, Any]:
    return {"response": {"status_code": status, "body": {"error": {"message": message, "code": code}}}, "error": None}


def says(status: int, document: Any) -> Fault:
    def fault(handler: Handler) -> bool:
        handler.answer(status, document)
        return True

    return fault


def drops(handler: Handler) -> bool:
    """The connection breaks before anything is done."""
    handler.close_connection = True
    handler.connection.close()
    return True


def does_and_drops(handler: Handler) -> bool:
    """What is asked for is done, and the connection breaks before the answer."""
    handler.server.create(json.loads(handler.content))
    return drops(handler)


@contextmanager
def running() -> Iterator[Server]:
    """The server in a thread of its own, for the body of `with`."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def service(server: Server, ledger: Ledger, **more: Any) -> BatchService:
    return BatchService(server.url, CANARY, ledger, **({"interval": 0.01, "pause": 0.01, "patience": 1.0} | more))


def asks(n: int, **more: Any) -> list[Call]:
    base = Call("openai:judge@x", "judge", (), temperature=0.0, max_tokens=16)
    return [replace(base, messages=(Message("user", f"question {i}"),), **more) for i in range(n)]


def reply(number: int, **more: Any) -> Reply:
    return Reply(f"about question {number}", "stop", 10, 2, "judge-0613", **more)
