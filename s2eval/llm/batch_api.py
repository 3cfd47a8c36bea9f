"""The server's side of batches: files, batches, and rows of answers, asked again as long as that may help.

The SDK only carries bytes here: it retries nothing and reads nothing into them.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel

from s2eval.errors import ServiceError
from s2eval.files import jsonl
from s2eval.llm import proxies
from s2eval.llm.endpoint import Endpoint
from s2eval.llm.problems import Problem, refusal, retry_after
from s2eval.llm.secrets import clean, guard_logs, shown
from s2eval.llm.transport import MAX_BODY

ENDPOINT = "/v1/chat/completions"
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_TOKEN = "s2eval"  # the key of our token in a batch's metadata
_TIMEOUT = 600.0  # seconds; a file may have 200 MB
_LONGEST = 60.0  # seconds between two attempts
_LONGEST_ANSWER = 3600.0  # seconds until the last byte of an answer
MAX_FILE = 2 * 2**30  # bytes of a file of answers; 50,000 replies of 10,000 tokens
_DAY = 86_400.0


class Complaint(BaseModel):
    """An error of a batch, or of one of its rows."""

    code: str | None = None
    message: str | None = None

    @property
    def said(self) -> str:
        """Code and message in one line, without keys."""
        return shown(f"{self.code or ''} {self.message or ''}")


class _Complaints(BaseModel):
    data: list[Complaint] | None = None


class _Counts(BaseModel):
    total: int = 0
    completed: int = 0
    failed: int = 0


class Batch(BaseModel):
    """What the server says of a batch; what it says beyond this is ignored."""

    id: str
    status: str
    created_at: float | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: _Complaints | None = None
    request_counts: _Counts | None = None
    metadata: dict[str, Any] | None = None

    @property
    def complaints(self) -> list[Complaint]:
        """Why it failed as a whole."""
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
    body: Any = None


class Row(BaseModel):
    """One line of a file of answers."""

    custom_id: str
    response: _Answer | None = None
    error: Complaint | None = None


_Document = TypeVar("_Document", bound=BaseModel)
_T = TypeVar("_T")


class BatchApi:
    """The Batch API of a server.

    Args:
        endpoint: where it is, and the key.
        patience: seconds for which a server that fails is asked again.
        pause: seconds before the first time; twice as many before each further one.
        folder: where a file of answers lies while it is read: it may be larger than the memory.

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
            self._http = Client(MAX_BODY, _LONGEST_ANSWER, follow_redirects=False)  # the key goes nowhere else
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
        return self._insist(lambda: self._ask(_File, lambda: files.create(file=(name, content), purpose="batch"))).id

    def create(self, file: str, token: str) -> str:
        """The id of a new batch that bears our token; one whose answer was lost is found, not made again."""
        batches, tried, now = self._client.batches.with_raw_response, False, time.time()

        def create() -> str | Problem:
            nonlocal tried
            if tried and (found := self.find(token, now)) is not None:
                return found
            tried = True
            batch = self._ask(
                Batch,
                lambda: batches.create(
                    input_file_id=file, endpoint=ENDPOINT, completion_window="24h", metadata={_TOKEN: token}
                ),
            )
            return batch if isinstance(batch, Problem) else batch.id

        return self._insist(create)

    def find(self, token: str, made_at: float) -> str | None:
        """The id of the batch that bears our token; None = there is none.

        Args:
            made_at: Unix time at which it was made at the earliest; the list, newest first, is read up to a day before.
        """
        batches, after = self._client.batches.with_raw_response, dict[str, Any]()
        while True:
            page = self._insist(lambda: self._ask(_Page, lambda: batches.list(limit=100, **after)))
            for batch in page.data:
                if (batch.metadata or {}).get(_TOKEN) == token:
                    return batch.id
                if batch.created_at is not None and batch.created_at < made_at - _DAY:  # a day: clocks differ
                    return None
            if not page.has_more or not page.data:
                return None
            after["after"] = page.data[-1].id

    def look(self, batch: str) -> Batch:
        """How it stands with a batch."""
        batches = self._client.batches.with_raw_response
        return self._insist(
            lambda: self._ask(Batch, lambda: batches.retrieve(batch)),
            unknown=f"{self._url} knows no {batch}. Use the key that it was submitted with, or go on without --batch",
        )

    def rows(self, file: str) -> Iterator[Row]:
        """The rows of a file of answers; lines that are none are left out."""
        files = self._client.files.with_raw_response
        with tempfile.TemporaryFile(dir=self._folder) as content:

            def save() -> bytes | Problem:
                content.seek(0)
                content.truncate()
                self._http.file = content, MAX_FILE
                try:
                    return self._carry(lambda: files.content(file))
                finally:
                    self._http.file = None

            self._insist(
                save, unknown=f"the answers ({file}) are no longer at {self._url}. Go on without --batch to ask again"
            )
            content.seek(0)
            for _, line in jsonl.numbered(_lines(content)):
                row = _read(Row, line)
                if row is not None:
                    yield row

    def _insist(self, attempt: Callable[[], _T | Problem], unknown: str = "") -> _T:
        """Try until it is answered, as long as it may pass, and for `patience` seconds at most.

        Args:
            unknown: what to tell the user where the server does not know what it is asked about.
        """
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
            pause = min(2 * pause, _LONGEST)

    def _ask(self, model: type[_Document], request: Callable[[], Any]) -> _Document | Problem:
        content = self._carry(request)
        if isinstance(content, Problem):
            return content
        document = _read(model, content)
        if document is None:
            said = shown(content.decode(errors="replace"))
            return Problem("malformed", f"not what the Batch API answers: {said}", "retry")
        return document

    def _carry(self, request: Callable[[], Any]) -> bytes | Problem:
        """One request: the body of its answer, or what is wrong. No exception leaves it that might hold the key."""
        try:
            return request().http_response.content
        except self._openai.APIStatusError as error:
            try:
                document: Any = clean(error.response.json())
            except (ValueError, RecursionError):
                document = error.response.text
            headers = {name.lower(): value for name, value in error.response.headers.items()}
            return refusal(error.status_code, document, retry_after(headers))
        except self._openai.APIError as error:  # nothing came, or not all of it
            cause = error.__cause__ or error
            return Problem("connection", f"no answer: {shown(str(cause) or type(cause).__name__)}", "retry")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is longer than an answer may be, nothing."""
    while line := file.readline(MAX_BODY + 1):
        if line.endswith(b"\n") or len(line) <= MAX_BODY:
            yield line
        else:
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_BODY + 1)
            yield b"\n"  # so that the numbers of the lines stay


def _read(model: type[_Document], content: bytes) -> _Document | None:
    """The document in JSON, without keys in it; None where it is none."""
    try:
        return model.model_validate(clean(json.loads(content)))
    except (ValueError, RecursionError):  # of pydantic's, too
        return None
