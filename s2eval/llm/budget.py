"""The limits `--max-calls` and `--max-cost`, held also by calls in flight.

Before every attempt the most that it can cost is set aside, and given back when it ends, less what it did cost. So the
sum of what was spent and what is in flight never passes the limit. An attempt without a valid reply is taken to cost
nothing, which is what OpenAI says of errors; a server may bill one that timed out.

Not for several threads: the attempts of one event loop, or one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from s2eval.errors import BudgetError, UsageError
from s2eval.llm.calls import Call, Reply
from s2eval.llm.ledger import Spent
from s2eval.llm.prices import Price, cost, dearest


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
        self._in_flight, self._set_aside = 0, 0.0
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def spent(self) -> Spent:
        """By the attempts so far; those in flight count as calls, not yet as USD."""
        return self._spent

    def check(self, calls: Iterable[Call]) -> None:
        """Before the first call: whether the limits can be held at all.

        Raises:
            UsageError: there is a limit of cost, and a price is not known.
        """
        for call in calls:
            self._most(call)

    def reserve(self, call: Call) -> float:
        """Set aside what one attempt may cost; what is returned goes back to `settle`, exactly once.

        Raises:
            BudgetError: it might pass a limit.
            UsageError: there is a limit of cost, and the price of this call is not known.
        """
        most = self._most(call)
        if self.max_calls is not None and self._spent.calls >= self.max_calls:
            raise BudgetError(
                f"--max-calls {self.max_calls} is reached ({_told(self._spent)}). What was answered is kept; the same"
                " command with a higher limit goes on"
            )
        if self.max_cost is not None and self._spent.usd + self._set_aside + most > self.max_cost:
            raise BudgetError(
                f"--max-cost {self.max_cost:.2f} USD: the next call may cost up to {most:.4f} USD"
                f" ({_told(self._spent)}; {self._set_aside:.4f} USD set aside for {self._in_flight} in flight). What"
                " was answered is kept; the same command with a higher limit goes on"
            )
        self._in_flight += 1
        self._set_aside += most
        self._spent = replace(self._spent, calls=self._spent.calls + 1)
        return most

    async def admit(self, call: Call) -> float:
        """`reserve`, but where the attempts in flight may still give enough back, wait for them.

        Raises:
            BudgetError: none is in flight, and this one would pass a limit; or no more calls are allowed.
            UsageError: see `reserve`.
        """
        while True:
            try:
                return self.reserve(call)
            except BudgetError:
                used_up = self.max_calls is not None and self._spent.calls >= self.max_calls
                if used_up or not self._in_flight:
                    raise
            ended = asyncio.get_running_loop().create_future()
            self._waiting.append(ended)
            await ended

    def settle(self, reserved: float, call: Call, reply: Reply | None) -> None:
        """An attempt ended: with a valid reply, or (None) without.

        A reply whose tokens the server did not count costs what was set aside for it, and is in `spent.unknown`.
        """
        self._in_flight -= 1
        self._set_aside = self._set_aside - reserved if self._in_flight else 0.0  # no rounding stays behind
        if reply is not None:
            usd = cost(self._price(call), reply)
            self._spent = replace(
                self._spent,
                tokens_in=self._spent.tokens_in + (reply.tokens_in or 0),
                tokens_out=self._spent.tokens_out + (reply.tokens_out or 0),
                usd=self._spent.usd + (reserved if usd is None else usd),
                unknown=self._spent.unknown + (usd is None),
            )
        for ended in self._waiting:
            if not ended.done():
                ended.set_result(None)
        self._waiting.clear()

    def _most(self, call: Call) -> float:
        price = self._price(call)
        if price is not None:
            return dearest(call, price)
        if self.max_cost is None:
            return 0.0
        raise UsageError(
            f"--max-cost: no price known for {call.model} ({call.service}). Give one in a file that S2EVAL_PRICES"
            f" names: `date: …`, `source: …`, `models: {{{call.model}: {{input: USD per million tokens, output: …}}}}`;"
            " or limit with --max-calls"
        )


def _told(spent: Spent) -> str:
    calls = f"{spent.calls} call{'' if spent.calls == 1 else 's'}"
    return f"spent: {calls}, {spent.usd:.4f} USD" + (f", {spent.unknown} of unknown cost" if spent.unknown else "")
