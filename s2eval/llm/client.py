"""The client for OpenAI-compatible servers: many calls at once, retried where that may help.

The SDK only carries bytes. `responses` reads answers, `dialect` writes requests, `limits` sets the pace, `retries`
tries again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from s2eval.errors import ServiceError, UsageError, nearest
from s2eval.llm.calls import Call, Done, renamed
from s2eval.llm.dialect import Dialect
from s2eval.llm.endpoint import endpoint
from s2eval.llm.limits import ConcurrencyLimiter, tokens
from s2eval.llm.problems import Problem
from s2eval.llm.responses import parse
from s2eval.llm.retries import FIRST_TRIES, NoSuchModelError, RetryPolicy, Run
from s2eval.llm.secrets import shown
from s2eval.llm.served import same_family
from s2eval.llm.transport import MAX_BODY, connect, fetch, unreachable

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from s2eval.llm.budget import Budget

LIST_TIMEOUT = 20.0  # seconds for a list of models
_ANY_NAME = {"llamacpp", "me"}  # `owned_by` of llama.cpp and llama-cpp-python, which serve one model by any name
_SCOPE = re.compile(r"scope|permission", re.IGNORECASE)  # of a key that may call models, and not list them


class OpenAIService:
    """A server with OpenAI's chat API; a `Service`. It may be used for many runs, one at a time.

    Args:
        base_url: None = environment variable OPENAI_BASE_URL, else OpenAI's. A user and password in it are sent in
            place of the key.
        api_key: None = environment variable OPENAI_API_KEY; a server on this machine or network needs none.
        max_in_flight: calls at once; half of it at first.
        timeout: seconds for one attempt, until its last byte.
        attempts: per call, those refused for the rate limit apart.
        requests_per_minute, tokens_per_minute: None = no limit but the server's.
        budget: reserves the cost of each attempt beforehand and settles it afterwards; None = no limits.
        max_wait: seconds: the longest `Retry-After` that is waited for, and the longest time for which the server may
            refuse every call for its rate limit.
        backoff: seconds before the second attempt.
        minute: seconds that a minute of the two limits lasts.
        max_body: bytes of an answer at most, unpacked; a larger one is malformed.
        purse: deprecated name of `budget`.

    Raises:
        UsageError: an argument is out of range, the URL is invalid, the key cannot be sent.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        max_in_flight: int = 32,
        timeout: float = 120.0,
        attempts: int = 8,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        budget: Budget | None = None,
        max_wait: float = 600.0,
        backoff: float = 1.0,
        minute: float = 60.0,
        max_body: int = MAX_BODY,
        purse: Budget | None = None,
    ) -> None:
        positive = {
            "max_in_flight": max_in_flight,
            "attempts": attempts,
            "timeout": timeout,
            "max_body": max_body,
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
        }
        for name, value in positive.items():
            if value is not None and not value > 0:
                raise UsageError(f"{name} must be above 0, not {value}")
        self._endpoint = endpoint(base_url, api_key)
        self._policy = RetryPolicy(timeout, attempts, max_wait, backoff)
        self._most, self._budget, self._minute = max_in_flight, budget or renamed("purse", "budget", purse), minute
        self._requests, self._tokens = requests_per_minute, tokens_per_minute
        self._max_body, self._takes_any_name = max_body, False
        self._limiter: ConcurrencyLimiter | None = None
        self._dialects: dict[str, Dialect] = {}

    @property
    def url(self) -> str:
        """The base URL without user and password."""
        return self._endpoint.url

    def name(self, model: str) -> str:
        """For `Call.service`: the model and who serves it."""
        return f"openai:{model}@{self.url}"

    def run(self, calls: Sequence[Call], done: Done) -> None:
        """Make all; `done` is called once for each as it ends, in any order, in the calling thread.

        When the run ends early, no call starts any more and those in flight may end; `done` is not called for those
        that wait for another attempt.

        Raises:
            ServiceError: the server will answer no call: key refused, quota exhausted, no such model, out of reach, a
                `Retry-After` beyond `max_wait`.
            BudgetError: of the budget.
            PrerequisiteError: no key.
            UsageError: a call is larger than `tokens_per_minute`; no call is made then.
            KeyboardInterrupt: calls in flight are dropped.
        """
        for call in calls if self._tokens else ():
            if (size := tokens(call)) > (self._tokens or size):
                raise UsageError(
                    f"a call of about {size} tokens ({call.max_tokens} of them for the reply) is more than"
                    f" {self._tokens} tokens a minute allow: raise that limit, or lower the reply's"
                )
        _not_inside_a_loop()
        asyncio.run(self._run(calls, done))

    async def _run(self, calls: Sequence[Call], done: Done) -> None:
        self._limiter = ConcurrencyLimiter(
            self._most,
            requests_per_minute=self._requests,
            tokens_per_minute=self._tokens,
            minute=self._minute,
            before=self._limiter,
        )
        missing: NoSuchModelError | None = None
        async with self._connect() as client:
            run = Run(client, self.url, self._limiter, self._policy, self._budget, self._dialects, done)
            try:
                await run.finish(calls, self._most)
            except NoSuchModelError as error:
                missing = error
            if missing is not None:
                served = await self._list(client, self._policy.timeout)
                if isinstance(served, Problem) or missing.model in served:
                    raise ServiceError(str(missing))
                raise ServiceError(f"{missing}{_suggestion(missing.model, served)}")

    def models(self) -> list[str]:
        """The models that the server lists; empty where it has no list.

        Raises:
            ServiceError: out of reach, the key is refused, or not an OpenAI-compatible server.
            PrerequisiteError: no key.
        """
        most = self._policy.max_wait
        served = self._served(
            self._policy.timeout, lambda problem: problem.then == "retry" and (problem.wait or 0) <= most
        )
        if isinstance(served, list):
            return served
        raise ServiceError(f"{self.url}: {served.message}" if served.reached else unreachable(self.url, served))

    def check(self, *models: str) -> None:
        """Check without a call that costs, by the server's list of models, whether these models can be called.

        A server without a list, or that does not give it to this key, passes.

        Raises:
            ServiceError: out of reach, the key is refused, or the list has models and lacks one of these.
            PrerequisiteError: no key.
        """
        served = self._served(min(self._policy.timeout, LIST_TIMEOUT), lambda problem: not problem.reached)
        if isinstance(served, list):
            for model in models if served and not self._takes_any_name else ():
                if not any(same_family(model, name) for name in served):
                    raise ServiceError(f"{self.url} does not serve {model!r}.{_suggestion(model, served)}")
        elif not served.reached:
            raise ServiceError(unreachable(self.url, served))
        elif served.status == 401 and not _SCOPE.search(served.message):
            raise ServiceError(f"{self.url}: {served.message}")

    def _served(self, timeout: float, may_pass: Callable[[Problem], bool]) -> list[str] | Problem:
        """The server's list of models, requested again after a problem that may pass."""

        async def request() -> list[str] | Problem:
            async with self._connect() as client:
                served: list[str] | Problem = []
                for attempt in range(min(FIRST_TRIES, self._policy.attempts)):
                    if isinstance(served, Problem):
                        await asyncio.sleep(served.wait or self._policy.backoff * 2 ** (attempt - 1))
                    served = await self._list(client, timeout)
                    if isinstance(served, list) or not may_pass(served):
                        break
            return served

        _not_inside_a_loop()
        return asyncio.run(request())

    async def _list(self, client: AsyncOpenAI, timeout: float) -> list[str] | Problem:
        answer = await fetch(client, "/models", None, timeout)
        if isinstance(answer, Problem):
            return answer
        document = parse(*answer)
        if isinstance(document, Problem):
            return [] if document.status in (404, 405, 501) else document
        rows = document.get("data") if isinstance(document, dict) else document
        if not isinstance(rows, list):
            advice = "This is no OpenAI-compatible server, or not its base URL, which usually ends in /v1"
            return Problem("malformed", f"no list of models at /models. {advice}.", "end")
        rows = [row for row in rows if isinstance(row, dict)]
        self._takes_any_name = any(row.get("owned_by") in _ANY_NAME for row in rows)
        names = (row.get("id") for row in rows)
        return [shown(name) for name in names if isinstance(name, str)]

    def _connect(self) -> AsyncOpenAI:
        return connect(self._endpoint, self._policy.timeout, self._most, self._max_body)


def _suggestion(model: str, served: Sequence[str]) -> str:
    if not served:
        return ""
    close = nearest(model, served)
    return f" Did you mean {close!r}?" if close else f" It serves {', '.join(sorted(served)[:10])}."


def _not_inside_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "an event loop runs in this thread (a notebook's?), so the client cannot; call it in a thread:"
        " `await asyncio.to_thread(service.run, calls, done)`"
    )
