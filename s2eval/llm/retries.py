"""One run of the client: a fixed number of workers take calls and try each until it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_exponential_jitter

from s2eval.errors import ServiceError
from s2eval.llm.calls import Call, Done, Failure, Outcome, Reply, Usage
from s2eval.llm.dialect import Dialect, alternative, explain
from s2eval.llm.limits import ConcurrencyLimiter, tokens
from s2eval.llm.problems import Problem
from s2eval.llm.responses import billed
from s2eval.llm.secrets import redact
from s2eval.llm.transport import send, unreachable

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from s2eval.llm.budget import Budget

LONGEST = 60.0  # seconds between two attempts where the server does not say how long
GREEDY_TRIES = 2  # attempts where a greedy model's text is no reply: it would write the same again
FIRST_TRIES = 3  # attempts to reach a server that has never answered
MAX_CONSECUTIVE_FAILURES = 32  # after which the server counts as out of order
RESUME_HINT = "What was answered is kept: the same command goes on from there"


class NoSuchModelError(ServiceError):
    """The server has no such model or path; the client adds the models that it has, as a plain ServiceError."""

    def __init__(self, message: str, model: str) -> None:
        super().__init__(message)
        self.model = model


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a call is tried; as the arguments of `OpenAIService`.

    The `backoff` doubles with each attempt up to `LONGEST`, with up to `backoff` seconds more at random.
    """

    timeout: float = 120.0
    attempts: int = 8
    max_wait: float = 600.0
    backoff: float = 1.0


@dataclass(slots=True)
class _Tries:
    """The attempts at a call so far: all, those that count against the limit, those with a text that is no reply."""

    call: Call
    begun: float
    sent: int = 0
    failed: int = 0
    wrong: int = 0


class Run:
    """The state that the workers of a run share; for one event loop. `dialects` is what was learned of each model."""

    def __init__(
        self,
        client: AsyncOpenAI,
        url: str,
        limiter: ConcurrencyLimiter,
        policy: RetryPolicy,
        budget: Budget | None,
        dialects: dict[str, Dialect],
        done: Done,
    ) -> None:
        self._client, self._url, self._limiter, self._policy = client, url, limiter, policy
        self._budget, self._dialects, self._done = budget, dialects, done
        self._backoff = wait_exponential_jitter(policy.backoff, LONGEST, jitter=policy.backoff)
        self._workers: set[asyncio.Task[None]] = set()
        self._in_flight = set[asyncio.Task[object] | None]()
        self._error: BaseException | None = None
        self._last_reply = time.monotonic()
        self._last_answer = 0.0  # a reply or an error status
        self._consecutive_failures = 0

    async def finish(self, calls: Sequence[Call], workers: int) -> None:
        """Make all calls, with so many workers.

        Raises:
            Exception: the first that ended the run: ServiceError, BudgetError, or an exception of `done`. Attempts in
                flight have ended by then, and `done` was called for those that were answered.
        """
        queue = iter(calls)
        self._workers = {asyncio.create_task(self._work(queue)) for _ in range(min(workers, len(calls)))}
        if not self._workers:
            return
        try:
            await asyncio.wait(self._workers)
        finally:  # also when interrupted
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
        if self._error is not None:
            raise self._error

    async def _work(self, queue: Iterator[Call]) -> None:
        try:
            for call in queue:
                outcome = await self._outcome(call)
                if outcome is not None:
                    self._done(call, outcome)
                    self._check_failures(outcome)
                if self._error is not None:
                    return
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # no attempt starts any more; those in flight may end
            self._error = self._error or error
            for worker in self._workers - self._in_flight - {asyncio.current_task()}:
                worker.cancel()
            raise

    def _check_failures(self, outcome: Outcome) -> None:
        if isinstance(outcome, Reply) or outcome.kind in ("refused", "empty"):
            self._consecutive_failures = 0
            return
        self._consecutive_failures += 1
        if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
            raise ServiceError(
                f"{self._url}: {self._consecutive_failures} calls in a row brought no reply, the last one:"
                f" {outcome.message}. {RESUME_HINT}"
            )

    async def _outcome(self, call: Call) -> Outcome | None:
        """How the call ended; None = the run ended first."""
        tries = _Tries(call, time.monotonic())

        def is_over(state: RetryCallState) -> bool:
            if self._error is not None or tries.failed >= self._policy.attempts:
                return True
            if call.temperature == 0 and tries.wrong >= GREEDY_TRIES:
                return True
            limited = _problem(state).kind == "rate limit" and tries.sent >= self._policy.attempts
            return limited and time.monotonic() - tries.begun > self._policy.max_wait

        retrying = AsyncRetrying(
            retry=retry_if_result(lambda outcome: isinstance(outcome, Problem) and outcome.then == "retry"),
            wait=lambda state: _problem(state).wait or self._backoff(state),
            stop=is_over,
            retry_error_callback=_problem,
        )
        outcome: Reply | Problem = await retrying(self._attempt, tries)
        if isinstance(outcome, Reply):
            return replace(outcome, attempts=tries.sent)
        if self._error is not None and outcome.then == "retry":
            return None
        return Failure(outcome.kind, redact(outcome.message), tries.sent)

    async def _attempt(self, tries: _Tries) -> Reply | Problem:
        """One attempt, and at once another one in another form where the server requires it."""
        call, learned = tries.call, self._dialects.get(tries.call.model, Dialect())
        outcome = await self._request(tries, learned)
        while isinstance(outcome, Problem) and self._error is None:
            other = alternative(call, learned, outcome)
            if other is None:
                break
            second = await self._request(tries, other)
            if other.schema != learned.schema and isinstance(second, Problem) and second.then == "give up":
                break  # that form is not understood either: the message about the first one counts
            outcome, learned = second, other
        if isinstance(outcome, Reply):
            self._dialects[call.model] = replace(learned, proven=learned.proven or call.schema is not None)
            self._last_reply = time.monotonic()
            return outcome
        self._check(tries, outcome)
        return explain(call, outcome)

    def _check(self, tries: _Tries, problem: Problem) -> None:
        """Count the problem against the call; raise a ServiceError where it ends the run."""
        policy, now = self._policy, time.monotonic()
        if problem.then == "end":
            message = f"{self._url}: {problem.message}"
            unknown = problem.status == 404 or "model_not_found" in problem.code
            raise NoSuchModelError(message, tries.call.model) if unknown else ServiceError(message)
        if problem.then != "retry":
            return
        if problem.wait is not None and problem.wait > policy.max_wait:
            raise ServiceError(
                f"{self._url} asks to wait {_until(problem.wait)}, longer than the {policy.max_wait:g} s that are"
                f" waited for ({problem.message}). {RESUME_HINT}"
            )
        if problem.kind == "rate limit":
            if now - self._last_reply > policy.max_wait:
                raise ServiceError(
                    f"{self._url} has refused every call for {policy.max_wait:g} s ({problem.message}). {RESUME_HINT}"
                )
            return
        tries.failed += 1
        tries.wrong += problem.content
        most = policy.attempts if self._last_answer else min(FIRST_TRIES, policy.attempts)
        if not problem.reached and tries.failed >= most and self._last_answer < tries.begun:
            raise ServiceError(unreachable(self._url, problem))

    async def _request(self, tries: _Tries, dialect: Dialect) -> Reply | Problem:
        """One request, when its turn comes; its outcome makes the limiter faster or slower."""
        call, budget, task = tries.call, self._budget, asyncio.current_task()
        async with self._limiter.place(tokens(call)) as ticket:
            reserved = await budget.admit(call) if budget else None
            usage: Usage | None = Usage(0, 0)  # nothing is sent yet
            try:
                await self._limiter.resumed()  # a pause may have begun during the wait for the budget
                self._in_flight.add(task)
                tries.sent += 1
                usage = None  # if interrupted from here on, the server may bill it
                outcome = await send(self._client, call, dialect, self._policy.timeout)
                usage = billed(outcome)
            finally:
                self._in_flight.discard(task)
                if budget and reserved:
                    budget.settle(reserved, usage)
            if isinstance(outcome, Reply):
                self._limiter.grow()
                self._last_answer = time.monotonic()
                return outcome
            if outcome.kind in ("rate limit", "timeout") or outcome.status in (503, 529):
                self._limiter.shrink(ticket)
            if outcome.status is not None:
                self._last_answer = time.monotonic()
            if outcome.then == "retry" and outcome.wait:
                self._limiter.pause(min(outcome.wait, self._policy.max_wait))
            return outcome


def _problem(state: RetryCallState) -> Problem:
    """The problem of the last attempt."""
    assert state.outcome is not None
    return state.outcome.result()


def _until(seconds: float) -> str:
    """`until 14:05 (3600 s)`."""
    if seconds > 366 * 86400:
        return "more than a year"
    end = datetime.now().astimezone() + timedelta(seconds=seconds)
    return f"until {end:%Y-%m-%d %H:%M %Z} ({seconds:.0f} s)"
