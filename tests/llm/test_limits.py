from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.errors import UsageError
from s2eval.llm.limits import ConcurrencyLimiter, PerMinute, tokens
from s2eval.llm.problems import retry_after
from tests.llm.asked import Told, call, calls, service
from tests.llm.faults import ok, serve


def widths(most, events):
    """The limiter's width after each of `events`: `+` a success, `-` a refusal of a new burst."""
    limiter, seen = ConcurrencyLimiter(most), []
    for event in events:
        limiter.grow() if event == "+" else limiter.shrink(limiter._halvings)
        seen.append(limiter.width)
    return seen


# -- the limiter's width


def test_it_starts_at_half_and_grows_by_one_to_the_maximum():
    assert ConcurrencyLimiter(8).width == 4
    assert widths(8, "+++++") == [5, 6, 7, 8, 8]


def test_it_halves_and_never_goes_below_one():
    assert widths(32, "-----+") == [8, 4, 2, 1, 1, 2]  # 16 / 2, …
    assert ConcurrencyLimiter(1).width == 1


def test_refusals_of_one_burst_halve_once():
    async def burst():
        limiter = ConcurrencyLimiter(32)
        places = [limiter.place(1) for _ in range(16)]
        tickets = [await place.__aenter__() for place in places]
        for ticket in tickets:
            limiter.shrink(ticket)
        after_burst = limiter.width
        for place in places:
            await place.__aexit__(None, None, None)
        async with limiter.place(1) as ticket:
            limiter.shrink(ticket)
        return after_burst, limiter.width

    assert asyncio.run(burst()) == (8, 4)


@given(st.integers(1, 64), st.text("+-", max_size=80))
def test_the_width_stays_between_one_and_the_maximum(most, events):
    assert all(1 <= width <= most for width in widths(most, events))


def test_no_more_are_in_than_the_width():
    async def crowd():
        limiter, most = ConcurrencyLimiter(6), 0

        async def one():
            nonlocal most
            async with limiter.place(1):
                most = max(most, limiter.active)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(one() for _ in range(20)))
        return most, limiter.active

    assert asyncio.run(crowd()) == (3, 0)


def test_who_is_cancelled_while_waiting_leaves_the_gate_open():
    async def cancelled():
        limiter = ConcurrencyLimiter(1)

        async def one():
            async with limiter.place(1):
                await asyncio.sleep(0.01)

        tasks = [asyncio.create_task(one()) for _ in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        return [type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)], limiter.active

    ends, active = asyncio.run(asyncio.wait_for(cancelled(), 5))
    assert ends == [type(None), asyncio.CancelledError, type(None), type(None)]
    assert active == 0


def test_a_pause_holds_all_and_the_longer_one_counts():
    async def paused():
        limiter = ConcurrencyLimiter(8)
        limiter.pause(0.1)
        limiter.pause(0.01)
        started = time.monotonic()

        async def one():
            async with limiter.place(1):
                return time.monotonic() - started

        return await asyncio.gather(*(one() for _ in range(4)))

    assert min(asyncio.run(paused())) >= 0.1


def test_the_next_run_goes_on_with_width_and_pause():
    limiter = ConcurrencyLimiter(8)
    limiter.grow()
    limiter.pause(0.05)

    async def after():
        following = ConcurrencyLimiter(8, before=limiter)
        started = time.monotonic()
        async with following.place(1):
            return following.width, time.monotonic() - started

    width, waited = asyncio.run(after())
    assert width == 5
    assert waited > 0.03


# -- so many a minute


class Clockwork(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to just after the next timer whenever nothing else is to do."""

    now = 0.0

    def time(self):
        return self.now

    def _run_once(self):
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0].when() + 1e-6)
        super()._run_once()


def taken(limit, amounts, **changes):
    """When each amount could be used, in seconds from the start."""

    async def take():
        limiter, times, loop = PerMinute(limit, **changes), [], asyncio.get_running_loop()
        for amount in amounts:
            await limiter.acquire(amount)
            times.append(loop.time())
        return times

    with asyncio.Runner(loop_factory=Clockwork) as runner:
        return runner.run(take())


@pytest.mark.parametrize("limit", [1, 10, 60, 121, 600])
def test_no_minute_sees_more_than_the_limit(limit):
    times = taken(limit, [1] * (3 * limit))
    assert max(sum(start <= time < start + 59.999 for time in times) for start in times) == limit
    assert 119 < times[-1] < 183  # three minutes less a second of the limit, at 591 / 600 of the limit or faster


def test_what_is_larger_than_a_second_of_the_limit_waits_its_share():
    times = taken(600, [300, 300])  # 10 at once, then 591 a minute
    assert times == pytest.approx([290 / 591 * 60, 590 / 591 * 60])


def test_a_bucket_that_starts_full_waits_for_the_first_unit():
    assert taken(10, [1], full=True) == pytest.approx([6.0])  # 60 / 10
    assert taken(10, [1]) == [0.0]


def test_requests_a_minute_hold():
    with serve(ok()) as server:
        service(server.url, requests_per_minute=20, minute=0.8).run(calls(10), Told())
    first, *_, last = (request.at for request in server.requests)
    assert last - first >= 9 * 0.04 - 0.02  # one each 0.8 / 20 s; the first may take longest to arrive


def test_requests_a_minute_hold_from_run_to_run():
    with serve(ok()) as server:
        client = service(server.url, requests_per_minute=20, minute=3.0)
        for one in calls(5):
            client.run([one], Told())
    first, *_, last = (request.at for request in server.requests)
    assert last - first >= 4 * 0.15 - 0.05


def test_tokens_a_minute_hold():
    with serve(ok()) as server:  # each call: 84 + 16 = 100 tokens
        service(server.url, tokens_per_minute=1000, minute=1.0).run(
            [call("x" * 333 + str(n)) for n in range(6)], Told()
        )
    assert server.requests[-1].at - server.requests[0].at >= 0.49  # 500 tokens at 985 a second


def test_a_call_larger_than_a_minute_is_an_error_before_anything_is_asked():
    told = Told()
    with serve(ok()) as server, pytest.raises(UsageError, match=r"about 1116 tokens \(16 of them for the reply\)"):
        service(server.url, tokens_per_minute=1000).run([call("small"), call("x" * 4400)], told)
    assert not told
    assert not server.requests


def test_tokens_are_estimated_from_bytes():
    assert tokens(call("a" * 400, max_tokens=50)) == 150  # 400 / 4 + 50
    assert tokens(call("汉" * 400, max_tokens=50)) == 350  # 1200 / 4 + 50
    assert tokens(call("\ud800", max_tokens=50)) == 51


# -- Retry-After


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after": "2", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "2", "retry-after-ms": "soon"}, 2.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),  # long ago
        *(({"retry-after": text}, None) for text in ("", "-1", "nan", "inf", "1e5", "soon", "9" * 400, "1;2", "٣")),
    ],
)
def test_retry_after(headers, seconds):
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date_counts_from_now_where_the_server_says_no_date():
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 88 < retry_after({"retry-after": until}) <= 90


@given(st.text(), st.text())
def test_retry_after_never_raises_and_is_never_negative(text, date):
    seconds = retry_after({"retry-after": text, "date": date})
    assert seconds is None or seconds >= 0
