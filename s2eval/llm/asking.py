"""Requests for what the store lacks: each reply is stored as it comes, so a killed run loses none.

A call that another process is making is not made a second time; its reply is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext

from s2eval.errors import IncompleteError
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Call, Outcome, Reply, Service
from s2eval.llm.claims import Claims
from s2eval.llm.ledger import Ledger, Spent

Progress = Callable[[int, int, Spent], None]
POLL = 0.5  # seconds between two checks of calls that another process is making
Cost = Callable[[Call, Outcome], float | None]


def ask(
    service: Service,
    calls: Iterable[Call],
    ledger: Ledger,
    *,
    cost: Cost | None = None,
    progress: Progress | None = None,
    budget: Budget | None = None,
) -> dict[str, Outcome]:
    """Key → how the call ended, of all calls. Stored replies are not requested again, failures are.

    Args:
        cost: USD of a call that ended (`Prices.cost`); None = unknown.
        budget: what the service charges, kept in this ledger (`Budget.keep_in`); replaces `cost`.
        progress: called at first and after each call with the calls that have ended, their total, and what this run
            has spent.

    Raises:
        ServiceError, BudgetError: no more calls can be made; what had ended is stored.
        PrerequisiteError, DataError: the store cannot be written.
        IncompleteError: the service returned without having answered all.
    """
    by_key = {call.key: call for call in calls}
    outcomes = ledger.known(by_key)
    pending = {key: call for key, call in by_key.items() if not isinstance(outcomes.get(key), Reply)}
    attempts = {key: outcome.attempts for key, outcome in outcomes.items()}
    spent = Spent()
    before = budget.spent if budget else spent

    def report() -> None:
        if progress is not None:
            progress(len(by_key) - len(pending), len(by_key), spent)

    def end(call: Call, outcome: Outcome) -> None:
        nonlocal spent
        usd = cost(call, outcome) if cost is not None else None
        ledger.record(call, outcome, usd, charged=budget is not None)
        pending.pop(call.key, None)
        if budget is not None:
            spent = budget.spent - before
        elif call.remote:
            spent = spent.plus(outcome, usd)
        report()

    report()
    with Claims.open(ledger) if pending else nullcontext() as claims:
        while claims is not None and pending:
            claimed = claims.take(pending)
            known = ledger.known(pending).items()
            ended_elsewhere = [key for key, outcome in known if outcome.attempts > attempts.get(key, 0)]
            for key in ended_elsewhere:
                del pending[key]
            if ended_elsewhere:
                report()
            mine = [call for key, call in pending.items() if key in claimed]
            if mine:
                service.run(mine, end)
                if missing := sum(call.key in pending for call in mine):
                    raise IncompleteError(
                        f"{missing} of {len(by_key)} calls were not answered. The same command asks them again"
                    )
            elif pending:
                time.sleep(POLL)
    outcomes = ledger.known(by_key)
    return {key: outcomes[key] for key in by_key}
