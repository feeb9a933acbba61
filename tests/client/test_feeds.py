"""Feeds over a connection that breaks and loses frames: books stay exact, and nothing is missed or told twice."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from bulkhead.client import Exchange, NewOrder, Owner, Refused, TooSlow, Trader, Unreadable
from bulkhead.client import feeds as feeds_module
from bulkhead.client.feeds import BookFeed, Feeds, TradeFeed
from tests.api.live import Live
from tests.api.streams.sockets import real_book
from tests.client.test_client import on, rich

MARKET = "ETH-USD"


def order(side: str, quantity: str, price: int) -> NewOrder:
    return NewOrder(market=MARKET, side=side, quantity=quantity, price=price)


async def agree(live: Live, book: BookFeed) -> None:
    """Wait until the book is the engine's."""
    for _ in range(200):
        real = await asyncio.to_thread(real_book, live, MARKET)
        if book.is_current and (book.bids, book.asks) == (real["b"], real["a"]):
            return
        await asyncio.sleep(0.02)
    raise AssertionError((book.bids, book.asks, real))


async def trade(maker: Trader, taker: Trader, price: int, times: int) -> list[int]:
    """Some trades; their ids as everybody sees them."""
    for _ in range(times):
        await maker.place(order("SELL", "0.01", price))
        await taker.place(order("BUY", "0.01", price))
    return [one.id for one in reversed(await maker.exchange.trades(MARKET, times))]


async def taken(feed: TradeFeed, count: int) -> list[int]:
    """The ids of the next trades."""
    return [(await asyncio.wait_for(feed.next(), 10)).id for _ in range(count)]


def test_a_book_is_kept_through_breaks_and_lost_frames(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        maker, feeds = await rich(exchange, 21), await exchange.feeds()
        book = await feeds.book(MARKET)
        for price in range(2_990, 2_995):
            await maker.place(order("BUY", "0.2", price))
        await agree(live, book)
        assert book.best == (Decimal(2_994), None)
        await feeds.socket.break_off()
        await maker.cancel_all()
        await maker.place(order("BUY", "0.7", 2_980))
        await agree(live, book)
        assert feeds.socket.reconnects == 1
        lose_next(feeds)
        await maker.place(order("SELL", "0.4", 3_020))
        await asyncio.sleep(0.1)
        await maker.place(order("SELL", "0.4", 3_030))
        await agree(live, book)
        assert feeds.socket.gaps == 1 and book.best == (Decimal(2_980), Decimal(3_020))
        await maker.cancel_all()

    on(live, work)


def lose_next(feeds: Feeds) -> None:
    """The next frame that is not an answer never arrives."""
    real = feeds.socket._frame

    def lossy(frame: dict[str, Any]) -> None:
        if "subscription" in frame:
            feeds.socket._frame = real
        else:
            real(frame)

    feeds.socket._frame = lossy


@pytest.mark.parametrize("market", [MARKET, "LTC-USD"], ids=["traded before", "never traded"])
def test_a_trade_of_a_break_before_the_first_one_is_told(
    live: Live, market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = {MARKET: 2_999, "LTC-USD": 80}[market]

    async def work(exchange: Exchange) -> None:
        maker, taker = await rich(exchange, 44), await rich(exchange, 45)

        async def once() -> int:
            terms = {"market": market, "quantity": "0.1", "price": price}
            await maker.place(NewOrder(side="SELL", **terms))  # type: ignore[arg-type]
            await taker.place(NewOrder(side="BUY", **terms))  # type: ignore[arg-type]
            return (await exchange.trades(market, 1))[0].id

        if market == MARKET:
            await once()
        feeds = await exchange.feeds()
        feed = await feeds.trades(market)
        await asyncio.sleep(0.1)
        gone = asyncio.Event()
        connect = feeds.socket._connect

        async def later() -> None:
            await gone.wait()
            await connect()

        monkeypatch.setattr(feeds.socket, "_connect", later)
        await feeds.socket.break_off()
        missed = await once()
        gone.set()
        assert await taken(feed, 1) == [missed]
        await asyncio.sleep(0.1)
        assert not feed._items

    on(live, work)


def test_no_trade_is_missed_or_told_twice(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        maker, taker = await rich(exchange, 22), await rich(exchange, 23)
        feeds = await exchange.feeds()
        feed = await feeds.trades(MARKET)
        made = await trade(maker, taker, 3_000, 3)
        assert await taken(feed, 3) == made
        await feeds.socket.break_off()
        missed = await trade(maker, taker, 3_001, 4)
        later = await trade(maker, taker, 3_002, 2)
        assert await taken(feed, 6) == missed + later
        lose_next(feeds)
        last = await trade(maker, taker, 3_003, 3)
        assert await taken(feed, 3) == last
        await asyncio.sleep(0.2)
        assert not feed._items

    on(live, work)


def test_the_account_is_followed_through_a_break(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        maker, taker = await rich(exchange, 24), await rich(exchange, 25)
        feeds = await exchange.feeds()
        account = await feeds.account(maker)
        assert account.balance is not None and account.balance.equity == 100_000
        first = await maker.place(order("SELL", "0.5", 3_010))
        while first.id not in account.orders:
            await asyncio.wait_for(account.next(), 10)
        other = await maker.place(order("SELL", "0.1", 3_015))
        while other.id not in account.orders:
            await asyncio.wait_for(account.next(), 10)
        await feeds.socket.break_off()
        await taker.place(order("BUY", "0.5", 3_010))
        fills, ended = set(), None
        while ended is None or not fills:
            update = await asyncio.wait_for(account.next(), 10)
            fills |= {trade.id for trade in update.trades}
            ended = next((one for one in update.orders if one.id == first.id and not one.is_open), ended)
        assert ended.status == "FILLED" and fills == {one.id for one in await maker.trades()}
        assert set(account.orders) == {other.id}
        assert account.size(MARKET) == Decimal("-0.5")
        await maker.cancel_all()
        while account.orders:
            await asyncio.wait_for(account.next(), 10)

    on(live, work)


def test_prices_candles_and_funding_come_as_they_are(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        feeds = await exchange.feeds()
        prices, rates = await feeds.prices("index", MARKET), await feeds.funding(MARKET)
        candles = await feeds.candles(MARKET, "PT1H", "index")
        assert (await asyncio.wait_for(prices.next(), 10)).price > 2_000
        assert (await asyncio.wait_for(rates.next(), 10)).market == MARKET
        assert (await asyncio.wait_for(candles.next(), 10)).volume is None
        await prices.stop()

    on(live, work)


def test_what_cannot_be_subscribed_is_refused_by_name(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        feeds, trader = await exchange.feeds(), await rich(exchange, 26)
        with pytest.raises(Refused, match="-32602"):
            await feeds.book("DOGE-USD")
        trader.api_key = "0" * 64
        with pytest.raises(Refused, match="-32001"):
            await feeds.account(trader)

    on(live, work)


def test_a_feed_that_cannot_be_begun_anew_ends_with_the_reason(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(exchange: Exchange) -> None:
        feeds = await exchange.feeds()
        book, trades = await feeds.book(MARKET), await feeds.trades(MARKET)

        async def unreadable(*given: object) -> None:
            raise Unreadable("made by a test")

        monkeypatch.setattr(feeds.socket, "_subscribe", unreadable)
        await feeds.socket.break_off()
        for waiting in (book.changed(), trades.next()):
            with pytest.raises(Unreadable, match="made by a test"):
                await asyncio.wait_for(waiting, 10)
        assert not book.is_current

    on(live, work)


def test_a_frame_that_nobody_can_read_ends_every_feed(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        feeds = await exchange.feeds()
        trades = await feeds.trades(MARKET)
        for text in ("{", '{"seq":"x"}', '{"subscription":"trades.ETH-USD","type":"","data":[{}],"ts":1,"seq":0}'):
            feeds.socket._heard(text)
            with pytest.raises(Unreadable):
                await trades.next()
            trades._error = None

    on(live, work)


def test_who_does_not_take_trades_is_told(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds_module, "QUEUE_MAX", 2)

    async def work(exchange: Exchange) -> None:
        maker = await rich(exchange, 27)
        taker = await Owner(exchange, "0x" + "1c" * 32).trader()
        await taker.claim_test_money()
        feed = await (await exchange.feeds()).trades(MARKET)
        await trade(maker, taker, 3_000, 4)
        await asyncio.sleep(0.1)
        with pytest.raises(TooSlow):
            await feed.next()

    on(live, work)
