"""The store of calls: one SQLite file with one row a call, written as each call ends and safe against any kill.

The key of a row is `Call.key`, the hash of all that determines the reply. A failure is a status: it never replaces a
reply, and a reply replaces it. When `record` returns, the row is on the disk (WAL, `synchronous=FULL`); several
processes may share a file.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from s2eval.errors import DataError, PrerequisiteError, S2Error
from s2eval.llm import account, claims
from s2eval.llm.account import Spent
from s2eval.llm.calls import Call, Failure, Outcome, Reply, canonical
from s2eval.llm.secrets import redact
from s2eval.reasoning import split
from s2eval.store import explain_os_errors

FORMAT = 1
MEMORY = Path(":memory:")  # the path of a store that is gone with its connection
_APPLICATION = 0x53326361  # "S2ca": the application id, in SQLite's header, of a store of calls
_LOCK_TIMEOUT = 30.0  # seconds that another process may hold the file
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
_REPLY = ("text", "finish", "tokens_in", "tokens_out", "model", "seconds", "reasoning")


class Ledger:
    """A store that is open; made by `Ledger.open`, used in the thread that opened it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Ledger]:
        """The store at `path`, created with its folder where it does not exist.

        Raises:
            DataError: the file is not a store, one of another format, or damaged.
            PrerequisiteError: no permission, no space, or another process holds it.
        """
        with explain_os_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with _explained(path):
            connection = sqlite3.connect(path, timeout=_LOCK_TIMEOUT, isolation_level=None)
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
        """The connection inside one transaction, undone if the block raises.

        When it is done, a kill cannot undo it; if `durable`, a power failure neither, which is much slower.
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

        A reply in the store never changes; attempts and cost add up.

        Args:
            cost: USD of these attempts. None: not known for a reply, nothing for a failure.
            charged: a `Budget` has charged these attempts to the account of this store.
        """
        row: dict[str, object] = {name: getattr(outcome, name, None) for name in (*_REPLY, "kind", "message")}
        if isinstance(outcome, Failure):
            row["message"] = redact(outcome.message)
        for name in ("tokens_in", "tokens_out"):
            count = row[name]
            row[name] = count if isinstance(count, int) and 0 <= count <= _LARGEST else None
        row |= {
            "key": call.key,
            "status": "failed" if isinstance(outcome, Failure) else "ok",
            "call": canonical(asdict(call)),
            "service": call.service,
            "attempts": outcome.attempts,
            "now": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        # bytes, for `CAST(… AS TEXT)`: UTF-8 that also takes half of a surrogate pair, which a server may send
        for name in ("text", "reasoning", "finish", "model", "message", "service"):
            value = row[name]
            row[name] = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
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
        """Key → how the call ended, for the calls that were made before; `attempts` are over all runs."""
        return self.known(dict.fromkeys(call.key for call in calls))

    def known(self, keys: Iterable[str]) -> dict[str, Outcome]:
        """`outcomes` by key: a key takes longer to compute than to look up."""
        keys, outcomes = list(keys), dict[str, Outcome]()
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            marks = ", ".join("?" * len(chunk))
            query = (
                f"SELECT key, status, kind, message, attempts, {', '.join(_REPLY)} FROM calls WHERE key IN ({marks})"
            )
            with _explained(self.path):
                for key, status, kind, message, attempts, *columns in self._connection.execute(query, chunk):
                    if status == "failed":
                        outcomes[key] = Failure(kind, message, attempts)
                        continue
                    reply = dict(zip(_REPLY, columns, strict=True))
                    if reply["reasoning"] is None:  # an older release left the reasoning in the text
                        reply["text"], reply["reasoning"], _ = split(reply["text"])
                    outcomes[key] = Reply(attempts=attempts, **reply)
        return outcomes

    def pending(self, calls: Iterable[Call]) -> list[Call]:
        """The calls without a reply, in their order, each once."""
        by_key = {call.key: call for call in calls}
        known = self.known(by_key)
        return [call for key, call in by_key.items() if not isinstance(known.get(key), Reply)]

    def spent(self) -> Spent:
        """The cost of all calls to APIs, over all runs."""
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

        Times, attempts and cost, which differ between two runs that ended alike, are not in it.
        """
        columns = ("key", "status", "call", "text", "NULLIF(reasoning, '') AS reasoning", "finish", "model")
        columns += ("tokens_in", "tokens_out", "kind", "message")
        with _explained(self.path):
            for row in self._connection.execute(f"SELECT {', '.join(columns)} FROM calls ORDER BY key"):
                fields = dict(zip((column.split()[-1] for column in columns), row, strict=True))
                yield canonical({name: value for name, value in fields.items() if value is not None})


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogatepass")
    connection.execute("BEGIN")  # all three as of one moment: another process may be creating the store
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")
    if tables and application != _APPLICATION:
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
    has_reasoning = "SELECT 1 FROM pragma_table_info('calls') WHERE name = 'reasoning'"
    if not account.exists(connection) or not connection.execute(has_reasoning).fetchone():  # older, or new
        connection.execute("BEGIN IMMEDIATE")
        if not account.exists(connection):  # again: another process may have been faster
            connection.execute(claims.TABLE)
            account.create(connection)
        if not connection.execute(has_reasoning).fetchone():
            connection.execute(_REASONING)
        connection.execute("COMMIT")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; where a disk cannot do it (some network disks), SQLite's journal stays."""
    end = time.monotonic() + _LOCK_TIMEOUT
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
    except sqlite3.ProgrammingError:  # a bug, such as another thread
        raise
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _s2_error(path, error) from error


def _s2_error(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> S2Error:
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
            f"{path}: another process has held the store for {_LOCK_TIMEOUT:.0f} seconds. Run the command again when it"
            " has ended"
        )
    return DataError(
        f"{path}: the store is damaged ({error}). Keep a copy; `sqlite3 {path.name} .recover` brings back what can be"
        " read, and a new folder (--out) begins a new store"
    )


def _name(error: Exception) -> str:
    return getattr(error, "sqlite_errorname", "")
