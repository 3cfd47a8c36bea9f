"""The SDK's HTTP clients with a limit on the body of an answer, packed and unpacked; they return complete answers.

This module imports the SDK: it is imported where a client is made.
"""

from __future__ import annotations

import time
from typing import Any, BinaryIO

import httpx2
import openai

MAX_ERROR = 2**16  # bytes of an error page that are read
_UNPACKED = ("content-encoding", "content-length", "transfer-encoding")


class BodyTooLargeError(httpx2.DecodingError):
    """The body is larger than the limit in bytes; the connection is closed."""

    def __init__(self, limit: int, request: httpx2.Request) -> None:
        super().__init__(f"a body of more than {limit / 2**20:g} MB", request=request)


class _Body:
    """An answer while its body is read."""

    def __init__(self, response: httpx2.Response, limit: int) -> None:
        self._response, self._limit = response, limit
        self._error = response.status_code >= 300
        self._content = bytearray()

    def add(self, chunk: bytes) -> bool:
        """Add a chunk; False = of an error, enough has been read. Raises a BodyTooLargeError."""
        self._content += chunk
        if self._error and len(self._content) >= MAX_ERROR:
            del self._content[MAX_ERROR:]
            return False
        if max(len(self._content), self._response.num_bytes_downloaded) > self._limit:
            raise BodyTooLargeError(self._limit, self._response.request)
        return True

    def complete(self) -> httpx2.Response:
        """The answer with its body, unpacked."""
        response = self._response
        headers = [(name, value) for name, value in response.headers.raw if name.decode().lower() not in _UNPACKED]
        answer = httpx2.Response(
            response.status_code,
            headers=headers,
            content=bytes(self._content),
            request=response.request,
            extensions=response.extensions,
        )
        self._content.clear()
        return answer


class AsyncClient(openai.DefaultAsyncHttpxClient):
    """The SDK's asynchronous client; no body that it returns has more than `limit` bytes, unpacked."""

    def __init__(self, limit: int, **options: Any) -> None:
        super().__init__(**options)
        self._limit = limit

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """As the SDK's, but the answer is read to its end, with `stream` too."""
        del stream
        response = await super().send(request, stream=True, **options)
        body = _Body(response, self._limit)
        try:
            async for chunk in response.aiter_bytes():
                if not body.add(chunk):
                    break
        finally:
            await response.aclose()
        return body.complete()


class Client(openai.DefaultHttpxClient):
    """The same, one request after the other; each ends within `seconds`.

    The body of the next answers goes, unpacked, to `file` where it is set, up to so many bytes.
    """

    def __init__(self, limit: int, seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._limit, self._seconds = limit, seconds
        self.file: tuple[BinaryIO, int] | None = None

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """As the SDK's, but the answer is read to its end, with `stream` too."""
        del stream
        end = time.monotonic() + self._seconds
        response = super().send(request, stream=True, **options)
        body = _Body(response, self._limit)
        file, limit = self.file if self.file and response.status_code == 200 else (None, 0)
        size = 0
        try:
            for chunk in response.iter_bytes():
                if time.monotonic() > end:
                    raise httpx2.ReadTimeout("the answer does not end", request=response.request)
                if file is not None:
                    size += file.write(chunk)
                    if max(size, response.num_bytes_downloaded) > limit:
                        raise BodyTooLargeError(limit, response.request)
                elif not body.add(chunk):
                    break
        finally:
            response.close()
        return body.complete()
