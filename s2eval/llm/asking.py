"""Asking what the store does not know yet: each answer is stored as it comes, so a killed run loses none.

What another process is asking is not asked a second time; its reply is waited for.
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
POLL = 0.5  # seconds between two looks at what another process is asking
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
    """Key → how the call ended, of all calls: those with a stored reply are not asked again, failures are.

    Nothing is retried here: that is the service's, within a run, and the next run's.

    Args:
        cost: USD of a call that ended (`Prices.cost`); None = not known.
        budget: what the service charges, kept in this ledger (`Budget.keep_in`); then `cost` is not needed.
        progress: told, at first and after each call, how many calls have ended, how many there are, and what this
            run has spent so far.

    Raises:
        ServiceError, BudgetError: nothing more can be asked; what had ended is stored.
        PrerequisiteError, DataError: the store takes no more.
        IncompleteError: the service came back without having answered all.
    """
    by_key = {call.key: call for call in calls}
    outcomes = ledger.known(by_key)
    left = {key: call for key, call in by_key.items() if not isinstance(outcomes.get(key), Reply)}
    tried = {key: outcome.attempts for key, outcome in outcomes.items()}
    spent = Spent()
    before = budget.spent if budget else spent

    def report() -> None:
        if progress is not None:
            progress(len(by_key) - len(left), len(by_key), spent)

    def end(call: Call, outcome: Outcome) -> None:
        nonlocal spent
        usd = cost(call, outcome) if cost is not None else None
        ledger.record(call, outcome, usd, charged=budget is not None)
        left.pop(call.key, None)
        if budget is not None:
            spent = budget.spent - before
        elif call.remote:
            spent = spent.plus(outcome, usd)
        report()

    def collect() -> bool:
        """Take over what other processes were answered since; whether that was anything."""
        known = ledger.known(left)
        ended = [key for key, outcome in known.items() if outcome.attempts > tried.get(key, 0)]
        for key in ended:
            del left[key]
        return bool(ended)

    report()
    with Claims.open(ledger) if left else nullcontext() as claims:
        while claims is not None and left:
            mine = claims.take(left)
            if collect():  # asked and answered by others before they were claimed
                report()
            asked = [call for key, call in left.items() if key in mine]
            if asked:
                service.run(asked, end)
                if missing := sum(call.key in left for call in asked):
                    raise IncompleteError(
                        f"{missing} of {len(by_key)} calls were not answered. The same command asks them again"
                    )
            elif left:
                time.sleep(POLL)
    outcomes = ledger.known(by_key)
    return {key: outcomes[key] for key in by_key}
