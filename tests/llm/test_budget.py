"""The limits hold, also with many calls in flight, and no money that might be spent is left unspent."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from s2eval.errors import BudgetError, UsageError
from s2eval.llm.account import Spent
from s2eval.llm.budget import NOTHING, Budget, Reservation
from s2eval.llm.calls import Call, Message, Usage
from s2eval.llm.ledger import Ledger
from s2eval.llm.prices import FREE, Price

DOLLAR = Price(1e6, 1e6)  # 1 USD a token: costs are numbers of tokens


def call(text: str = "xx", max_tokens: int = 10) -> Call:
    """May cost 2 + 8 + 10 = 20 USD at most: a token a byte, 8 around a message, the reply."""
    return Call("openai:judge@x", "judge", (Message("user", text),), temperature=0.0, max_tokens=max_tokens)


FIVE = Usage(3, 2)  # 5 USD


def test_what_is_set_aside_comes_back() -> None:
    budget = Budget(None, 50.0, lambda _: DOLLAR)
    first, second = budget.reserve(call()), budget.reserve(call())
    assert (first.usd, second.usd) == (20.0, 20.0)
    with pytest.raises(
        BudgetError,
        match=r"--max-cost 50\.00 USD: the next call may cost up to 20\.0000 USD \(spent: 2 calls, 40\.0000 USD,"
        r" 40\.0000 of it set aside for 2 whose cost is not known\)",
    ):
        budget.reserve(call())  # 40 + 20 > 50
    budget.settle(first, FIVE)
    assert budget.spent == Spent(calls=2, tokens_in=3, tokens_out=2, usd=25.0, assumed=1, assumed_usd=20.0)
    third = budget.reserve(call())
    assert third.usd == 20.0  # 5 + 20 + 20 ≤ 50
    budget.settle(second, NOTHING)  # an attempt that was refused costs nothing
    assert budget.spent == Spent(calls=3, tokens_in=3, tokens_out=2, usd=25.0, assumed=1, assumed_usd=20.0)
    budget.settle(third, None)  # what nobody saw the end of costs what was set aside
    assert budget.spent == Spent(calls=3, tokens_in=3, tokens_out=2, usd=25.0, assumed=1, assumed_usd=20.0)


def test_calls_are_counted_with_those_that_fail() -> None:
    budget = Budget(2, None)
    budget.settle(budget.reserve(call()), NOTHING)
    budget.reserve(call())
    with pytest.raises(BudgetError, match=r"--max-calls 2 is reached \(spent: 2 calls, 0\.0000 USD\)") as error:
        budget.reserve(call())
    assert error.value.exit_code == 3


def test_a_server_that_bills_more_than_the_estimate_raises_the_next_ones() -> None:
    budget = Budget(None, 100.0, lambda _: DOLLAR)
    budget.settle(budget.reserve(call()), Usage(3, 27))  # 30 of 20: half as much again
    assert budget.reserve(call()).usd == 30.0
    with pytest.raises(BudgetError, match=r"up to 45\.0000 USD"):  # of 30; 30 + 30 + 45 > 100
        budget.reserve(call(max_tokens=20))


@pytest.mark.parametrize("scope", [None, "model/mtbench/judge"])
def test_earlier_runs_of_the_store_count(tmp_path: Path, scope: str | None) -> None:
    path = tmp_path / "calls.sqlite"
    for _ in range(2):  # the second one as another process would
        with Ledger.open(path) as ledger:
            budget = Budget(None, 50.0, lambda _: DOLLAR)
            budget.keep_in(ledger, scope)
            budget.reserve(call())  # is never settled: killed
    with Ledger.open(path) as ledger:
        budget = Budget(None, 50.0, lambda _: DOLLAR)
        budget.keep_in(ledger, scope)
        with pytest.raises(BudgetError, match=r"2 calls, 40\.0000 USD.*earlier runs included"):
            budget.reserve(call())
        calls = Budget(2, None, lambda _: DOLLAR)
        calls.keep_in(ledger, scope)
        with pytest.raises(BudgetError, match=r"--max-calls 2 is reached"):
            calls.reserve(call())
        other = Budget(None, 50.0, lambda _: DOLLAR)
        other.keep_in(ledger, "other/mtbench/judge")
        assert other.reserve(call()).usd == 20.0  # a limit of its own
        assert ledger.spent() == Spent(calls=3, usd=60.0, assumed=3, assumed_usd=60.0)


def test_no_calls_at_all() -> None:
    with pytest.raises(BudgetError, match="--max-calls 0"):
        Budget(0, None).reserve(call())


def test_no_limits() -> None:
    budget = Budget(None, None)
    for _ in range(3):
        reserved = budget.reserve(call())
        assert reserved.usd == 0.0
        budget.settle(reserved, FIVE)
    assert budget.spent == Spent(calls=3, tokens_in=9, tokens_out=6, usd=0.0, unknown=3)  # of unknown price


def test_a_limit_of_cost_needs_a_price() -> None:
    budget = Budget(None, 1.0, lambda one: None if one.model == "judge" else DOLLAR)
    for asked in (budget.check, lambda calls: budget.reserve(calls[0])):
        with pytest.raises(UsageError, match=r"no price known for judge .*S2EVAL_PRICES.*judge: \{input") as error:
            asked([call()])
        assert error.value.exit_code == 2
    assert budget.spent == Spent()
    Budget(5, None, lambda _: None).check([call()])  # a limit of calls needs none
    Budget(None, 1.0, lambda _: FREE).check([call()])  # nor does a model that is loaded here


def test_tokens_that_were_not_counted_cost_what_was_set_aside() -> None:
    budget = Budget(None, 50.0, lambda _: DOLLAR)
    budget.settle(budget.reserve(call()), None)
    assert budget.spent == Spent(calls=1, usd=20.0, assumed=1, assumed_usd=20.0)


def test_a_free_model_costs_nothing() -> None:
    budget = Budget(None, 0.0, lambda _: FREE)
    for _ in range(5):
        budget.settle(budget.reserve(call()), None)
    assert budget.spent == Spent(calls=5)


# --- with calls in flight --------------------------------------------------------------------------------------


async def worker(budget: Budget, costs: random.Random, most: list[float], n: int) -> None:
    for _ in range(n):
        reserved = await budget.admit(call())
        await asyncio.sleep(costs.random() / 1000)
        budget.settle(reserved, Usage(costs.randint(1, 10), costs.randint(0, 10)) if costs.random() > 0.1 else None)
        most.append(budget.spent.usd)


@pytest.mark.parametrize("seed", range(5))
def test_the_limit_holds_and_is_used_up(seed: int) -> None:
    """16 at once, 16 × 20 > 200: those that do not fit wait for the others, and nobody gives up too early."""
    costs, most = random.Random(seed), list[float]()
    budget = Budget(None, 200.0, lambda _: DOLLAR)

    async def run() -> list[BaseException | None]:
        workers = (worker(budget, costs, most, 100) for _ in range(16))
        return await asyncio.wait_for(asyncio.gather(*workers, return_exceptions=True), 10)

    assert {type(error) for error in asyncio.run(run())} == {BudgetError}  # nobody waits for ever
    assert max(most) <= 200.0
    assert budget.spent.usd > 180.0  # less than one call that may cost 20 is left


def test_waiting_ends_when_a_call_does() -> None:
    budget = Budget(None, 20.0, lambda _: DOLLAR)

    async def run() -> Reservation:
        first = await budget.admit(call())
        second = asyncio.create_task(budget.admit(call()))
        await asyncio.sleep(0)
        assert not second.done()  # 20 + 20 > 20
        budget.settle(first, NOTHING)
        return await asyncio.wait_for(second, 1)

    assert asyncio.run(run()).usd == 20.0
    assert budget.spent.calls == 2


def test_who_stops_waiting_holds_nothing_back() -> None:
    budget = Budget(None, 20.0, lambda _: DOLLAR)

    async def run() -> None:
        first = await budget.admit(call())
        second = asyncio.create_task(budget.admit(call()))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        budget.settle(first, NOTHING)
        budget.settle(await asyncio.wait_for(budget.admit(call()), 1), NOTHING)

    for _ in range(2):  # in another event loop, too
        asyncio.run(run())


def test_no_waiting_for_more_calls_than_are_allowed() -> None:
    budget = Budget(1, None)

    async def run() -> None:
        await budget.admit(call())
        await asyncio.wait_for(budget.admit(call()), 1)  # one is in flight, and its end would not help

    with pytest.raises(BudgetError, match="--max-calls 1"):
        asyncio.run(run())


def test_the_first_attempt_of_a_model_goes_alone() -> None:
    """So that a server which bills 30 where 20 were estimated gets 3 calls of a limit of 100, not 5."""
    budget = Budget(None, 100.0, lambda _: DOLLAR)

    async def worker() -> None:
        reserved = await budget.admit(call())
        await asyncio.sleep(0.001)
        budget.settle(reserved, Usage(3, 27))

    async def run() -> list[BaseException | None]:
        return await asyncio.wait_for(asyncio.gather(*(worker() for _ in range(8)), return_exceptions=True), 5)

    assert sum(error is None for error in asyncio.run(run())) == 3
    assert budget.spent.usd == 90.0
