"""Candles of a market at one interval, with mark and index beside them, kept for as long as a screen shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from bulkhead.client import Exchange
from bulkhead.client.models import Candle
from bulkhead.terminal.live.follow import again, follow
from bulkhead.terminal.live.link import Link
from bulkhead.terminal.live.topic import Topic

KEPT = 480
LEAST = 60
REPAIR_S = 60.0  # all of it is asked for again, so that what a break has cost comes back
INTERVALS = {
    "PT1M": 60_000, "PT5M": 300_000, "PT15M": 900_000, "PT1H": 3_600_000, "PT4H": 14_400_000, "P1D": 86_400_000,
}  # fmt: skip
KINDS = {"last": "trades", "mark": "mark-prices", "index": "index-prices"}  # on the stream, and by REST


class Bar(NamedTuple):
    """One span: what was traded (None where nothing was), and the mark and index prices beside it."""

    time_ms: int
    traded: Candle | None
    marked: Candle | None
    indexed: Candle | None


class LiveCandles(Topic):
    """Follow them by `start`, until `stop`. `bars` are the newest, oldest first.

    `begins_ms` is where the venue's own history of the market begins, told by its index, which it has whether anybody
    trades or not; 0 while it is not known, and where there is more than is kept here.
    """

    def __init__(self, exchange: Exchange, link: Link, market: str, interval: str) -> None:
        super().__init__()
        self.market = market
        self.interval = interval
        self.is_known = False
        self.problem = ""
        self.begins_ms = 0
        self._exchange = exchange
        self._link = link
        self._found: dict[str, dict[int, Candle]] = {kind: {} for kind in KINDS}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def bars(self) -> list[Bar]:
        """By time; a span without a trade has a place, too."""
        times = sorted({time_ms for found in self._found.values() for time_ms in found})[-KEPT:]
        span_ms = INTERVALS[self.interval]
        if times and len(times) < LEAST:  # a young market: its candles keep the width they will have
            times = [*range(times[0] - (LEAST - len(times)) * span_ms, times[0], span_ms), *times]
        traded, mark, index = (self._found[kind] for kind in KINDS)
        return [Bar(time_ms, traded.get(time_ms), mark.get(time_ms), index.get(time_ms)) for time_ms in times]

    def start(self) -> Callable[[], None]:
        """Follow them; call what is returned to end it."""
        self._tasks = [asyncio.create_task(self._follow(kind), name=f"candles {kind}") for kind in KINDS]
        self._tasks.append(asyncio.create_task(again("candles", REPAIR_S, self._load), name="candles"))
        return self.stop

    def stop(self) -> None:
        """Follow them no more."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    async def _load(self) -> None:
        await self._link.ready()
        ask = self._exchange.candles
        answers = await asyncio.gather(
            *(ask(self.market, self.interval, kind=path, limit=KEPT) for path in KINDS.values())
        )
        for kind, found in zip(KINDS, answers, strict=True):
            self._found[kind] = {candle.time_ms: candle for candle in reversed(found)}
        indexed = self._found["index"]
        self.begins_ms = min(indexed) if 0 < len(indexed) < KEPT else 0  # it would have told of older ones
        self.is_known = True
        self.tell()

    async def _follow(self, kind: str) -> None:
        feeds = await self._link.ready()

        def take(candle: Candle) -> None:
            found = self._found[kind]
            found[candle.time_ms] = candle
            while len(found) > KEPT:
                del found[min(found)]
            self.tell()

        def failed(why: str) -> None:
            self.problem = why

        await follow(f"candles {kind}", lambda: feeds.candles(self.market, self.interval, kind), take, failed)
