"""OpenAI's Batch API as a service: half the price, an answer within a day, collected by whichever run comes back.

A batch is noted in the store before it is submitted, and its id after; it bears a token of ours at the server. So a run
that was killed in between finds it there, and no call is submitted twice.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
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
_OPENAI = Dialect(limit="max_completion_tokens")  # what all of its models take
_QUEUE_FULL = {"token_limit_exceeded", "rate_limit_exceeded"}  # more tokens in waiting batches than an account may have
_PATIENCE = 600.0  # seconds that the server, or another process that is submitting, may keep us waiting


_End = Callable[[Call, Outcome, Usage | None], None]


class BatchService:
    """A server with OpenAI's Batch API; a `Service`. It may be used for many runs, one at a time.

    Args:
        base_url, api_key: as of `OpenAIService`.
        ledger: the store of the calls, in which the batches are noted, too.
        budget: the limits, with the prices of batches. What a call may cost is charged when it is submitted, and
            corrected when its batch has ended.
        dialect: how the models want to be asked.
        wait: whether a run waits until all its batches have ended. If not, it collects those that have.
        interval: seconds between two looks at the batches.
        say: told in a sentence what happens.
        most_calls, most_bytes: of one batch.
        patience, pause: seconds for which a server that fails is asked again, and before the first time.
        purse: deprecated name of `budget`.

    Raises:
        UsageError: the URL is none, or the key cannot be sent.
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
        patience: float = _PATIENCE,
        pause: float = 1.0,
        purse: Budget | None = None,
    ) -> None:
        self._endpoint = endpoint(base_url, api_key)
        self._ledger, self._notes = ledger, _Notes(ledger)
        self._budget = budget or renamed("purse", "budget", purse)
        self._dialect, self._wait, self._interval, self._say = dialect, wait, interval, say
        self._most_calls, self._most_bytes = most_calls, most_bytes
        self._patience, self._pause = patience, pause
        self._reserved: dict[str, Reservation] = {}

    def run(self, calls: Sequence[Call], done: Done) -> None:
        """Submit what is in no open batch, wait for all, and tell each call when its batch has ended.

        Raises:
            ServiceError: the key is refused, the quota exhausted, the server out of reach or without a Batch API.
            BudgetError: a limit is reached; what was submitted within it has been told.
            IncompleteError: without `wait`, where batches have not ended.
            PrerequisiteError: no key, or another process is submitting and does not end.
        """
        api = BatchApi(self._endpoint, self._patience, self._pause, self._ledger.path.parent)
        left = {call.key: call for call in calls}

        def end(call: Call, outcome: Outcome, usage: Usage | None) -> None:
            self._settle(call, usage)
            done(call, outcome)
            del left[call.key]

        try:
            while left:
                limit = self._submit(api, left, end)
                batches = [noted for noted in self._notes.open() if not left.keys().isdisjoint(noted.keys)]
                if limit is not None and not batches:
                    raise limit
                self._collect(api, batches, left, end)
        finally:
            self._give_back()

    # --- submitting ---

    def _submit(self, api: BatchApi, left: dict[str, Call], end: _End) -> BudgetError | None:
        """Submit those that are in no open batch; gives the error of the budget where it kept some back."""
        try:
            with self._lock():
                self._settle_plans(api)
                there = {key for noted in self._notes.open() for key in noted.keys}
                within, limit = self._within_limits([call for key, call in left.items() if key not in there])
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
                    self._say(f"{batch}: {len(lines)} calls submitted")
                return limit
        except Timeout:
            raise PrerequisiteError(
                f"{self._ledger.path}: another process has been submitting for {_PATIENCE:.0f} seconds. Run the command"
                " again when it has ended"
            ) from None

    def _lock(self) -> AbstractContextManager[object]:
        """Held while a process submits; a store in memory has no other process."""
        if not self._ledger.shared:
            return nullcontext()
        return FileLock(f"{self._ledger.path}.batch.lock", timeout=_PATIENCE)

    def _settle_plans(self, api: BatchApi) -> None:
        """Of batches whose submission was broken off, find the id; what is not at the server was not submitted."""
        for noted in self._notes.open():
            if noted.id is not None:
                continue
            found = api.find(noted.token, noted.made_at)
            if found is None:
                self._release(noted.token, noted.keys)
            else:
                self._notes.submitted(noted.token, found)

    def _within_limits(self, calls: list[Call]) -> tuple[list[Call], BudgetError | None]:
        for number, call in enumerate(calls if self._budget else ()):
            assert self._budget is not None
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
        """Forget a batch of which nothing was submitted, so that nothing is billed."""
        for key, (model, estimate, usd) in self._notes.take(keys).items():
            if self._budget is not None:
                reserved = self._reserved.pop(key, None) or self._budget.resume(model, None, estimate, usd)
                self._budget.settle(reserved, NOTHING)
        self._notes.drop(token)

    def _give_back(self) -> None:
        """What was reserved for calls that are in no batch."""
        noted = {key for batch in self._notes.open() for key in batch.keys}
        for key in [key for key in self._reserved if key not in noted]:
            assert self._budget is not None
            self._budget.settle(self._reserved.pop(key), NOTHING)

    def _groups(self, calls: list[Call], end: _End) -> Iterator[dict[str, bytes]]:
        """Key → line, a file at a time: of one model each, within the limits. A line that is too long has ended."""
        for model in dict.fromkeys(call.model for call in calls):
            group, size = dict[str, bytes](), 0
            for call in (call for call in calls if call.model == model):
                line = self._line(call)
                if len(line) > self._most_bytes:
                    end(
                        call, Failure("refused", f"a request of {len(line)} bytes, larger than a batch may be"), NOTHING
                    )
                    continue
                if len(group) == self._most_calls or size + len(line) > self._most_bytes:
                    yield group
                    group, size = {}, 0
                group[call.key] = line
                size += len(line)
            if group:
                yield group

    def _line(self, call: Call) -> bytes:
        request = {"custom_id": call.key, "method": "POST", "url": ENDPOINT, "body": body(call, self._dialect)}
        return json.dumps(request).encode() + b"\n"

    # --- collecting ---

    def _collect(self, api: BatchApi, batches: list[_Noted], left: dict[str, Call], end: _End) -> None:
        """Tell the calls of these batches as they end."""
        fatal: Problem | None = None
        while batches:
            waiting: list[_Noted] = []
            for noted in batches:
                batch = api.look(noted.id or "")
                self._say(f"{batch.id}: {batch.progress}")
                if batch.status not in ENDED:
                    waiting.append(noted)
                    continue
                asked = {key: left[key] for key in noted.keys if key in left}
                for key, answer in _answers(api, batch, asked).items():
                    outcome = answer if isinstance(answer, Reply) else Failure(answer.kind, answer.message)
                    end(asked[key], outcome, billed(answer))
                    if isinstance(answer, Problem) and answer.then == "end":
                        fatal = fatal or answer
                self._notes.close(asked)
            if fatal is not None:
                raise ServiceError(f"{self._endpoint.url}: {fatal.message}")
            if waiting and not self._wait:
                raise IncompleteError(_submitted(waiting, left))
            if waiting:
                time.sleep(self._interval)
            batches = waiting


def _submitted(waiting: list[_Noted], left: dict[str, Call]) -> str:
    calls = sum(key in left for noted in waiting for key in noted.keys)
    ids = ", ".join(str(noted.id) for noted in waiting)
    return f"{calls} calls are submitted and not answered yet ({ids}). The same command collects them"


def _answers(api: BatchApi, batch: Batch, asked: dict[str, Call]) -> dict[str, Reply | Problem]:
    """Key → what came of each call in a batch that has ended."""
    found: dict[str, Reply | Problem] = {}
    for file in (batch.output_file_id, batch.error_file_id):
        for row in api.rows(file) if file else ():
            if row.custom_id in asked and not isinstance(found.get(row.custom_id), Reply):
                found[row.custom_id] = _answer(asked[row.custom_id], row)
    without = _unanswered(batch)
    return {key: found.get(key, without) for key in asked}


def _answer(call: Call, row: Row) -> Reply | Problem:
    if row.response is None:
        error = row.error or Complaint()
        expired = error.code == "batch_expired"  # what was not answered in time is not billed
        kind = "timeout" if expired else "server"
        return Problem(kind, error.said or "a row without answer and error", "retry", free=expired)
    status, body = row.response.status_code, row.response.body
    if 200 <= status < 300:
        return read_document(call, body)
    return explain(call, replace(refusal(status, body), usage=usage_of(body)))


def _unanswered(batch: Batch) -> Problem:
    """What came of a call that a batch that has ended has no row for."""
    if batch.status == "expired":
        return Problem("timeout", f"{batch.id} expired before this call was answered", "retry", free=True)
    if batch.status == "cancelled":
        return Problem("server", f"{batch.id} was cancelled before this call was answered", "retry")
    if batch.status == "failed":
        refusals = [refusal(400, {"error": complaint.model_dump()}) for complaint in batch.complaints]
        said = "; ".join(complaint.said for complaint in batch.complaints[:3]) or "no reason told"
        if any(complaint.code in _QUEUE_FULL for complaint in batch.complaints):
            message = f"{batch.id} failed: {said}. Ask for less at once, or go without --batch"
            return Problem("rate limit", message, "retry", free=True)
        fatal = any(one.then == "end" for one in refusals)
        return Problem("refused", f"{batch.id} failed: {said}", "end" if fatal else "give up", free=True)
    return Problem("malformed", f"{batch.id} ended without a row for this call", "retry")


# --- what is noted in the store --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Noted:
    """A batch with calls that have not been told; `id` is None from the plan until the server's answer is noted."""

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
                "CREATE TABLE IF NOT EXISTS set_aside"  # of what a budget reserved for the calls in open batches
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
        amounts = [(key, one.model, one.estimate, one.usd) for key in keys if (one := reserved.get(key))]
        with self._ledger.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO set_aside VALUES (?, ?, ?, ?)", amounts)
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
