"""Serves a report on 127.0.0.1: the page and the pieces in the folder beside it, and nothing else."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore, Lock, Timer
from urllib.parse import unquote, urlsplit

from s2eval.errors import S2Error, UsageError
from s2eval.report.html.page_assets import folder_of

HOST = "127.0.0.1"
SILENCE = 10.0  # seconds that a client may send or take nothing
REQUEST = 20.0  # seconds until a request must be complete
CONNECTIONS = 64  # at a time; more are closed at once
_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

Request = socket.socket | tuple[bytes, socket.socket]


class Server(ThreadingHTTPServer):
    """Serves a page, which `make` writes again when a file of `folders` has changed.

    Args:
        page: where to write it; its folder holds nothing else.
        port: 0 = any that is free.

    Raises:
        UsageError: the port is in use or not allowed.
    """

    daemon_threads = True
    request_queue_size = CONNECTIONS

    def __init__(self, page: Path, folders: Sequence[Path], make: Callable[[Path], None], port: int) -> None:
        self.page = page
        self._folders = folders
        self._make = make
        self._written_from: tuple[tuple[str, int, int], ...] | None = None
        self._lock = Lock()
        self._free = BoundedSemaphore(CONNECTIONS)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            why = "is in use" if error.errno == errno.EADDRINUSE else "is not allowed"
            raise UsageError(f"port {port} {why}. Choose another with --port, or --port 0 for any") from error

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/"

    def refresh(self) -> None:
        """Write the page if the files that it shows have changed since it was written."""
        with self._lock:
            files = tuple(sorted(_files(self._folders)))
            if files != self._written_from:
                self._make(self.page)
                self._written_from = files

    def process_request(self, request: Request, client_address: object) -> None:
        """A thread for each connection, as long as there are not too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Request, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Request, client_address: object) -> None:  # noqa: ARG002
        """Print a line, unless the client has left or was too slow."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"error: a request failed: {error!r}", file=sys.stderr)  # noqa: T201

    def find(self, path: str) -> Path | None:
        """The file of a URL's path; None for all but the page and its pieces."""
        if path in ("/", f"/{self.page.name}"):
            return self.page
        folder = folder_of(self.page)
        return next((piece for piece in folder.glob("*.js") if path == f"/{folder.name}/{piece.name}"), None)


def _files(folders: Sequence[Path]) -> Iterator[tuple[str, int, int]]:
    """Path, time of change and size of every file that a report may read."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix in (".json", ".jsonl", ".yaml", ".csv") and path.is_file():
                stat = path.stat()
                yield str(path), stat.st_mtime_ns, stat.st_size


class _Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    server_version = "s2eval"
    sys_version = ""
    timeout = SILENCE

    def handle_one_request(self) -> None:
        """Read a request and answer it; close the connection if it stays incomplete."""
        self._deadline = Timer(REQUEST, self._give_up)
        self._deadline.daemon = True
        self._deadline.start()
        try:
            super().handle_one_request()
        finally:
            self._deadline.cancel()

    def _give_up(self) -> None:
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # it is closed already
            return

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        self._deadline.cancel()  # the request is complete; making the page may take longer
        # Another site's name that leads here (DNS rebinding) must not read the report.
        if self.headers.get("Host") not in [f"{name}:{self.server.server_port}" for name in (HOST, "localhost")]:
            self._send(HTTPStatus.FORBIDDEN, b"not the name of this server\n", "text/plain", body=body)
            return
        try:
            path = unquote(urlsplit(self.path).path)
        except ValueError:  # such as http://[
            self._send(HTTPStatus.BAD_REQUEST, b"not an address\n", "text/plain", body=body)
            return
        try:
            if path == "/":
                self.server.refresh()
            file = self.server.find(path)
            content = file.read_bytes() if file else None
        except Exception as error:  # noqa: BLE001  (whatever a file holds; the next request tries again)
            why = str(error) if isinstance(error, S2Error | OSError) else f"the report cannot be made: {error!r}"
            content = f"{why}\n".encode(errors="backslashreplace")
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, content, "text/plain", body=body)
            return
        if file is None or content is None:
            self._send(HTTPStatus.NOT_FOUND, b"no such page\n", "text/plain", body=body)
        else:
            self._send(HTTPStatus.OK, content, _TYPES[file.suffix], body=body)

    def _send(self, status: HTTPStatus, content: bytes, kind: str, *, body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind if "charset" in kind else f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the terminal shows the address."""
