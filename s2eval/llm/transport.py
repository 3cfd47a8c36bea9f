"""Bytes to a server and back, by the OpenAI SDK; an error below HTTP becomes a `Problem`.

No exception of the SDK leaves this module: it holds the request, and with it the key.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from s2eval.llm import proxies
from s2eval.llm.calls import Call, Reply
from s2eval.llm.dialect import Dialect, body
from s2eval.llm.endpoint import Endpoint
from s2eval.llm.problems import Problem
from s2eval.llm.responses import read
from s2eval.llm.secrets import guard_logs, shown

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_CONNECT = 20.0  # seconds for a connection, where the timeout is longer
MAX_BODY = 16 * 2**20  # bytes of an answer, unpacked: a hundred times a model's longest reply


def connect(endpoint: Endpoint, timeout: float, connections: int, max_body: int = MAX_BODY) -> AsyncOpenAI:
    """The SDK's client, without its retries; its logs have no keys from now on.

    Args:
        timeout: seconds between two bytes.
        connections: kept open at most.
        max_body: bytes of an answer at most, unpacked.

    Raises:
        PrerequisiteError: no key, or a proxy of the environment cannot be used.
    """
    import httpx2
    import openai

    from s2eval.llm.bodies import AsyncClient

    key, headers = endpoint.credentials()
    guard_logs()
    with proxies.explained():
        http_client = AsyncClient(
            max_body,
            follow_redirects=False,  # a POST would turn into a GET, and the key might go elsewhere
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=connections),
        )
    return openai.AsyncOpenAI(
        api_key=key,
        base_url=endpoint.url,
        default_headers=headers,
        max_retries=0,
        timeout=httpx2.Timeout(timeout, connect=min(timeout, _CONNECT)),
        http_client=http_client,
    )


async def send(client: AsyncOpenAI, call: Call, dialect: Dialect, timeout: float) -> Reply | Problem:
    """One request for a reply; `timeout` in seconds until the last byte."""
    content = json.dumps(body(call, dialect)).encode()  # ASCII: any text, also half a character, is sent
    started = time.monotonic()
    answer = await fetch(client, "/chat/completions", content, timeout)
    if isinstance(answer, Problem):
        return answer
    outcome = read(call, *answer)
    return replace(outcome, seconds=time.monotonic() - started) if isinstance(outcome, Reply) else outcome


async def fetch(
    client: AsyncOpenAI, path: str, content: bytes | None, timeout: float
) -> tuple[int, dict[str, str], bytes] | Problem:
    """Status, headers by lower-case name, and body of an answer of any status; `content` None = GET."""
    import httpx2
    import openai

    from s2eval.llm.bodies import BodyTooLargeError

    timed_out = Problem("timeout", f"no complete answer within {timeout:g} s", "retry")
    try:
        async with asyncio.timeout(timeout):
            if content is None:
                response = await client.get(path, cast_to=httpx2.Response)
            else:
                response = await client.post(path, cast_to=httpx2.Response, content=content)
    except openai.APIStatusError as error:
        response = error.response
    except openai.APIConnectionError as error:
        cause = error.__cause__
        reason = shown(str(cause) or type(cause).__name__)
        if isinstance(cause, BodyTooLargeError):
            return Problem("malformed", reason, "retry")
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
            return Problem("connection", f"no connection: {reason}", "retry", reached=False, free=True)
        if isinstance(cause, httpx2.TimeoutException):
            return timed_out
        if isinstance(cause, httpx2.DecodingError):
            return Problem("malformed", f"a body that cannot be decompressed: {reason}", "retry")
        return Problem("connection", f"the connection broke: {reason}", "retry")
    except TimeoutError:
        return timed_out
    headers = {name.lower(): value for name, value in response.headers.items()}
    return response.status_code, headers, response.content


def unreachable(url: str, problem: Problem) -> str:
    """The message about a server that cannot be reached."""
    return (
        f"{url} cannot be reached{proxies.through(url)} ({problem.message}). Check the base URL, the network and that"
        " the server runs, then run the same command again"
    )
