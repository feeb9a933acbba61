"""Streams of an exchange that skips, repeats, or has another history than it had: never told as current."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from bulkhead.client import AccountFeed, Refused, Unreadable
from bulkhead.client import account as account_module
from tests.client.hostile import exchange_that, run, talks


def book(seq: int, kind: str, size: str) -> dict[str, Any]:
    data = {"b": [{"p": "10", "c": size}], "a": []}
    return {"seq": seq, "type": kind, "subscription": "orderbooks.X", "ts": 0, "data": data}


@pytest.mark.parametrize("numbers", [(2, 4), (2, 2), (2, 1)], ids=["skipped", "twice", "out of order"])
def test_a_book_after_a_frame_that_was_not_due_is_old_until_the_next_snapshot(numbers: tuple[int, int]) -> None:
    """Whoever waits for changes is woken to see that, however long the snapshot takes."""
    asked: list[str] = []

    async def work() -> None:
        free = asyncio.Event()

        async def hear(socket: web.WebSocketResponse, text: str) -> None:
            question = json.loads(text)
            asked.append(question["method"])
            if len(asked) == 2:
                await free.wait()
            await socket.send_json({"id": question["id"], "result": {}})
            if len(asked) == 1:
                await socket.send_json(book(1, "SNAPSHOT", "5"))
                await asyncio.sleep(0.1)
                for number in numbers:
                    await socket.send_json(book(number, "DELTA", str(number)))
                    await asyncio.sleep(0.1)  # whoever waits has seen the one before
            else:
                await socket.send_json(book(9, "SNAPSHOT", "7"))

        async with exchange_that(talks(hear)) as exchange:
            feed = await (await exchange.feeds()).book("X")
            assert feed.bids == {Decimal(10): Decimal(5)}
            async with asyncio.timeout(5):
                while feed.is_current:
                    await feed.changed()
                free.set()
                while not feed.is_current:
                    await feed.changed()
            assert feed.bids == {Decimal(10): Decimal(7)} and asked == ["subscribe", "subscribe"]

    run(work)


class Other:
    """A trader at an exchange that began anew, or went back."""

    account_id, api_key = 1, "key"

    def __init__(self) -> None:
        self.asked = 0

    async def order(self, order_id: int) -> None:
        self.asked += 1
        raise Refused(404, 1142, "there is no such order")

    async def trades(self, limit: int) -> list[Any]:
        return []


@pytest.mark.parametrize(("order_ids", "said"), [([5], "another history"), ([], "gone back")])
def test_an_account_of_another_history_is_begun_anew_and_not_asked_for_without_end(
    order_ids: list[int], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_module, "REPAIR_PAUSE_S", 0.0)

    async def work() -> None:
        other: Any = Other()
        feed = AccountFeed(None, other)  # type: ignore[arg-type]
        feed._last_trade = 900
        feed._has_begun = True
        feed.orders = dict.fromkeys(order_ids)  # type: ignore[assignment]
        feed.take("ACCOUNT.ORDER", {"isSnapshot": True, "orders": []}, 0)
        with pytest.raises(Unreadable, match=said):
            while True:
                await asyncio.wait_for(feed.next(), 5)
        assert other.asked == len(order_ids)

    run(work)
