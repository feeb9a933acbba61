"""Feeds of a client whose node is killed and comes back: it finds the same book, its orders and every fill."""

from __future__ import annotations

import asyncio
import socket
from decimal import Decimal
from pathlib import Path

from bulkhead.client import Exchange, Exit, NewOrder, Owner
from tests.api.remote import Remote

MARKET = "BTC-USD"


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


async def follow(folder: Path, port: str) -> None:
    """Trade, kill, start again, trade on: on the same feeds."""
    remote = Remote(folder, BULKHEAD_HTTP__PORT=port)
    try:
        async with Exchange(remote.url) as exchange:
            maker = await Owner(exchange, "0x" + "31" * 32).trader()
            await maker.claim_test_money()
            feeds = await exchange.feeds()
            book, account, trades = (
                await feeds.book(MARKET), await feeds.account(maker), await feeds.trades(MARKET),
            )  # fmt: skip
            price = await exchange.mid(MARKET) // 10 * 10
            for step in range(1, 4):
                await maker.place(NewOrder(market=MARKET, side="BUY", quantity="0.1", price=price - 10 * step))
            while len(account.orders) < 3 or len(book.bids) < 3:
                await asyncio.sleep(0.01)
            kept = dict(book.bids)
            remote.kill()
            remote = Remote(folder, BULKHEAD_HTTP__PORT=port)
            # The first thing that is sent goes out on a connection which is gone: it is asked for, and sent again.
            again = await maker.place(NewOrder(market=MARKET, side="BUY", quantity="0.2", price=price - 200))
            assert again.id in {order.id for order in await maker.orders()}
            kept[price - 200] = Decimal("0.2")
            taker = await Owner(exchange, "0x" + "32" * 32).trader()
            await taker.claim_test_money()
            await taker.place(NewOrder(market=MARKET, side="SELL", quantity="0.1", price=price - 10))
            fill = await asyncio.wait_for(trades.next(), 20)
            assert (fill.price, fill.quantity) == (price - 10, Decimal("0.1"))
            del kept[price - 10]
            async with asyncio.timeout(20):
                while not book.is_current or book.bids != kept:
                    await book.changed()
                while len(account.orders) != 3 or account.size(MARKET) != Decimal("0.1"):
                    await account.next()
            assert feeds.socket.reconnects >= 1
            first = await taker.protect(MARKET, stop_loss=Exit(trigger=price + 4_000, price=price + 5_000))
            remote.kill()
            remote = Remote(folder, BULKHEAD_HTTP__PORT=port)
            stop = Exit(trigger=price + 3_000, price=price + 5_000)
            second = await taker.protect(MARKET, stop_loss=stop, replaces=first.external_id)
            [left] = await taker.orders(MARKET)
            assert left.id == second.id and left.stop_loss is not None
            assert left.stop_loss.trigger_price == price + 3_000
            assert (await taker.order(first.id)).status_reason == "ORDER_REPLACED"
    finally:
        remote.stop()


def test_feeds_go_on_when_a_killed_node_comes_back(tmp_path: Path) -> None:
    asyncio.run(follow(tmp_path, free_port()))
