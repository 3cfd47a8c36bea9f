"""One run of the client: a fixed number of workers take calls, try each as often as it deserves, tell how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_exponential_jitter

from s2eval.errors import ServiceError
from s2eval.llm.calls import Call, Done, Failure, Outcome, Reply, Usage
from s2eval.llm.dialect import Dialect, alternative, explain
from s2eval.llm.limits import ConcurrencyLimiter, tokens
from s2eval.llm.responses import Problem, billed
from s2eval.llm.secrets import redact
from s2eval.llm.transport import send, unreachable

if TYPE_CHECKING:
    from openai import AsyncOpenAI

LONGEST = 60.0  # seconds between two attempts where the server does not say how long
GREEDY_TRIES = 2  # attempts where a greedy model wrote what is no reply: it would write the same again
FIRST_TRIES = 3  # attempts to reach a server that has never answered
MAX_CONSECUTIVE_FAILURES = 32  # after which the server is taken to be out of order
RESUME_HINT = "What was answered is kept: the same command goes on from there"


class BudgetGuard(Protocol):
    """Who pays; `budget.Budget` is one."""

    async def admit(self, call: Call) -> Any:
        """Before every attempt: set aside what it may cost, waiting for other attempts to end if need be.

        Raises:
            BudgetError: a limit would be passed.
        """
        ...

    def settle(self, reserved: Any, usage: Usage | None) -> None:
        """After every attempt, once, whatever became of it: with what `admit` gave, and the tokens that the server
        bills; None = unknown."""
        ...


class NoSuchModelError(ServiceError):
    """The server knows no such model or no such path; the client adds which it knows, as a plain ServiceError."""

    def __init__(self, message: str, model: str) -> None:
        super().__init__(message)
        self.model = model


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long is tried.

    Attributes:
        timeout: seconds that one attempt may take, until its last byte.
        attempts: per call; those that the server refuses for its rate limit do not count.
        max_wait: seconds: the longest `Retry-After` that is waited for, and the longest time for which every call may
            be refused for the rate limit.
        backoff: seconds before the second attempt; twice as many before each further one, up to `LONGEST`, and up to
            so many more by chance.
    """

    timeout: float = 120.0
    attempts: int = 8
    max_wait: float = 600.0
    backoff: float = 1.0


@dataclass(slots=True)
class _Asked:
    """A call while it is asked: when it began, attempts made, those that count against the limit."""

    call: Call
    begun: float
    made: int = 0
    failed: int = 0
    wrong: int = 0  # those at which the model wrote what is no reply


class Run:
    """What the workers of a run share; for one event loop.

    Args:
        url: the server, as it is named in messages.
        dialects: what was learned of each model; learned further here.
    """

    def __init__(
        self,
        client: AsyncOpenAI,
        url: str,
        limiter: ConcurrencyLimiter,
        policy: RetryPolicy,
        budget: BudgetGuard | None,
        dialects: dict[str, Dialect],
        done: Done,
    ) -> None:
        self._client, self._url, self._limiter, self._policy = client, url, limiter, policy
        self._budget, self._dialects, self._done = budget, dialects, done
        self._backoff = wait_exponential_jitter(policy.backoff, LONGEST, jitter=policy.backoff)
        self._workers: set[asyncio.Task[None]] = set()
        self._in_flight: set[asyncio.Task[Any] | None] = set()
        self._error: BaseException | None = None
        self._replied = time.monotonic()  # when the last reply came
        self._heard = 0.0  # when anything came
        self._consecutive_failures = 0  # calls in a row without a reply

    async def finish(self, calls: Sequence[Call], workers: int) -> None:
        """Ask all calls, with so many workers.

        Raises:
            Exception: the first that ended the run: ServiceError, BudgetError, or whatever `done` raised. Attempts that
                were in flight have ended by then, and the calls that they answered were told.
        """
        queue = iter(calls)
        self._workers = {asyncio.create_task(self._work(queue)) for _ in range(min(workers, len(calls)))}
        if not self._workers:
            return
        try:
            await asyncio.wait(self._workers)
        finally:  # interrupted: none is left behind
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
        if self._error is not None:
            raise self._error

    async def _work(self, queue: Iterator[Call]) -> None:
        try:
            for call in queue:
                outcome = await self._ask(call)
                if outcome is not None:
                    self._done(call, outcome)
                    self._count(outcome)
                if self._error is not None:
                    return
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._stop(error)
            raise

    def _stop(self, error: BaseException) -> None:
        """Nothing starts any more: whoever waits is cancelled, whoever is in flight may end."""
        if self._error is None:
            self._error = error
        for worker in self._workers - self._in_flight - {asyncio.current_task()}:
            worker.cancel()

    def _count(self, outcome: Outcome) -> None:
        if isinstance(outcome, Reply) or outcome.kind in ("refused", "empty"):
            self._consecutive_failures = 0
            return
        self._consecutive_failures += 1
        if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
            raise ServiceError(
                f"{self._url}: {self._consecutive_failures} calls in a row brought no reply, the last one:"
                f" {outcome.message}. {RESUME_HINT}"
            )

    async def _ask(self, call: Call) -> Outcome | None:
        """How the call ended; None = the run ended first."""
        asked = _Asked(call, time.monotonic())
        retrying = AsyncRetrying(
            retry=retry_if_result(lambda outcome: isinstance(outcome, Problem) and outcome.then == "retry"),
            wait=self._wait,
            stop=lambda state: self._is_over(asked, state),
            retry_error_callback=_last,
        )
        outcome = await retrying(self._attempt, asked)
        if isinstance(outcome, Reply):
            return replace(outcome, attempts=asked.made)
        if self._error is not None and outcome.then == "retry":
            return None
        return Failure(outcome.kind, redact(outcome.message), asked.made)

    def _is_over(self, asked: _Asked, state: RetryCallState) -> bool:
        if self._error is not None or asked.failed >= self._policy.attempts:
            return True
        if asked.call.temperature == 0 and asked.wrong >= GREEDY_TRIES:
            return True
        waited = time.monotonic() - asked.begun
        refused = _last(state).kind == "rate limit" and asked.made >= self._policy.attempts
        return refused and waited > self._policy.max_wait

    def _wait(self, state: RetryCallState) -> float:
        return _last(state).wait or self._backoff(state)

    async def _attempt(self, asked: _Asked) -> Reply | Problem:
        """Ask once, and at once again in another form where the server wants it so."""
        call, learned = asked.call, self._dialects.get(asked.call.model, Dialect())
        outcome = await self._once(asked, learned)
        while isinstance(outcome, Problem) and self._error is None:
            other = alternative(call, learned, outcome)
            if other is None:
                break
            second = await self._once(asked, other)
            if other.schema != learned.schema and isinstance(second, Problem) and second.then == "give up":
                break  # that form is not understood either: what was said of the first one counts
            outcome, learned = second, other
        if isinstance(outcome, Reply):
            self._dialects[call.model] = replace(learned, proven=learned.proven or call.schema is not None)
            self._replied = time.monotonic()
            return outcome
        self._weigh(asked, outcome)
        return explain(call, outcome)

    def _weigh(self, asked: _Asked, problem: Problem) -> None:
        """Count the problem against the call, or end the run for it."""
        policy, now = self._policy, time.monotonic()
        if problem.then == "end":
            message = f"{self._url}: {problem.message}"
            unknown = problem.status == 404 or "model_not_found" in problem.code
            raise NoSuchModelError(message, asked.call.model) if unknown else ServiceError(message)
        if problem.then != "retry":
            return
        if problem.wait is not None and problem.wait > policy.max_wait:
            raise ServiceError(
                f"{self._url} asks to wait {_until(problem.wait)}, longer than the {policy.max_wait:g} s that are"
                f" waited for ({problem.message}). {RESUME_HINT}"
            )
        if problem.kind == "rate limit":
            if now - self._replied > policy.max_wait:
                raise ServiceError(
                    f"{self._url} has refused every call for {policy.max_wait:g} s ({problem.message}). {RESUME_HINT}"
                )
            return
        asked.failed += 1
        asked.wrong += problem.content
        tries = policy.attempts if self._heard else min(FIRST_TRIES, policy.attempts)
        if not problem.reached and asked.failed >= tries and self._heard < asked.begun:
            raise ServiceError(unreachable(self._url, problem))

    async def _once(self, asked: _Asked, dialect: Dialect) -> Reply | Problem:
        """One attempt, when its turn comes."""
        call, budget, task = asked.call, self._budget, asyncio.current_task()
        async with self._limiter.place(tokens(call)) as ticket:
            reserved = await budget.admit(call) if budget else None
            usage: Usage | None = Usage(0, 0)  # nothing is sent yet
            try:
                await self._limiter.resumed()  # a pause may have begun while the budget was waited for
                self._in_flight.add(task)
                asked.made += 1
                usage = None  # whatever interrupts it from here, the server may bill it
                outcome = await send(self._client, call, dialect, self._policy.timeout)
                usage = billed(outcome)
            finally:
                self._in_flight.discard(task)
                if budget:
                    budget.settle(reserved, usage)
            self._adapt(outcome, ticket)
        return outcome

    def _adapt(self, outcome: Reply | Problem, ticket: int) -> None:
        """Ask faster or slower by what came."""
        if isinstance(outcome, Reply):
            self._limiter.grow()
        elif outcome.kind in ("rate limit", "timeout") or outcome.status in (503, 529):
            self._limiter.shrink(ticket)
        if isinstance(outcome, Reply) or outcome.status is not None:
            self._heard = time.monotonic()
        if isinstance(outcome, Problem) and outcome.then == "retry" and outcome.wait:
            self._limiter.pause(min(outcome.wait, self._policy.max_wait))


def _last(state: RetryCallState) -> Any:
    """What the last attempt brought."""
    return state.outcome.result() if state.outcome else None


def _until(seconds: float) -> str:
    """`until 14:05 (3600 s)`."""
    if seconds > 366 * 86400:
        return "more than a year"
    back = datetime.now().astimezone() + timedelta(seconds=seconds)
    return f"until {back:%Y-%m-%d %H:%M %Z} ({seconds:.0f} s)"
