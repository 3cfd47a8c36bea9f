"""Claims of processes on the calls of a store: of two, one makes and pays the call, the other reads its reply.

A claim has a lease, which its process renews while it lives. It ends with the outcome of the call, with the process
(noticed at once on the same machine), or with the lease.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2eval.llm.ledger import Ledger

LEASE = 60.0  # seconds after which the claim of a process that does not renew it is free; four renewals fit into it

TABLE = """
CREATE TABLE IF NOT EXISTS claims (
    key TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    machine TEXT NOT NULL, pid INTEGER NOT NULL,   -- of the owner's process
    until REAL NOT NULL                            -- Unix time
)"""


class Claims:
    """The claims of one run on the calls of a store; made by `Claims.open`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._owner, self._machine = ledger, uuid.uuid4().hex, _machine()

    @classmethod
    @contextmanager
    def open(cls, ledger: Ledger) -> Iterator[Claims]:
        """Claims that are renewed until the block ends, and released then."""
        claims, ended = cls(ledger), threading.Event()
        if not ledger.shared:
            yield claims
            return
        renewal = threading.Thread(target=claims._renew, args=(ledger.path, ended), daemon=True)
        renewal.start()
        try:
            yield claims
        finally:
            ended.set()
            renewal.join()
            with ledger.transaction(durable=False) as connection:
                connection.execute("DELETE FROM claims WHERE owner = ?", (claims._owner,))

    def take(self, keys: Iterable[str]) -> set[str]:
        """Claim what no living process has claimed; gives the keys that are now this run's."""
        keys = list(keys)
        if not self._ledger.shared:
            return set(keys)
        now = time.time()
        with self._ledger.transaction(durable=False) as connection:
            rows = connection.execute("SELECT key, owner, machine, pid, until FROM claims").fetchall()
            owners = {owner: (machine, pid) for _, owner, machine, pid, _ in rows}
            dead = {owner for owner, (machine, pid) in owners.items() if machine == self._machine and _is_dead(pid)}
            held = {key for key, owner, _, _, until in rows if owner not in dead and until > now}
            free = [key for key in keys if key not in held]
            connection.executemany(
                "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?)",
                ((key, self._owner, self._machine, os.getpid(), now + LEASE) for key in free),
            )
        return set(free)

    def _renew(self, path: Path, ended: threading.Event) -> None:
        while not ended.wait(LEASE / 4):
            with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=LEASE / 4)) as connection, connection:
                connection.execute("UPDATE claims SET until = ? WHERE owner = ?", (time.time() + LEASE, self._owner))


def _machine() -> str:
    """The space in which process ids are unique: the host since its start, and the container."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _is_dead(pid: int) -> bool:
    """Whether no such process runs on this machine; False where that is not known."""
    if os.name != "posix":  # elsewhere `os.kill` ends processes
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    with suppress(OSError, IndexError):  # killed, and not yet waited for
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    return False
