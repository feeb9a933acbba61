"""The account feed keeps what an account has, tells the rest once, and is bounded by what an account can have."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from bulkhead.client import AccountFeed, Unreadable
from bulkhead.client.account import ORDERS_MAX
from bulkhead.client.models import Trade
from bulkhead.limits import MARKETS_MAX, ORDERS_PER_ACCOUNT_MAX
from tests.client.hostile import run


def order(number: int, status: str = "NEW") -> dict[str, Any]:
    return {
        "id": number, "externalId": str(number), "market": "BTC-USD", "type": "LIMIT", "side": "BUY", "status": status,
        "qty": "1", "price": "1",
    }  # fmt: skip


def fill(number: int) -> dict[str, Any]:
    return {
        "id": number, "market": "BTC-USD", "orderId": 1, "side": "BUY", "price": "1", "qty": "1", "value": "1",
        "fee": "0", "isTaker": True, "tradeType": "TRADE", "createdTime": number,
    }  # fmt: skip


def position(market: str) -> dict[str, Any]:
    names = ("size", "openPrice", "markPrice", "unrealisedPnl", "realisedPnl", "leverage")
    return {"id": 1, "market": market, "status": "OPENED", "side": "LONG", **dict.fromkeys(names, "1")}


def feed_of(trader: Any = None) -> AccountFeed:
    made = SimpleNamespace(account_id=128, api_key="key") if trader is None else trader
    return AccountFeed(SimpleNamespace(), made)  # type: ignore[arg-type]


def test_orders_that_have_left_are_not_kept() -> None:
    feed = feed_of()
    for number in range(3 * ORDERS_MAX):
        feed.take("ACCOUNT.ORDER", {"orders": [order(number)]}, 0)
        feed.take("ACCOUNT.ORDER", {"orders": [order(number, "CANCELLED")]}, 0)
        feed.take("ACCOUNT.TRADE", {"trades": [fill(number)]}, 0)
        feed._items.clear()
    assert feed.orders == {} and feed._error is None
    kept = [value for value in vars(feed).values() if isinstance(value, set | dict | list) and value]
    assert all(value is feed.params() for value in kept), "nothing grows with what has happened"


@pytest.mark.parametrize("what", ["orders", "positions"])
def test_an_exchange_that_tells_of_more_than_an_account_can_have_ends_the_feed(what: str) -> None:
    async def work() -> None:
        feed = feed_of()
        rows = {
            "orders": [order(number) for number in range(ORDERS_MAX + 1)],
            "positions": [position(str(number)) for number in range(MARKETS_MAX + 1)],
        }[what]
        feed.take("ACCOUNT.ORDER", {what: rows[:-1]}, 0)
        assert feed._error is None and len(feed.orders) + len(feed.positions) >= MARKETS_MAX
        feed.take("ACCOUNT.ORDER", {what: rows[-1:]}, 0)
        feed._items.clear()
        with pytest.raises(Unreadable, match="more open orders or positions than an account can have"):
            await feed.next()

    assert ORDERS_MAX >= ORDERS_PER_ACCOUNT_MAX
    run(work)


def test_fills_of_a_break_are_told_once_though_others_come_while_they_are_asked_for() -> None:
    go = asyncio.Event()

    class Asked:
        account_id, api_key = 128, "key"

        async def trades(self, limit: int) -> list[Trade]:
            await go.wait()
            return [msgspec.convert(fill(number), Trade, strict=False) for number in range(9, 0, -1)]

    async def work() -> None:
        feed = feed_of(Asked())
        for trades in ([], [1, 2, 3]):
            if not trades:
                feed.take("ACCOUNT.ORDER", {"isSnapshot": True, "orders": []}, 0)
            for number in trades:
                feed.take("ACCOUNT.TRADE", {"trades": [fill(number)]}, 0)
        feed.take("ACCOUNT.ORDER", {"isSnapshot": True, "orders": []}, 0)  # the connection broke, and is there again
        feed.take("ACCOUNT.TRADE", {"trades": [fill(8)]}, 0)
        feed.take("ACCOUNT.TRADE", {"trades": [fill(9)]}, 0)
        await asyncio.sleep(0)
        go.set()
        told: list[int] = []
        while len(told) < 9:
            told += [trade.id for trade in (await feed.next()).trades]
        assert told == [1, 2, 3, 8, 9, 4, 5, 6, 7] and not feed._items

    run(work)
