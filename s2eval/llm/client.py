"""The client for OpenAI-compatible servers: many calls at once, again where that may help, and never a reply made up.

The SDK only carries bytes here: it retries nothing and reads nothing into them. What an answer means is decided in
`responses`, in which form is asked in `dialect`, how fast in `limits`, how often in `attempts`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s2eval.errors import ServiceError, UsageError, nearest
from s2eval.llm.calls import Call, Done, renamed
from s2eval.llm.dialect import Dialect
from s2eval.llm.endpoint import endpoint
from s2eval.llm.limits import ConcurrencyLimiter, tokens
from s2eval.llm.responses import Problem, parse
from s2eval.llm.retries import FIRST_TRIES, BudgetGuard, NoSuchModelError, RetryPolicy, Run
from s2eval.llm.secrets import shown
from s2eval.llm.served import same_family
from s2eval.llm.transport import MAX_BODY, connect, fetch, unreachable

if TYPE_CHECKING:
    from openai import AsyncOpenAI

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
        attempts: per call. Those refused for the rate limit do not count: they say nothing about the call.
        requests_per_minute, tokens_per_minute: None = as fast as the server takes it.
        budget: reserves the cost of each attempt beforehand and settles it afterwards; None = no limits.
        max_wait: seconds: the longest `Retry-After` that is waited for, and the longest time for which the server may
            refuse every call for its rate limit.
        backoff: seconds before the second attempt.
        minute: seconds that a minute of the two limits lasts.
        max_body: bytes of an answer at most, unpacked; a larger one is malformed.
        purse: deprecated name of `budget`.

    Raises:
        UsageError: an argument is out of range, the URL is none, the key cannot be sent.
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
        budget: BudgetGuard | None = None,
        max_wait: float = 600.0,
        backoff: float = 1.0,
        minute: float = 60.0,
        max_body: int = MAX_BODY,
        purse: BudgetGuard | None = None,
    ) -> None:
        for name, value in (
            ("max_in_flight", max_in_flight),
            ("attempts", attempts),
            ("timeout", timeout),
            ("max_body", max_body),
            ("requests_per_minute", requests_per_minute),
            ("tokens_per_minute", tokens_per_minute),
        ):
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
        """Ask all; `done` is called once for each as it ends, in any order, in the calling thread.

        When the run ends early, no call starts any more, those in flight may end and are told, those that wait for
        another attempt are not.

        Raises:
            ServiceError: the server answers nothing more: key refused, quota exhausted, no such model, out of reach,
                a `Retry-After` beyond `max_wait`.
            BudgetError: of the budget.
            PrerequisiteError: no key.
            UsageError: a call is larger than `tokens_per_minute`; none was asked then.
            KeyboardInterrupt: calls in flight are dropped.
            Exception: whatever `done` raised.
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
                raise ServiceError(f"{missing}{await self._known(client, missing.model)}")

    def models(self) -> list[str]:
        """What the server says it serves; empty where it has no such list. A check before the first call that costs.

        Raises:
            ServiceError: out of reach, the key is refused, or it is no OpenAI-compatible server.
            PrerequisiteError: no key.
        """
        _not_inside_a_loop()
        return asyncio.run(self._models())

    def check(self, *models: str) -> None:
        """Whether these models can be asked, as far as that is known without a call that costs: by one list of models.

        A server without such a list, or that does not give it to this key, is not refused.

        Raises:
            ServiceError: out of reach, the key is refused, or the list has models and lacks one of these.
            PrerequisiteError: no key.
        """
        _not_inside_a_loop()
        asyncio.run(self._check(models))

    async def _check(self, models: Sequence[str]) -> None:
        async with self._connect() as client:
            found: list[str] | Problem = []
            for attempt in range(min(FIRST_TRIES, self._policy.attempts)):
                await asyncio.sleep(self._policy.backoff * 2 ** (attempt - 1) if attempt else 0)
                found = await self._list(client, min(self._policy.timeout, LIST_TIMEOUT))
                if isinstance(found, list) or found.reached:
                    break
        if isinstance(found, list):
            for model in models if found and not self._takes_any_name else ():
                if not any(same_family(model, name) for name in found):
                    raise ServiceError(f"{self.url} does not serve {model!r}.{_suggestion(model, found)}")
        elif not found.reached:
            raise ServiceError(unreachable(self.url, found))
        elif found.status == 401 and not _SCOPE.search(found.message):
            raise ServiceError(f"{self.url}: {found.message}")

    async def _models(self) -> list[str]:
        async with self._connect() as client:
            found: list[str] | Problem = []
            for attempt in range(min(FIRST_TRIES, self._policy.attempts)):
                if isinstance(found, Problem):
                    await asyncio.sleep(found.wait or self._policy.backoff * 2 ** (attempt - 1))
                found = await self._list(client)
                if isinstance(found, list):
                    return found
                if found.then != "retry" or (found.wait or 0) > self._policy.max_wait:
                    break
        assert isinstance(found, Problem)
        raise ServiceError(f"{self.url}: {found.message}" if found.reached else unreachable(self.url, found))

    async def _list(self, client: AsyncOpenAI, timeout: float | None = None) -> list[str] | Problem:
        came = await fetch(client, "/models", None, timeout or self._policy.timeout)
        if isinstance(came, Problem):
            return came
        document = parse(*came)
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

    async def _known(self, client: AsyncOpenAI, model: str) -> str:
        """` It serves …` for the message about a model that is not there; empty where that is not known."""
        found = await self._list(client)
        return "" if isinstance(found, Problem) or model in found else _suggestion(model, found)

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
