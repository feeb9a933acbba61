"""An exchange by its URL: what everybody may see. `trader` makes of it what one account may do. Start reading here."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from decimal import Decimal
from types import TracebackType

from bulkhead.client.answers_venue import Asset, OpenInterest
from bulkhead.client.errors import ClientError, Refused, Unreachable, Unreadable
from bulkhead.client.evidence import Books
from bulkhead.client.feeds import Feeds
from bulkhead.client.identity import check_identity
from bulkhead.client.models import Candle, Depth, FundingRate, Market, PublicTrade, SigningDomain, Statistics
from bulkhead.client.signer import Signer
from bulkhead.client.trader import Trader
from bulkhead.client.transport import Transport

INFO = "/api/v1/info"
RPC_PATH = "/stream.extended.exchange/v2/rpc"
HELD_S = 2.0  # then whoever answers is asked again who it is


class Exchange:
    """One exchange. `async with Exchange(url) as exchange:` closes connections in the end.

    Every call may raise Refused, RateLimited, Unreachable or Unreadable; those that sign, and those that are refused
    for their keys, OtherExchange too.
    """

    def __init__(self, url: str) -> None:
        self.transport = Transport(url)
        self._markets: dict[str, Market] = {}
        self._domain: SigningDomain | None = None
        self._is_held = False  # whoever answered last was found to be the one that is known
        self._held_until_s = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._asking = asyncio.Lock()
        self._feeds: list[Feeds] = []

    # -- what everybody may see ----------------------------------------------------------------------------------------

    async def markets(self) -> dict[str, Market]:
        """Every market by name, as it is now."""
        found = await self.transport.ask("GET", f"{INFO}/markets", list[Market])
        self._markets = {market.name: market for market in found}
        return dict(self._markets)

    async def market(self, name: str) -> Market:
        """A market's terms; looked up once, so its statistics may be old. KeyError where there is none."""
        if name not in self._markets:
            await self.markets()
        return self._markets[name]

    async def statistics(self, market: str) -> Statistics:
        """Prices, funding and volume of now."""
        return await self.transport.ask("GET", f"{INFO}/markets/{market}/stats", Statistics)

    async def depth(self, market: str) -> Depth:
        """The best hundred prices of each side."""
        return await self.transport.ask("GET", f"{INFO}/markets/{market}/orderbook", Depth)

    async def trades(self, market: str, limit: int = 100) -> list[PublicTrade]:
        """The last trades, newest first; no more than 1,000."""
        return await self.transport.ask(
            "GET", f"{INFO}/markets/{market}/trades", list[PublicTrade], query={"limit": limit}
        )

    async def candles(
        self, market: str, interval: str = "PT1M", *, kind: str = "trades", limit: int = 100, end_ms: int | None = None
    ) -> list[Candle]:
        """Candles, newest first. `kind`: trades, mark-prices or index-prices."""
        query = {"interval": interval, "limit": limit, "endTime": end_ms}
        return await self.transport.ask("GET", f"{INFO}/candles/{market}/{kind}", list[Candle], query=query)

    async def funding(self, market: str, limit: int = 100) -> list[FundingRate]:
        """Funding rates that were paid, newest first."""
        return await self.transport.ask(
            "GET", f"{INFO}/{market}/funding", list[FundingRate], query={"limit": limit}
        )

    async def open_interest(self, market: str, interval: str = "PT1H", limit: int = 100) -> list[OpenInterest]:
        """Open interest at each hour (PT1H) or day (P1D), newest first."""
        query = {"interval": interval, "limit": limit}
        return await self.transport.whole("GET", f"{INFO}/{market}/open-interests", list[OpenInterest], query=query)

    async def assets(self) -> list[Asset]:
        """Collateral, and what the markets are of."""
        return await self.transport.whole("GET", f"{INFO}/assets", list[Asset])

    async def domain(self, *, anew: bool = False) -> SigningDomain:
        """Where signatures count: for good what was told first, or is expected. Whoever answers is held to it again
        when that is more than HELD_S ago, for another exchange may have come up there: beside the call, for no order
        of a trader's waits for that, and before it with `anew`, or until it has been found to be the known one. Raises
        OtherExchange, and OtherVersion for what this software does not know, as long as that is so."""
        if anew or self._domain is None or not self._is_held:
            async with self._asking:
                if anew or self._domain is None or not self._is_held:
                    await self._identify()
        elif time.monotonic() > self._held_until_s and (self._looking is None or self._looking.done()):
            self._held_until_s = time.monotonic() + HELD_S  # one question, whatever comes of it
            self._looking = asyncio.create_task(self._look_beside())
        assert self._domain is not None, "identified"
        return self._domain

    async def _identify(self) -> None:
        """Ask who answers, and hold it to what is known."""
        told = await self.transport.ask("GET", f"{INFO}/starknet", SigningDomain)
        self._is_held = False
        check_identity(told, self._domain, self.transport.url)
        self._domain, self._is_held = self._domain or told, True
        self._held_until_s = time.monotonic() + HELD_S

    async def _look_beside(self) -> None:
        """What it finds, the next call raises."""
        with suppress(ClientError):
            await self.domain(anew=True)

    async def look_again(self) -> None:
        """After a refusal of keys: it is named where another exchange refuses them. Raises OtherExchange."""
        with suppress(Refused, Unreachable, Unreadable):
            await self.domain(anew=True)

    def expect(self, known: SigningDomain | None) -> None:
        """Hold the exchange to what was told elsewhere, as when keys were made for it; None: to what it tells next."""
        self._domain, self._is_held = known, False

    @property
    def books(self) -> Books:
        """Solvency, insurance, liquidations, batches, the journal's hash chain."""
        return Books(self.transport)

    # -- accounts and streams ------------------------------------------------------------------------------------------

    async def trader(self, api_key: str, private_key: int | str) -> Trader:
        """An account, by its API key and its Stark key. Raises Refused for a key that is not good, and ValueError
        for a Stark key that is not this account's."""
        secret = int(private_key, 16) if isinstance(private_key, str) else private_key
        signer = Signer((await self.domain()).named, 0, secret, self.transport.clock.signing_s)
        trader = Trader(self, api_key, signer)
        account = await trader.account()
        if int(account.l2_key, 16) != trader.signer.key:
            raise ValueError(f"the Stark key is not the one of account {account.id}")
        trader.signer.account_id = account.l2_vault
        return trader

    async def feeds(self) -> Feeds:
        """Live updates on one connection, which is made now and made again whenever it breaks."""
        url = self.transport.url.replace("http", "ws", 1) + RPC_PATH
        feeds = Feeds(self, url)
        await feeds.open()
        self._feeds.append(feeds)
        return feeds

    async def mid(self, market: str) -> Decimal:
        """Half-way between best bid and ask; the index price where a side is empty."""
        now = await self.statistics(market)
        if now.bid_price and now.ask_price:
            return (now.bid_price + now.ask_price) / 2
        return now.index_price

    async def close(self) -> None:
        """Close streams and connections."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        for feeds in self._feeds:
            await feeds.close()
        self._feeds.clear()
        await self.transport.close()

    async def __aenter__(self) -> Exchange:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
