"""The limits `--max-calls` and `--max-cost`, held over calls in flight, processes and runs of one store.

Before every attempt the most that it can cost is charged to the store's account, and corrected when the server has
reported what it bills, with or without a reply. Where it does not report it, or the end of the attempt is unknown,
all of it stays charged. A server that bills more than the estimate raises the estimates of what follows, and the first
attempt of each model under a limit of cost goes alone, so that this is seen before many are under way.

Not for several threads: the attempts of one event loop, or one after the other.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from s2eval.errors import BudgetError, UsageError
from s2eval.llm import account
from s2eval.llm.account import Spent
from s2eval.llm.calls import Call, Usage
from s2eval.llm.ledger import MEMORY, Ledger
from s2eval.llm.prices import FREE, Price, cost, max_usd

NOTHING = Usage(0, 0)
_ROUNDING = 1e-9  # USD, by which sums of what was charged and given back may be off


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is charged for an attempt until its cost is known.

    `estimate` is what it costs at most in USD, by the length of the texts; `usd`, which is charged, is more where the
    server has billed more than its estimates before. `price` is None where it is not known.
    """

    model: str
    price: Price | None
    estimate: float
    usd: float

    @property
    def opened(self) -> Spent:
        """Added to an account when the attempt starts."""
        return Spent(calls=1, usd=self.usd, assumed=int(self.usd > 0), assumed_usd=self.usd)

    def final(self, usage: Usage | None) -> Spent:
        """What the attempt has cost; `usage` as in `Budget.settle`."""
        usd = cost(self.price, usage)
        if usd is None and self.price is not None:
            return self.opened
        return Spent(
            calls=1,
            tokens_in=usage.tokens_in if usage else 0,
            tokens_out=usage.tokens_out if usage else 0,
            usd=usd or 0.0,
            unknown=int(usd is None and usage != NOTHING),
        )


class Budget:
    """How much a command may spend, and what it has.

    Args:
        max_calls: attempts, those that fail included; None = any number.
        max_cost: USD; None = any sum.
        price: of a call, None = not known (`Prices.of`).
    """

    def __init__(
        self, max_calls: int | None, max_cost: float | None, price: Callable[[Call], Price | None] = lambda _: None
    ) -> None:
        self.max_calls, self.max_cost, self._price = max_calls, max_cost, price
        self._spent = Spent()
        connection = sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False)
        account.create(connection)
        self._ledger, self._scope, self._counted = Ledger(MEMORY, connection), "", None
        self._in_flight, self._seen = Counter[str](), set[str]()
        self._waiting: list[asyncio.Future[None]] = []

    def keep_in(self, ledger: Ledger, scope: str | None = None) -> None:
        """Charge to the account of a store, whose earlier runs and other processes then count against the limits.

        With a `scope`, only what was charged under this name counts.
        """
        self._ledger, self._scope, self._counted = ledger, scope or "", scope

    @property
    def spent(self) -> Spent:
        """By the attempts of this object so far; for those in flight, what is set aside."""
        return self._spent

    @property
    def in_flight(self) -> int:
        """Attempts that have not been settled."""
        return self._in_flight.total()

    def check(self, calls: Iterable[Call]) -> None:
        """Before the first call: raise a UsageError where there is a limit of cost and a price is not known."""
        for call in calls:
            self.price(call)

    def reserve(self, call: Call) -> Reservation:
        """Charge what one attempt may cost; the result goes to `settle`, exactly once.

        Raises:
            BudgetError: it might pass a limit.
            UsageError: as `price`.
        """
        price = self.price(call)
        estimate = max_usd(call, price) if price else 0.0
        with self._ledger.transaction(durable=False) as connection:
            reserved = Reservation(call.model, price, estimate, estimate * account.overrun(connection, call.model))
            self._check_limits(account.total(connection, self._counted), reserved.usd)
            account.add(connection, self._scope, call.model, reserved.opened)
        self._in_flight[call.model] += 1
        self._spent += reserved.opened
        return reserved

    async def admit(self, call: Call) -> Reservation:
        """`reserve`, but where the attempts in flight may still give enough back, wait for them.

        Raises:
            BudgetError: none is in flight, and this one would pass a limit; or no more calls are allowed.
            UsageError: as `price`.
        """
        while True:
            if not self._first_is_in_flight(call):
                try:
                    return self.reserve(call)
                except BudgetError:
                    if not self.in_flight or self._calls_used_up():
                        raise
            ended = asyncio.get_running_loop().create_future()
            self._waiting.append(ended)
            await ended

    def settle(self, reserved: Reservation, usage: Usage | None) -> None:
        """An attempt ended, with a reply or without; where `usage` is unknown, what was set aside stays charged."""
        final = reserved.final(usage)
        ratio = final.usd / reserved.estimate if usage is not None and reserved.estimate else 1.0
        with self._ledger.transaction(durable=False) as connection:
            account.add(connection, self._scope, reserved.model, final - reserved.opened, ratio)
        self._spent += final - reserved.opened
        self._in_flight[reserved.model] -= 1
        self._seen.add(reserved.model)
        for ended in self._waiting:
            if not ended.done():
                ended.set_result(None)
        self._waiting.clear()

    def resume(self, model: str, price: Price | None, estimate: float, usd: float) -> Reservation:
        """What an earlier run reserved for an attempt that has ended since; goes to `settle`, exactly once."""
        reserved = Reservation(model, price, estimate, usd)
        if not self._ledger.shared:
            with self._ledger.transaction() as connection:
                account.add(connection, self._scope, model, reserved.opened)
        self._in_flight[model] += 1
        self._spent += reserved.opened
        return reserved

    def price(self, call: Call) -> Price | None:
        """Of a call; None = not known, which is a UsageError under a limit of cost."""
        price = self._price(call)
        if price is None and self.max_cost is not None:
            raise UsageError(
                f"--max-cost: no price known for {call.model} ({call.service}). Give one in a file that S2EVAL_PRICES"
                f" names: `date: …`, `source: …`, `models: {{{call.model}: {{input: USD per million tokens, output:"
                " …}}`; or limit with --max-calls"
            )
        return price

    def _first_is_in_flight(self, call: Call) -> bool:
        """Whether the first attempt of this model has not ended, which will show what the server bills."""
        if self.max_cost is None or call.model in self._seen or not self._in_flight[call.model]:
            return False
        return self.price(call) != FREE

    def _calls_used_up(self) -> bool:
        """Whether no more calls are allowed, however little those in flight will cost."""
        with self._ledger.transaction(durable=False) as connection:
            calls = account.total(connection, self._counted).calls
        return self.max_calls is not None and calls >= self.max_calls

    def _check_limits(self, total: Spent, usd: float) -> None:
        earlier = ", earlier runs included" if total.calls > self._spent.calls else ""
        calls = f"{total.calls} call{'' if total.calls == 1 else 's'}"
        spent = f"spent: {calls}, {total.usd:.4f} USD"
        if total.assumed:
            spent += f", {total.assumed_usd:.4f} of it set aside for {total.assumed} whose cost is not known"
        if total.unknown:
            spent += f", {total.unknown} of unknown price"
        if self.max_calls is not None and total.calls >= self.max_calls:
            raise BudgetError(
                f"--max-calls {self.max_calls} is reached ({spent}{earlier}). What was answered is kept; the same"
                " command with a higher limit resumes"
            )
        if self.max_cost is not None and total.usd + usd > self.max_cost + _ROUNDING:
            raise BudgetError(
                f"--max-cost {self.max_cost:.2f} USD: the next call may cost up to {usd:.4f} USD"
                f" ({spent}{earlier}). What was answered is kept; the same command with a higher limit resumes"
            )
