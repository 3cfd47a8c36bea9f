"""Pace of requests to a server: concurrency that adapts, pauses that it asks for, limits per minute."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiolimiter import AsyncLimiter

from s2eval.llm.calls import Call
from s2eval.llm.prices import CHARACTERS


def tokens(call: Call) -> int:
    """About how many tokens a server counts against its limit for a call: the prompt's, and `max_tokens`.

    Bytes are counted as characters: scripts other than Latin have more bytes and more tokens.

    >>> from s2eval.llm.calls import Message
    >>> tokens(Call("s", "m", (Message("user", "a" * 400),), temperature=0, max_tokens=50))
    150
    """
    size = sum(len(message.content.encode(errors="replace")) for message in call.messages)
    return math.ceil(size / CHARACTERS) + call.max_tokens


class PerMinute:
    """At most `limit` units in any minute of `minute` seconds.

    A leaky bucket that holds one second's worth, b = max(1, limit / 60), and leaks (limit - b + 1) a minute: with whole
    units no minute sees more than the limit, the first one included. Larger amounts are taken in pieces. The bucket
    starts `full` where requests have just been made.
    """

    def __init__(self, limit: int, minute: float = 60.0, *, full: bool = False) -> None:
        self._piece = max(1, limit // 60)
        rate = (limit - self._piece + 1) / minute
        self._bucket = AsyncLimiter(self._piece, self._piece / rate)
        self._full = full

    async def acquire(self, amount: int) -> None:
        """Wait until `amount` units may be used."""
        if self._full:
            self._full = False
            await self._bucket.acquire(self._piece)
        while amount > 0:
            await self._bucket.acquire(min(amount, self._piece))
            amount -= self._piece


class ConcurrencyLimiter:
    """Lets calls through to a server in order of arrival; for one event loop.

    At first half of `most` may be under way at once, one more after each success, half as many after a refusal for
    too many, at least one. Refusals of calls that started before the last halving change nothing: they belong to the
    same burst. The width, pause and minutes of `before`, the limiter of an earlier loop, continue.
    """

    def __init__(
        self,
        most: int,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        minute: float = 60.0,
        before: ConcurrencyLimiter | None = None,
    ) -> None:
        self.most = most
        self.width = before.width if before else max(1, most // 2)
        self.active = 0
        self._resume = before._resume if before else 0.0
        self._halvings = 0
        self._last = before._last if before else -math.inf
        full = time.monotonic() - self._last < minute
        self._requests = PerMinute(requests_per_minute, minute, full=full) if requests_per_minute else None
        self._tokens = PerMinute(tokens_per_minute, minute, full=full) if tokens_per_minute else None
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def place(self, size: int) -> AsyncIterator[int]:
        """Wait for a place, for a call of `size` tokens; gives the ticket for `shrink`."""
        async with self._turn:
            if self._requests:
                await self._requests.acquire(1)
            if self._tokens:
                await self._tokens.acquire(size)
            # until no pause is on and fewer calls are under way than may be
            while (pause := self._resume - time.monotonic()) > 0 or self.active >= self.width:
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause if pause > 0 else None):
                        await self._changed.wait()
            self.active += 1
            self._last = time.monotonic()
        try:
            yield self._halvings
        finally:
            self.active -= 1
            self._changed.set()

    async def resumed(self) -> None:
        """Wait until no pause is on."""
        while (pause := self._resume - time.monotonic()) > 0:
            await asyncio.sleep(pause)

    def grow(self) -> None:
        """A call succeeded."""
        self.width = min(self.most, self.width + 1)
        self._changed.set()

    def shrink(self, ticket: int) -> None:
        """The call with this ticket was too many."""
        if ticket == self._halvings:
            self._halvings += 1
            self.width = max(1, self.width // 2)

    def pause(self, seconds: float) -> None:
        """Let no call through for so long; a longer pause that is already on stays."""
        self._resume = max(self._resume, time.monotonic() + seconds)
