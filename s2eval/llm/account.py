"""What the calls of a store to APIs have cost: one row for each limit (`scope`) and model, exact to the last attempt.

An attempt is charged before it is sent, with the most that it may cost, and corrected when its cost is known. So an
attempt whose end is unknown (a killed process, a broken connection) stays charged, and several processes share a limit.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, astuple, dataclass, fields

from s2eval.llm.calls import MAX_TOKENS, Outcome, Reply
from s2eval.llm.prices import money

_TABLE = """
CREATE TABLE account (
    scope TEXT NOT NULL,                  -- whose limit it counts against; '' = the store's
    model TEXT NOT NULL,
    calls INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, usd REAL NOT NULL,
    unknown INTEGER NOT NULL, assumed INTEGER NOT NULL, assumed_usd REAL NOT NULL,
    overrun REAL NOT NULL DEFAULT 1,      -- the largest ratio of a cost to its estimate
    PRIMARY KEY (scope, model)
)"""

_FROM_CALLS = """
INSERT INTO account (scope, model, calls, tokens_in, tokens_out, usd, unknown, assumed, assumed_usd)
SELECT '', '', SUM(attempts), COALESCE(SUM(tokens_in), 0), COALESCE(SUM(tokens_out), 0), COALESCE(SUM(cost), 0.0),
       SUM(cost IS NULL), 0, 0.0
FROM calls WHERE service LIKE 'openai:%' HAVING COUNT(*) > 0"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls have cost.

    Attributes:
        calls: attempts made at APIs, those without a reply included.
        tokens_in, tokens_out: as the servers counted them.
        usd: of the attempts with a known price.
        unknown: attempts whose price is not known.
        assumed: attempts whose tokens the server did not report, or that have not ended; `assumed_usd`, a part of
            `usd`, is the most that they may cost.
    """

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    unknown: int = 0
    assumed: int = 0
    assumed_usd: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Spent) -> Spent:
        return Spent(*(mine - its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def plus(self, outcome: Outcome, cost: float | None) -> Spent:
        """With one more call; a failure without `cost` counts as free, a reply without as of unknown price."""
        if not isinstance(outcome, Reply):
            return self + Spent(outcome.attempts, usd=cost or 0.0)
        tokens_in, tokens_out = (
            count if count is not None and 0 <= count <= MAX_TOKENS else 0
            for count in (outcome.tokens_in, outcome.tokens_out)
        )
        return self + Spent(outcome.attempts, tokens_in, tokens_out, cost or 0.0, int(cost is None))


_COLUMNS = tuple(column.name for column in fields(Spent))


def describe(spent: Spent) -> str:
    """What calls have cost, as a part of a sentence.

    >>> describe(Spent(calls=8, usd=0.0090)), describe(Spent())
    ('8 calls to APIs, 0.0090 USD', 'no calls to APIs')
    >>> describe(Spent(calls=8, unknown=8))
    '8 calls to APIs, cost unknown (no price is known; give one with --prices)'
    >>> describe(Spent(calls=8, usd=0.009, unknown=2))
    '8 calls to APIs, at least 0.0090 USD (no price is known for 2 of them; give one with --prices)'
    """
    if not spent.calls:
        return "no calls to APIs"
    calls = f"{spent.calls} call{'' if spent.calls == 1 else 's'} to APIs"
    if spent.unknown and not spent.usd:
        return f"{calls}, cost unknown (no price is known; give one with --prices)"
    if spent.unknown:
        why = f"no price is known for {spent.unknown} of them; give one with --prices"
        return f"{calls}, at least {money(spent.usd)} ({why})"
    if spent.assumed:
        why = f"up to {money(spent.assumed_usd)} of it for {spent.assumed} whose cost the server did not report"
        return f"{calls}, at most {money(spent.usd)} ({why})"
    return f"{calls}, {money(spent.usd)}"


def create(connection: sqlite3.Connection) -> None:
    """Create the table, with what an older store recorded with its calls; inside a transaction."""
    connection.execute(_TABLE)
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone():
        connection.execute(_FROM_CALLS)


def exists(connection: sqlite3.Connection) -> bool:
    """Whether the store has the table."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'account'").fetchone() is not None


def total(connection: sqlite3.Connection, scope: str | None = None) -> Spent:
    """Of one scope, or (None) of the complete store, over all runs."""
    sums = ", ".join(f"COALESCE(SUM({name}), 0)" for name in _COLUMNS)
    where, values = ("", ()) if scope is None else (" WHERE scope = ?", (scope,))
    return Spent(*connection.execute(f"SELECT {sums} FROM account{where}", values).fetchone())


def add(connection: sqlite3.Connection, scope: str, model: str, change: Spent, overrun: float = 1.0) -> None:
    """Add to a row; a correction has negative numbers in it."""
    sums = ", ".join(f"{name} = {name} + :{name}" for name in _COLUMNS)
    connection.execute(
        f"INSERT INTO account (scope, model, overrun, {', '.join(_COLUMNS)})"
        f" VALUES (:scope, :model, :overrun, {', '.join(f':{name}' for name in _COLUMNS)})"
        f" ON CONFLICT (scope, model) DO UPDATE SET {sums}, overrun = MAX(overrun, :overrun)",
        {"scope": scope, "model": model, "overrun": overrun, **asdict(change)},
    )


def overrun(connection: sqlite3.Connection, model: str) -> float:
    """The largest ratio of a model's cost to its estimate so far, 1 at least."""
    (ratio,) = connection.execute("SELECT MAX(overrun) FROM account WHERE model = ?", (model,)).fetchone()
    return max(1.0, ratio or 1.0)
