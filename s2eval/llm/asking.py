"""Asking what the store does not know yet: each answer is stored as it comes, so a killed run loses none."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from s2eval.errors import IncompleteError
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Call, Outcome, Reply, Service
from s2eval.llm.ledger import Ledger, Spent

Progress = Callable[[int, int, Spent], None]
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
    pending = {key: call for key, call in by_key.items() if not isinstance(outcomes.get(key), Reply)}
    done, spent = len(by_key) - len(pending), Spent()
    ended: set[str] = set()
    before = budget.spent if budget else spent

    def end(call: Call, outcome: Outcome) -> None:
        nonlocal spent
        usd = cost(call, outcome) if cost is not None else None
        ledger.record(call, outcome, usd, charged=budget is not None)
        ended.add(call.key)
        spent = spent.plus(outcome, usd) if budget is None else budget.spent - before
        if progress is not None:
            progress(done + len(ended), len(by_key), spent)

    if progress is not None:
        progress(done, len(by_key), spent)
    if pending:
        service.run(list(pending.values()), end)
        if missing := len(pending.keys() - ended):
            raise IncompleteError(
                f"{missing} of {len(by_key)} calls were not answered. The same command asks them again"
            )
        outcomes.update(ledger.known(ended))  # of two processes that asked the same the first reply counts
    return {key: outcomes[key] for key in by_key}
