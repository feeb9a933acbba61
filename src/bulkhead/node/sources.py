"""Where index prices come from: a source gives dollars for one whole coin, by market name. Live, or a random walk.

Recorded prices are a source as well; they come from the lab, which stands above the node and hands one in.
"""

from __future__ import annotations

import asyncio
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import structlog

log = structlog.get_logger("bulkhead.prices")

LIVE_TIMEOUT_S = 5.0


class SourceError(Exception):
    """A source that cannot be made, or that has nothing to say now; the text says why."""


class Source(Protocol):
    """Anything that knows prices."""

    name: str

    async def prices(self) -> Mapping[str, float]:
        """The prices of now, by market name. A market that is left out keeps its old price and grows stale."""

    async def close(self) -> None:
        """Let go of connections."""


class Walk:
    """Simulated: every market wanders from its first price, by a seed. It means nothing, and is called simulated."""

    def __init__(self, start: Mapping[str, float], seed: int, step: float = 0.0004) -> None:
        self.name = f"simulated-{seed}"
        self._now = dict(start)
        self._step = step
        self._random = random.Random(seed)

    async def prices(self) -> Mapping[str, float]:
        """The next step of the walk."""
        for name, price in self._now.items():
            self._now[name] = price * (1 + self._random.gauss(0, self._step))
        return dict(self._now)

    async def close(self) -> None:
        """Nothing to let go of."""


class Live:
    """The median of several venues' last prices, through ccxt. A market needs a majority of the venues."""

    def __init__(self, venues: Sequence[str], markets: Sequence[str]) -> None:
        import ccxt.async_support as ccxt  # a second, which only live prices have to wait

        unknown = [name for name in venues if name not in ccxt.exchanges]
        if unknown or not venues:
            raise SourceError(f"no venue of live prices: {', '.join(unknown) or 'none is named'}; see ccxt.exchanges")
        self.name = "live: " + ", ".join(venues)
        self._venues: list[Any] = [
            getattr(ccxt, name)({"enableRateLimit": True, "timeout": int(LIVE_TIMEOUT_S * 1000)}) for name in venues
        ]
        self._silent: dict[str, str] = {}  # who had no vote last time, and why
        self._loading: dict[str, asyncio.Task[Any]] = {}  # lists of markets, by venue
        self._symbols = {name: name.split("-")[0] for name in markets}

    async def prices(self) -> Mapping[str, float]:
        """Asks every venue at once; whoever is silent, or late, has no vote."""
        tables = await asyncio.gather(*(self._table(venue) for venue in self._venues))
        found: dict[str, float] = {}
        for market, symbol in self._symbols.items():
            said = [table[symbol] for table in tables if symbol in table]
            if 2 * len(said) > len(self._venues):
                found[market] = statistics.median_low(said)
        if not found:
            raise SourceError(f"{self.name}: no market has a price from a majority of the venues")
        return found

    async def _table(self, venue: Any) -> dict[str, float]:
        """What one venue says. One that fails has no vote; the majority is counted by whoever asked."""
        found: dict[str, float] = {}
        reason = ""
        try:
            async with asyncio.timeout(LIVE_TIMEOUT_S):
                await self._markets(venue)
                for symbol in self._symbols.values():
                    for quote in ("USDT", "USD", "USDC"):
                        if f"{symbol}/{quote}" in venue.markets:
                            last = float((await venue.fetch_ticker(f"{symbol}/{quote}"))["last"] or 0)
                            if math.isfinite(last) and last > 0:
                                found[symbol] = last
                            break
        except Exception as error:  # ccxt reads what strangers answer, and garbage raises whatever it raises there
            reason = type(error).__name__
        if reason and reason != self._silent.get(venue.id):
            log.warning("a venue has no vote", venue=venue.id, reason=reason)
        self._silent[venue.id] = reason
        return found

    async def _markets(self, venue: Any) -> None:
        """Have a venue's list of markets: loaded once, however many ticks that takes, and again where it failed."""
        loading = self._loading.get(venue.id)
        if loading is None or (loading.done() and (loading.cancelled() or loading.exception() is not None)):
            loading = self._loading[venue.id] = asyncio.create_task(venue.load_markets())
        await asyncio.shield(loading)

    async def close(self) -> None:
        """Close every venue's connections."""
        for loading in self._loading.values():
            loading.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        for venue in self._venues:
            await venue.close()
