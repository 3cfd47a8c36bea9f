"""OpenAI's Batch API as a service: half the price, answers within a day, collected by a later run.

A batch is noted in the store before it is submitted, and its id after; it bears a token of ours at the server. So a run
that was killed in between finds it there, and no call is submitted twice.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from filelock import FileLock, Timeout

from s2eval.errors import BudgetError, IncompleteError, PrerequisiteError, ServiceError
from s2eval.llm.batch_api import ENDED, ENDPOINT, Batch, BatchApi, Complaint, Row
from s2eval.llm.budget import NOTHING, Budget, Reservation
from s2eval.llm.calls import Call, Done, Failure, Outcome, Reply, Usage, renamed
from s2eval.llm.dialect import Dialect, body, explain
from s2eval.llm.endpoint import endpoint
from s2eval.llm.ledger import Ledger
from s2eval.llm.problems import Problem, refusal
from s2eval.llm.responses import billed, read_document, usage_of

MOST_CALLS, MOST_BYTES = 50_000, 200_000_000  # of one batch: OpenAI's limits
_OPENAI = Dialect(limit="max_completion_tokens")  # which all of its models accept
_QUEUE_FULL = {"token_limit_exceeded", "rate_limit_exceeded"}  # more tokens in waiting batches than an account may have
_MAX_WAIT = 600.0  # seconds for a failing server, or for another process that is submitting

_End = Callable[[Call, Outcome, Usage | None], None]


class BatchService:
    """A server with OpenAI's Batch API; a `Service`. It may be used for many runs, one at a time.

    Args:
        base_url, api_key: as of `OpenAIService`.
        ledger: the store of the calls, in which the batches are noted too.
        budget: the limits, with the prices of batches. The most that a call may cost is charged when it is submitted,
            and corrected when its batch has ended.
        dialect: the form of requests.
        wait: whether a run waits until all its batches have ended. If not, it collects those that have.
        interval: seconds between two checks of the batches.
        say: called with a sentence about each step.
        most_calls, most_bytes: of one batch.
        patience, pause: seconds for which a failing server is tried again, and before the first time.
        purse: deprecated name of `budget`.

    Raises:
        UsageError: the URL is invalid, or the key cannot be sent.
    """

    def __init__(
        self,
        base_url: str | None,
        api_key: str | None,
        ledger: Ledger,
        *,
        budget: Budget | None = None,
        dialect: Dialect = _OPENAI,
        wait: bool = True,
        interval: float = 60.0,
        say: Callable[[str], None] = lambda _: None,
        most_calls: int = MOST_CALLS,
        most_bytes: int = MOST_BYTES,
        patience: float = _MAX_WAIT,
        pause: float = 1.0,
        purse: Budget | None = None,
    ) -> None:
        self._endpoint = endpoint(base_url, api_key)
        self._ledger, self._notes = ledger, _Notes(ledger)
        self._budget = budget or renamed("purse", "budget", purse)
        self._dialect, self._wait, self._interval, self._log = dialect, wait, interval, say
        self._most_calls, self._most_bytes = most_calls, most_bytes
        self._patience, self._pause = patience, pause
        self._reserved: dict[str, Reservation] = {}

    def run(self, calls: Sequence[Call], done: Done) -> None:
        """Submit the calls that are in no open batch, and end each call when its batch has ended.

        Raises:
            ServiceError: the key is refused, the quota exhausted, the server out of reach or without a Batch API.
            BudgetError: a limit is reached; the calls submitted within it have ended.
            IncompleteError: without `wait`, where batches have not ended.
            PrerequisiteError: no key, or another process has been submitting for too long.
        """
        api = BatchApi(self._endpoint, self._patience, self._pause, self._ledger.path.parent)
        pending = {call.key: call for call in calls}

        def end(call: Call, outcome: Outcome, usage: Usage | None) -> None:
            self._settle(call, usage)
            done(call, outcome)
            del pending[call.key]

        try:
            while pending:
                limit = self._submit(api, pending, end)
                batches = [noted for noted in self._notes.open() if not pending.keys().isdisjoint(noted.keys)]
                if limit is not None and not batches:
                    raise limit
                self._collect(api, batches, pending, end)
        finally:
            in_batches = {key for batch in self._notes.open() for key in batch.keys}
            for key in [key for key in self._reserved if key not in in_batches]:
                assert self._budget is not None
                self._budget.settle(self._reserved.pop(key), NOTHING)

    # --- submitting ---

    def _submit(self, api: BatchApi, pending: dict[str, Call], end: _End) -> BudgetError | None:
        """Submit those that are in no open batch; gives the error of the budget where it kept some back."""
        path = self._ledger.path
        lock = FileLock(f"{path}.batch.lock", timeout=_MAX_WAIT) if self._ledger.shared else nullcontext()
        try:
            with lock:
                self._complete_submissions(api)
                submitted = {key for noted in self._notes.open() for key in noted.keys}
                within, limit = self._within_limits([call for key, call in pending.items() if key not in submitted])
                for lines in self._groups(within, end):
                    token = uuid.uuid4().hex
                    self._notes.plan(token, lines, self._reserved)
                    try:
                        file = api.upload(f"s2eval-{token}.jsonl", b"".join(lines.values()))
                    except ServiceError:
                        self._release(token, lines)
                        raise
                    batch = api.create(file, token)
                    self._notes.submitted(token, batch)
                    self._log(f"{batch}: {len(lines)} calls submitted")
                return limit
        except Timeout:
            raise PrerequisiteError(
                f"{path}: another process has been submitting for {_MAX_WAIT:.0f} seconds. Run the command again when"
                " it has ended"
            ) from None

    def _complete_submissions(self, api: BatchApi) -> None:
        """Find the ids of batches whose submission was broken off; those that the server lacks were not submitted."""
        for noted in self._notes.open():
            if noted.id is None:
                if (batch := api.find(noted.token, noted.made_at)) is None:
                    self._release(noted.token, noted.keys)
                else:
                    self._notes.submitted(noted.token, batch)

    def _within_limits(self, calls: list[Call]) -> tuple[list[Call], BudgetError | None]:
        if self._budget is not None:
            for number, call in enumerate(calls):
                try:
                    self._reserved[call.key] = self._budget.reserve(call)
                except BudgetError as error:
                    return calls[:number], error
        return calls, None

    def _settle(self, call: Call, usage: Usage | None) -> None:
        if self._budget is None:
            return
        noted = self._notes.take([call.key]).get(call.key)
        reserved = self._reserved.pop(call.key, None)
        if reserved is None and noted is not None:
            _, estimate, usd = noted
            reserved = self._budget.resume(call.model, self._budget.price(call), estimate, usd)
        if reserved is not None:
            self._budget.settle(reserved, usage)

    def _release(self, token: str, keys: Iterable[str]) -> None:
        """Forget a batch that was not submitted; nothing of it is billed."""
        for key, (model, estimate, usd) in self._notes.take(keys).items():
            if self._budget is not None:
                reserved = self._reserved.pop(key, None) or self._budget.resume(model, None, estimate, usd)
                self._budget.settle(reserved, NOTHING)
        self._notes.drop(token)

    def _groups(self, calls: list[Call], end: _End) -> Iterator[dict[str, bytes]]:
        """Key → line, a file at a time: of one model each, within the limits. A line that is too long has ended."""
        for model in dict.fromkeys(call.model for call in calls):
            group, size = dict[str, bytes](), 0
            for call in (call for call in calls if call.model == model):
                content = body(call, self._dialect)
                request = {"custom_id": call.key, "method": "POST", "url": ENDPOINT, "body": content}
                line = json.dumps(request).encode() + b"\n"
                if len(line) > self._most_bytes:
                    message = f"a request of {len(line)} bytes, larger than a batch may be"
                    end(call, Failure("refused", message), NOTHING)
                    continue
                if len(group) == self._most_calls or size + len(line) > self._most_bytes:
                    yield group
                    group, size = {}, 0
                group[call.key] = line
                size += len(line)
            if group:
                yield group

    # --- collecting ---

    def _collect(self, api: BatchApi, batches: list[_Noted], pending: dict[str, Call], end: _End) -> None:
        """End the calls of these batches as the batches end."""
        fatal: Problem | None = None
        while batches:
            waiting: list[_Noted] = []
            for noted in batches:
                batch = api.retrieve(noted.id or "")
                self._log(f"{batch.id}: {batch.progress}")
                if batch.status not in ENDED:
                    waiting.append(noted)
                    continue
                calls = {key: pending[key] for key in noted.keys if key in pending}
                for key, answer in _answers(api, batch, calls).items():
                    outcome = answer if isinstance(answer, Reply) else Failure(answer.kind, answer.message)
                    end(calls[key], outcome, billed(answer))
                    if isinstance(answer, Problem) and answer.then == "end":
                        fatal = fatal or answer
                self._notes.close(calls)
            if fatal is not None:
                raise ServiceError(f"{self._endpoint.url}: {fatal.message}")
            if waiting and not self._wait:
                count = sum(key in pending for noted in waiting for key in noted.keys)
                ids = ", ".join(str(noted.id) for noted in waiting)
                raise IncompleteError(
                    f"{count} calls are submitted and not answered yet ({ids}). The same command collects them"
                )
            if waiting:
                time.sleep(self._interval)
            batches = waiting


def _answers(api: BatchApi, batch: Batch, calls: dict[str, Call]) -> dict[str, Reply | Problem]:
    """Key → reply or problem of each call in a batch that has ended."""
    answers: dict[str, Reply | Problem] = {}
    for file in (batch.output_file_id, batch.error_file_id):
        for row in api.rows(file) if file else ():
            if row.custom_id in calls and not isinstance(answers.get(row.custom_id), Reply):
                answers[row.custom_id] = _answer(calls[row.custom_id], row)
    missing = _problem_of(batch)
    return {key: answers.get(key, missing) for key in calls}


def _answer(call: Call, row: Row) -> Reply | Problem:
    if row.response is None:
        error = row.error or Complaint()
        expired = error.code == "batch_expired"  # what was not answered in time is not billed
        kind = "timeout" if expired else "server"
        return Problem(kind, error.text or "a row without answer and error", "retry", free=expired)
    status, document = row.response.status_code, row.response.body
    if 200 <= status < 300:
        return read_document(call, document)
    return explain(call, replace(refusal(status, document), usage=usage_of(document)))


def _problem_of(batch: Batch) -> Problem:
    """The problem of a call for which a batch that has ended has no row."""
    if batch.status == "expired":
        return Problem("timeout", f"{batch.id} expired before this call was answered", "retry", free=True)
    if batch.status == "cancelled":
        return Problem("server", f"{batch.id} was cancelled before this call was answered", "retry")
    if batch.status == "failed":
        reasons = "; ".join(complaint.text for complaint in batch.complaints[:3]) or "no reason given"
        if any(complaint.code in _QUEUE_FULL for complaint in batch.complaints):
            message = f"{batch.id} failed: {reasons}. Ask for less at once, or go without --batch"
            return Problem("rate limit", message, "retry", free=True)
        refusals = [refusal(400, {"error": complaint.model_dump()}) for complaint in batch.complaints]
        fatal = any(problem.then == "end" for problem in refusals)
        return Problem("refused", f"{batch.id} failed: {reasons}", "end" if fatal else "give up", free=True)
    return Problem("malformed", f"{batch.id} ended without a row for this call", "retry")


# --- notes in the store ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Noted:
    """A batch with calls that have not ended; `id` is None from the plan until the server's answer is noted."""

    token: str
    id: str | None
    made_at: float
    keys: tuple[str, ...]


class _Notes:
    """The batches of a store; a call is in one open batch at most."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        with ledger.transaction() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS batches (token TEXT PRIMARY KEY, id TEXT, made_at REAL NOT NULL)"
            )
            connection.execute("CREATE TABLE IF NOT EXISTS batched (key TEXT PRIMARY KEY, token TEXT NOT NULL)")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS set_aside"  # reserved by a budget for the calls in open batches
                " (key TEXT PRIMARY KEY, model TEXT NOT NULL, estimate REAL NOT NULL, usd REAL NOT NULL)"
            )

    def open(self) -> list[_Noted]:
        with self._ledger.transaction() as connection:
            rows = connection.execute("SELECT token, id, made_at FROM batches ORDER BY made_at, token").fetchall()
            keys: dict[str, list[str]] = {}
            for key, token in connection.execute("SELECT key, token FROM batched ORDER BY key"):
                keys.setdefault(token, []).append(key)
        return [_Noted(token, batch, made_at, tuple(keys[token])) for token, batch, made_at in rows if token in keys]

    def plan(self, token: str, keys: Iterable[str], reserved: Mapping[str, Reservation]) -> None:
        rows = [(key, held.model, held.estimate, held.usd) for key in keys if (held := reserved.get(key))]
        with self._ledger.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO set_aside VALUES (?, ?, ?, ?)", rows)
            connection.execute("INSERT INTO batches (token, made_at) VALUES (?, ?)", (token, time.time()))
            connection.executemany("INSERT INTO batched VALUES (?, ?)", ((key, token) for key in keys))

    def take(self, keys: Iterable[str]) -> dict[str, tuple[str, float, float]]:
        """Key → model, estimate and USD set aside, which are no longer noted."""
        taken: dict[str, tuple[str, float, float]] = {}
        with self._ledger.transaction() as connection:
            for key in keys:
                row = connection.execute("SELECT model, estimate, usd FROM set_aside WHERE key = ?", (key,)).fetchone()
                if row:
                    taken[key] = row
                    connection.execute("DELETE FROM set_aside WHERE key = ?", (key,))
        return taken

    def submitted(self, token: str, batch: str) -> None:
        with self._ledger.transaction() as connection:
            connection.execute("UPDATE batches SET id = ? WHERE token = ?", (batch, token))

    def drop(self, token: str) -> None:
        with self._ledger.transaction() as connection:
            connection.execute("DELETE FROM batched WHERE token = ?", (token,))
            connection.execute("DELETE FROM batches WHERE token = ?", (token,))

    def close(self, keys: Iterable[str]) -> None:
        with self._ledger.transaction() as connection:
            connection.executemany("DELETE FROM batched WHERE key = ?", ((key,) for key in keys))
