"""The store of calls: one SQLite file with one row a call, written as each call ends and safe against any kill.

The key of a row is `Call.key`, the hash of all that determines the reply, so one reply is stored, whoever asks and
however often. A failure is a status: it never replaces a reply, and a reply replaces it. What `record` has returned
from is on the disk (WAL, `synchronous=FULL`), and several processes may share a file.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from s2eval.errors import DataError, PrerequisiteError, S2Error
from s2eval.llm import account, claims
from s2eval.llm.account import Spent
from s2eval.llm.calls import Call, Failure, Outcome, Reply
from s2eval.llm.secrets import redact
from s2eval.reasoning import split
from s2eval.store import explain_os_errors

FORMAT = 1
MEMORY = Path(":memory:")  # the path of a store that is gone with its connection
_APPLICATION = 0x53326361  # "S2ca": what `file` and SQLite know a store of calls by
_PATIENCE = 30.0  # seconds that another process may hold the file
_CHUNK = 500  # keys a query; older SQLites take 999 at most
_LARGEST = 2**63 - 1  # of SQLite's integers

_TABLE = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('ok', 'failed')),
    service TEXT NOT NULL,
    call TEXT NOT NULL,                  -- canonical JSON, of which the key is the SHA-256
    text TEXT, finish TEXT, model TEXT, seconds REAL, tokens_in INTEGER, tokens_out INTEGER,   -- of a reply
    kind TEXT, message TEXT,                                                                   -- of a failure
    attempts INTEGER NOT NULL DEFAULT 0, -- over all runs
    cost REAL DEFAULT 0,                 -- USD, of older releases; the table `account` has it now
    first_at TEXT NOT NULL, last_at TEXT NOT NULL
)"""
_REASONING = "ALTER TABLE calls ADD COLUMN reasoning TEXT"  # of a reply; NULL = of a release that left it in the text


class Ledger:
    """A store that is open; made by `Ledger.open`, used in the thread that opened it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Ledger]:
        """The store at `path`, made with its folder where it is not there.

        Raises:
            DataError: the file is no store, one of another format, or damaged.
            PrerequisiteError: no permission, no space, or another process holds it.
        """
        with explain_os_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with _explained(path):
            connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
        with closing(connection):
            with _explained(path):
                _prepare(path, connection)
            yield cls(path, connection)

    @property
    def shared(self) -> bool:
        """Whether other processes may open it."""
        return self.path != MEMORY

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """The connection inside one transaction: done when the block ends well, else as if it had not been.

        Args:
            durable: on the disk then, even if the power fails; if not, safe against a kill only, and much faster.
        """
        with _explained(self.path):
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def record(self, call: Call, outcome: Outcome, cost: float | None = None, *, charged: bool = False) -> None:
        """Store how a call ended; on the disk when this returns.

        A reply that is there already stays as it is, whatever comes; attempts and cost add up.

        Args:
            call: what was asked.
            outcome: what came of it; keys are taken out of a failure's message.
            cost: USD of these attempts. None: not known for a reply, nothing for a failure.
            charged: a `Budget` has charged these attempts to the account of this store.
        """
        text = _canonical(asdict(call))
        row = _row(outcome) | {
            "key": call.key,
            "call": text,
            "service": _bytes(call.service),
            "attempts": outcome.attempts,
            "now": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO calls (key, status, service, call, first_at, last_at)"
                " VALUES (:key, 'failed', CAST(:service AS TEXT), :call, :now, :now)",
                row,
            )
            connection.execute("UPDATE calls SET attempts = attempts + :attempts, last_at = :now WHERE key = :key", row)
            connection.execute(
                "UPDATE calls SET status = :status, text = CAST(:text AS TEXT), finish = CAST(:finish AS TEXT),"
                " model = CAST(:model AS TEXT), seconds = :seconds, tokens_in = :tokens_in, tokens_out = :tokens_out,"
                " reasoning = CAST(:reasoning AS TEXT),"
                " kind = :kind, message = CAST(:message AS TEXT) WHERE key = :key AND status = 'failed'",
                row,
            )
            connection.execute("DELETE FROM claims WHERE key = ?", (call.key,))
            if call.remote and not charged:
                account.add(connection, "", call.model, Spent().plus(outcome, cost))

    def outcomes(self, calls: Iterable[Call]) -> dict[str, Outcome]:
        """Key → how the call ended, for those of the calls that were asked before; `attempts` are over all runs."""
        return self.known(dict.fromkeys(call.key for call in calls))

    def known(self, keys: Iterable[str]) -> dict[str, Outcome]:
        """The same by key, for who has the keys at hand: a key takes longer to compute than to look up."""
        wanted, found = list(keys), dict[str, Outcome]()
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            marks = ", ".join("?" * len(chunk))
            query = (
                "SELECT key, status, text, finish, tokens_in, tokens_out, model, seconds, attempts, reasoning, kind,"
                " message"
                f" FROM calls WHERE key IN ({marks})"
            )
            with _explained(self.path):
                for key, status, *reply, kind, message in self._connection.execute(query, chunk):
                    found[key] = _stored(*reply) if status == "ok" else Failure(kind, message, reply[-2])
        return found

    def pending(self, calls: Iterable[Call]) -> list[Call]:
        """The calls without a reply, in their order, each once."""
        by_key = {call.key: call for call in calls}
        known = self.known(by_key)
        return [call for key, call in by_key.items() if not isinstance(known.get(key), Reply)]

    def spent(self) -> Spent:
        """By all calls to APIs, over all runs."""
        with _explained(self.path):
            return account.total(self._connection)

    def count(self) -> tuple[int, int]:
        """(replies, failures) in the store."""
        query = "SELECT COALESCE(SUM(status = 'ok'), 0), COALESCE(SUM(status = 'failed'), 0) FROM calls"
        with _explained(self.path):
            replies, failures = self._connection.execute(query).fetchone()
        return replies, failures

    def lines(self) -> Iterator[str]:
        """Each call with how it ended as a line of canonical JSON, in the order of the keys.

        What differs between two runs that ended alike (times, seconds, attempts, cost) is not in it.
        """
        reply = ("text", "NULLIF(reasoning, '') AS reasoning", "finish", "model", "tokens_in", "tokens_out")
        columns = ("key", "status", "call", *reply, "kind", "message")
        with _explained(self.path):
            for row in self._connection.execute(f"SELECT {', '.join(columns)} FROM calls ORDER BY key"):
                fields = dict(zip((column.split()[-1] for column in columns), row, strict=True))
                yield _canonical({name: value for name, value in fields.items() if value is not None})


def _canonical(value: Any) -> str:
    """As in `Call.key`: of a call, the text whose SHA-256 is the key."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _row(outcome: Outcome) -> dict[str, Any]:
    names = ("text", "reasoning", "finish", "model", "seconds", "tokens_in", "tokens_out", "kind", "message")
    row: dict[str, Any] = dict.fromkeys(names)
    if isinstance(outcome, Failure):
        return row | {"status": "failed", "kind": outcome.kind, "message": _bytes(redact(outcome.message))}
    return row | {
        "status": "ok",
        "text": _bytes(outcome.text),
        "reasoning": _bytes(outcome.reasoning),
        "finish": _bytes(outcome.finish),
        "model": _bytes(outcome.model),
        "seconds": outcome.seconds,
        "tokens_in": _countable(outcome.tokens_in),
        "tokens_out": _countable(outcome.tokens_out),
    }


def _countable(tokens: int | None) -> int | None:
    return tokens if tokens is not None and 0 <= tokens <= _LARGEST else None


def _bytes(text: str) -> bytes:
    """UTF-8 that also takes half of a surrogate pair, which a server may send as an escape."""
    return text.encode("utf-8", "surrogatepass")


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogatepass")
    connection.execute("BEGIN")  # all three as of one moment, whoever else is making the store
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")
    if tables and application != _APPLICATION:  # looked at before anything is changed
        raise DataError(f"{path}: an SQLite file of something else, not a store of calls. Choose another with --out")
    if tables and version != FORMAT:
        raise DataError(
            f"{path}: a store of calls in format {version}; this release reads {FORMAT}. Use the release that wrote"
            " it, or choose another folder with --out"
        )
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    if not tables:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    if not account.exists(connection):  # of an older release, or new
        connection.execute("BEGIN IMMEDIATE")
        if not account.exists(connection):  # another process may have been faster
            connection.execute(claims.TABLE)
            account.create(connection)
        connection.execute("COMMIT")
    _add_reasoning(connection)


def _add_reasoning(connection: sqlite3.Connection) -> None:
    """The column that stores of older releases lack."""
    query = "SELECT COUNT(*) FROM pragma_table_info('calls') WHERE name = 'reasoning'"
    if not connection.execute(query).fetchone()[0]:
        connection.execute("BEGIN IMMEDIATE")
        if not connection.execute(query).fetchone()[0]:  # another process may have been faster
            connection.execute(_REASONING)
        connection.execute("COMMIT")


def _stored(
    text: str, finish: str, tokens_in: int | None, tokens_out: int | None, model: str, seconds: float, attempts: int,
    reasoning: str | None,
) -> Reply:  # fmt: skip
    """A reply as it was stored; an older release left the reasoning in its text."""
    if reasoning is None:
        text, reasoning, _ = split(text)
    return Reply(text, finish, tokens_in, tokens_out, model, seconds, attempts, reasoning)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; where a disk cannot do it (some network disks), SQLite's journal stays."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:  # SQLite does not wait by itself while another process does the same
            if not _name(error).startswith("SQLITE_BUSY") or time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into ours, with the file and what to do."""
    try:
        yield
    except sqlite3.ProgrammingError:  # a mistake of ours, such as another thread
        raise
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _translated(path, error) from error


def _translated(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> S2Error:
    name = _name(error)
    if name.startswith("SQLITE_NOTADB"):
        return DataError(f"{path}: not a store of calls. Move it away, or choose another folder with --out")
    if name.startswith("SQLITE_FULL"):
        return PrerequisiteError(
            f"{path}: no space left on the disk. Free some, then run the command again; what was stored is safe"
        )
    if name.startswith("SQLITE_IOERR"):
        return PrerequisiteError(
            f"{path}: the disk does not take or give data ({error}): full, over a quota, or failing. Then run the"
            " command again; what was stored is safe"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return PrerequisiteError(
            f"{path}: no permission to write, or no file that can be opened ({error}). Choose another folder with --out"
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return PrerequisiteError(
            f"{path}: another process has held the store for {_PATIENCE:.0f} seconds. Run the command again when it"
            " has ended"
        )
    return DataError(
        f"{path}: the store is damaged ({error}). Keep a copy; `sqlite3 {path.name} .recover` brings back what can be"
        " read, and a new folder (--out) begins a new store"
    )


def _name(error: Exception) -> str:
    return getattr(error, "sqlite_errorname", "")
