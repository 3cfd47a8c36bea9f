"""Requests to the Batch API: files, batches, and rows of answers, retried as long as that may help.

The SDK only carries bytes.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar

from pydantic import BaseModel, JsonValue

from s2eval.errors import ServiceError
from s2eval.files import jsonl
from s2eval.llm import proxies
from s2eval.llm.endpoint import Endpoint
from s2eval.llm.problems import Problem, refusal, retry_after
from s2eval.llm.secrets import clean, guard_logs, shown
from s2eval.llm.transport import MAX_BODY

if TYPE_CHECKING:
    import httpx2

ENDPOINT = "/v1/chat/completions"
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_TOKEN = "s2eval"  # the key of our token in a batch's metadata
_TIMEOUT = 600.0  # seconds; a file may have 200 MB
_MAX_PAUSE = 60.0  # seconds between two attempts
_MAX_SECONDS = 3600.0  # until the last byte of an answer
MAX_FILE = 2 * 2**30  # bytes of a file of answers; 50,000 replies of 10,000 tokens
_DAY = 86_400.0


class Complaint(BaseModel):
    """An error of a batch, or of one of its rows."""

    code: str | None = None
    message: str | None = None

    @property
    def text(self) -> str:
        """Code and message in one line, without keys."""
        return shown(f"{self.code or ''} {self.message or ''}")


class _Complaints(BaseModel):
    data: list[Complaint] | None = None


class _Counts(BaseModel):
    total: int = 0
    completed: int = 0
    failed: int = 0


class Batch(BaseModel):
    """A batch as the server describes it; other fields are ignored."""

    id: str
    status: str
    created_at: float | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: _Complaints | None = None
    request_counts: _Counts | None = None
    metadata: dict[str, object] | None = None

    @property
    def complaints(self) -> list[Complaint]:
        """Why it failed."""
        return (self.errors and self.errors.data) or []

    @property
    def progress(self) -> str:
        """`in_progress, 12 of 480 calls ended`."""
        counts = self.request_counts or _Counts()
        return f"{shown(self.status)}, {counts.completed + counts.failed} of {counts.total} calls ended"


class _Page(BaseModel):
    data: list[Batch]
    has_more: bool = False


class _File(BaseModel):
    id: str


class _Answer(BaseModel):
    status_code: int
    body: JsonValue = None


class Row(BaseModel):
    """One line of a file of answers."""

    custom_id: str
    response: _Answer | None = None
    error: Complaint | None = None


class _Response(Protocol):
    """The SDK's raw response."""

    @property
    def http_response(self) -> httpx2.Response: ...


_Document = TypeVar("_Document", bound=BaseModel)
_T = TypeVar("_T")


class BatchApi:
    """The Batch API of a server.

    Args:
        endpoint: address and key.
        patience: seconds for which a failing server is tried again.
        pause: seconds before the first time; twice as many before each further one.
        folder: for a file of answers while it is read: it may be larger than the memory.

    Raises:
        PrerequisiteError: no key. All methods: ServiceError where the server does not answer, or never will.
    """

    def __init__(self, endpoint: Endpoint, patience: float, pause: float, folder: Path) -> None:
        import openai

        from s2eval.llm.bodies import Client

        guard_logs()
        key, headers = endpoint.credentials()
        self._openai, self._url, self._patience, self._pause = openai, endpoint.url, patience, pause
        with proxies.explained():
            self._http = Client(MAX_BODY, _MAX_SECONDS, follow_redirects=False)  # the key goes nowhere else
        self._folder = folder if folder.is_dir() else None
        self._client = openai.OpenAI(
            api_key=key,
            base_url=endpoint.url,
            default_headers=headers,
            max_retries=0,
            timeout=_TIMEOUT,
            http_client=self._http,
        )

    def upload(self, name: str, content: bytes) -> str:
        """The id of a new file of requests."""
        files = self._client.files.with_raw_response
        return self._retry(lambda: self._get(_File, lambda: files.create(file=(name, content), purpose="batch"))).id

    def create(self, file: str, token: str) -> str:
        """The id of a new batch with our token. After a lost answer the batch is found, not created again."""
        batches, tried, now = self._client.batches.with_raw_response, False, time.time()

        def create() -> str | Problem:
            nonlocal tried
            if tried and (created := self.find(token, now)) is not None:
                return created
            tried = True
            batch = self._get(
                Batch,
                lambda: batches.create(
                    input_file_id=file, endpoint=ENDPOINT, completion_window="24h", metadata={_TOKEN: token}
                ),
            )
            return batch if isinstance(batch, Problem) else batch.id

        return self._retry(create)

    def find(self, token: str, made_at: float) -> str | None:
        """The id of the batch that has our token; None = there is none.

        `made_at` is the earliest Unix time of its creation; the list, newest first, is read up to a day before.
        """
        batches, after = self._client.batches.with_raw_response, dict[str, Any]()
        while True:
            page = self._retry(lambda: self._get(_Page, lambda: batches.list(limit=100, **after)))
            for batch in page.data:
                if (batch.metadata or {}).get(_TOKEN) == token:
                    return batch.id
                if batch.created_at is not None and batch.created_at < made_at - _DAY:  # a day: clocks differ
                    return None
            if not page.has_more or not page.data:
                return None
            after["after"] = page.data[-1].id

    def retrieve(self, batch: str) -> Batch:
        """The batch as it is now."""
        batches = self._client.batches.with_raw_response
        return self._retry(
            lambda: self._get(Batch, lambda: batches.retrieve(batch)),
            unknown=f"{self._url} knows no {batch}. Use the key that it was submitted with, or go on without --batch",
        )

    def rows(self, file: str) -> Iterator[Row]:
        """The rows of a file of answers, without malformed lines."""
        files = self._client.files.with_raw_response
        with tempfile.TemporaryFile(dir=self._folder) as content:

            def save() -> bytes | Problem:
                content.seek(0)
                content.truncate()
                self._http.file = content, MAX_FILE
                try:
                    return self._send(lambda: files.content(file))
                finally:
                    self._http.file = None

            self._retry(
                save, unknown=f"the answers ({file}) are no longer at {self._url}. Go on without --batch to ask again"
            )
            content.seek(0)
            for _, line in jsonl.numbered(_lines(content)):
                row = _parse(Row, line)
                if row is not None:
                    yield row

    def _retry(self, attempt: Callable[[], _T | Problem], unknown: str = "") -> _T:
        """Try until it is answered, for `patience` seconds at most; `unknown` is the message about a 404."""
        end, pause = time.monotonic() + self._patience, self._pause
        while True:
            answer = attempt()
            if not isinstance(answer, Problem):
                return answer
            if unknown and answer.status == 404:
                raise ServiceError(unknown)
            if answer.status in (404, 405):
                raise ServiceError(f"{self._url} has no Batch API ({answer.message}). Run without --batch")
            if answer.then != "retry":
                raise ServiceError(f"{self._url}, Batch API: {answer.message}")
            pause = max(pause, answer.wait or 0.0)
            if time.monotonic() + pause > end:
                raise ServiceError(
                    f"{self._url}, Batch API: {answer.message}. What was submitted goes on there; the same command"
                    " collects it"
                )
            time.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE)

    def _get(self, model: type[_Document], request: Callable[[], _Response]) -> _Document | Problem:
        content = self._send(request)
        if isinstance(content, Problem):
            return content
        text = shown(content.decode(errors="replace"))
        return _parse(model, content) or Problem("malformed", f"not what the Batch API answers: {text}", "retry")

    def _send(self, request: Callable[[], _Response]) -> bytes | Problem:
        """The body of the answer to a request, or what is wrong. No exception leaves it that might hold the key."""
        try:
            return request().http_response.content
        except self._openai.APIStatusError as error:
            try:
                document = clean(error.response.json())
            except (ValueError, RecursionError):
                document = error.response.text
            headers = {name.lower(): value for name, value in error.response.headers.items()}
            return refusal(error.status_code, document, retry_after(headers))
        except self._openai.APIError as error:  # no answer, or not all of it
            cause = error.__cause__ or error
            return Problem("connection", f"no answer: {shown(str(cause) or type(cause).__name__)}", "retry")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; a blank one for each that is longer than an answer may be."""
    while line := file.readline(MAX_BODY + 1):
        if line.endswith(b"\n") or len(line) <= MAX_BODY:
            yield line
        else:
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_BODY + 1)
            yield b"\n"


def _parse(model: type[_Document], content: bytes) -> _Document | None:
    """The JSON document, without keys in it; None where it is malformed."""
    try:
        return model.model_validate(clean(json.loads(content)))
    except (ValueError, RecursionError):  # of pydantic's, too
        return None
