"""A market as the terminal keeps it, and whose clock it goes by."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from bulkhead.client import ClientError, Exchange, Feeds, OtherExchange, PublicTrade, RateLimited, Refused, Unreachable
from bulkhead.client.feeds import TradeFeed
from bulkhead.terminal.live.link import Link, LinkState
from bulkhead.terminal.live.market import LiveMarket
from bulkhead.terminal.live.topic import now_ms


def trade(number: int, time_ms: int) -> PublicTrade:
    return PublicTrade(
        id=number, market="BTC-USD", side="BUY", price=Decimal(1), quantity=Decimal(1), trade_type="TRADE",
        time_ms=time_ms,
    )  # fmt: skip


BEFORE = [trade(number, 1_000 + number) for number in (7, 8, 9)]
ANEW = [trade(number, 5_000 + number) for number in (1, 2, 8)]


def test_an_exchange_that_began_anew_is_followed_though_its_numbers_are_lower() -> None:
    market = LiveMarket(cast(Exchange, None), cast(Link, None), cast(Any, SimpleNamespace(name="BTC-USD")))
    for each in [*BEFORE, BEFORE[0], BEFORE[2]]:  # told again after a break
        market._trade(each)
    assert list(market.trades) == BEFORE[::-1]
    for each in ANEW:
        market._trade(each)
    assert list(market.trades) == ANEW[::-1]


def test_a_feed_of_trades_goes_on_with_another_history_and_tells_nothing_twice() -> None:
    async def work() -> None:
        feed = TradeFeed(cast(Any, None), "trades", {"selector": {"market": "BTC-USD"}}, cast(Exchange, None))
        for each in [*BEFORE, BEFORE[1], *ANEW, ANEW[0]]:
            feed._tell(each)
        assert [await feed.next() for _ in range(6)] == BEFORE + ANEW
        assert not feed._items

    asyncio.run(work())


class Known:
    """An exchange that is the known one, unless a test has it raise something."""

    error: ClientError | None = None

    async def domain(self, *, anew: bool) -> None:
        if self.error is not None:
            raise self.error


def test_who_was_found_to_be_another_exchange_stays_so_until_it_is_known_to_be_the_right_one() -> None:
    async def work() -> None:
        async def ping() -> int:
            return now_ms()

        exchange, other = Known(), OtherExchange("another exchange answers")
        busy = RateLimited(Refused(429, 429, "too many"), 1.0)
        link, feeds = Link(cast(Exchange, exchange)), cast(Any, SimpleNamespace(socket=SimpleNamespace()))
        feeds.socket.is_connected, feeds.socket.ping = True, ping
        for error, state in (
            (None, LinkState.LIVE), (busy, LinkState.LIVE), (other, LinkState.OTHER), (busy, LinkState.OTHER),
            (Unreachable("gone"), LinkState.DOWN), (busy, LinkState.OTHER), (None, LinkState.LIVE),
        ):  # fmt: skip
            exchange.error = error
            await link._ask(feeds)
            assert link.state is state and (link.other is None) == (state is LinkState.LIVE)

    asyncio.run(work())


def test_ages_go_by_the_clock_of_who_dated_them() -> None:
    async def work(ahead_ms: int) -> Link:
        async def ping() -> int:
            return now_ms() + ahead_ms

        link = Link(cast(Exchange, Known()))
        await link._ask(cast(Feeds, SimpleNamespace(socket=SimpleNamespace(is_connected=True, ping=ping))))
        return link

    hour_ms = 3_600_000
    assert Link(cast(Exchange, None)).ahead_ms == 0
    assert asyncio.run(work(400)).ahead_ms == 0  # the way of an answer
    for ahead_ms in (hour_ms, -hour_ms):
        link = asyncio.run(work(ahead_ms))
        assert abs(link.ahead_ms - ahead_ms) < 1_000
        assert abs(link.exchange_ms - now_ms() - ahead_ms) < 1_000
