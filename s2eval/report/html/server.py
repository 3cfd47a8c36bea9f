"""A report on 127.0.0.1: the page and the pieces beside it, and nothing else."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import unquote, urlsplit

from s2eval.errors import S2Error, UsageError
from s2eval.report.html.pieces import folder_of

HOST = "127.0.0.1"
_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

Changes = tuple[tuple[str, int, int], ...]
"""(path, time of change, size) of every file."""


class Server(ThreadingHTTPServer):
    """Serves a page that it makes again when what it is made of has changed.

    Args:
        page: where to write it; its folder holds nothing else.
        folders: what it is made of.
        make: writes it.
        port: 0 = any that is free.

    Raises:
        UsageError: the port is in use, or not to be had.
    """

    daemon_threads = True

    def __init__(self, page: Path, folders: Sequence[Path], make: Callable[[Path], None], port: int) -> None:
        self.page = page
        self._folders = folders
        self._make = make
        self._made_of: Changes | None = None
        self._lock = Lock()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            why = "is in use" if error.errno == errno.EADDRINUSE else "is not allowed"
            raise UsageError(f"port {port} {why}. Choose another with --port, or --port 0 for any") from error

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/"

    def refresh(self) -> None:
        """Make the page if it was not made of what lies in the folders now."""
        with self._lock:
            now = tuple(sorted(_changes(self._folders)))
            if now != self._made_of:
                self._make(self.page)
                self._made_of = now

    def find(self, path: str) -> Path | None:
        """The file of a URL's path; None for all but the page and its pieces."""
        if path in ("/", f"/{self.page.name}"):
            return self.page
        folder = folder_of(self.page)
        known = {f"/{folder.name}/{piece.name}": piece for piece in folder.glob("*.js")}
        return known.get(path)


def _changes(folders: Sequence[Path]) -> Iterator[tuple[str, int, int]]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix in (".json", ".jsonl", ".yaml", ".csv") and path.is_file():
                stat = path.stat()
                yield str(path), stat.st_mtime_ns, stat.st_size


class _Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    server_version = "s2eval"
    sys_version = ""

    def do_GET(self) -> None:
        """The page, or a piece of it."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """The same without content."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        # Another site's name that leads here (DNS rebinding) must not read the report.
        if self.headers.get("Host") not in [f"{name}:{self.server.server_port}" for name in (HOST, "localhost")]:
            self._send(HTTPStatus.FORBIDDEN, b"not the name of this server\n", "text/plain", body=body)
            return
        path = unquote(urlsplit(self.path).path)
        try:
            if path == "/":
                self.server.refresh()
            found = self.server.find(path)
            content = found.read_bytes() if found else None
        except (S2Error, OSError) as error:
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, f"{error}\n".encode(), "text/plain", body=body)
            return
        if found is None or content is None:
            self._send(HTTPStatus.NOT_FOUND, b"no such page\n", "text/plain", body=body)
        else:
            self._send(HTTPStatus.OK, content, _TYPES[found.suffix], body=body)

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
        """Nothing: the terminal shows the address."""
