"""A node killed under load: whatever it acknowledged is there when it comes back, in the exchange and in the tables."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from bulkhead.node.replay import open_journal, read_genesis
from bulkhead.node.store.database import Database
from bulkhead.node.store.rebuild import rebuild
from bulkhead.node.store.tables import DERIVED
from tests.api.live import Trader
from tests.api.remote import Remote

LANES = 4


class Lane(threading.Thread):
    """One client that trades until its node is gone, and remembers every answer it had."""

    def __init__(self, trader: Trader, url: str, place: int) -> None:
        super().__init__()
        self.placed: dict[int, dict[str, Any]] = {}  # as it was sent, by the id that was answered
        self.cancelled: set[int] = set()
        self.problems: list[str] = []
        self._trader = trader
        self._place = place
        self._client = httpx.Client(base_url=url, headers={"X-Api-Key": trader.api_key}, timeout=30)

    def run(self) -> None:
        side, price = ("BUY", 59_900) if self._place % 2 else ("SELL", 59_950)
        with self._client:
            for number in range(10_000):
                level = price - number % 7 if side == "BUY" else price - 60 + number % 90
                body = self._trader.order(side, "0.001", str(level))
                try:
                    answer = self._client.post("/api/v1/user/order", json=body)
                    if answer.status_code != 200:
                        self.problems.append(answer.text)
                        continue
                    order_id = answer.json()["data"]["id"]
                    self.placed[order_id] = body
                    if number % 5 == 0:
                        gone = self._client.delete(f"/api/v1/user/order/{order_id}")
                        if gone.status_code == 200:
                            self.cancelled.add(order_id)
                except httpx.HTTPError:
                    return  # the node is gone; this request may or may not have been done


def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every derived row, in the order of its key."""
    with database.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in DERIVED
        }


def test_every_acknowledged_order_survives_a_kill_under_load(tmp_path: Path) -> None:
    first = Remote(tmp_path)
    traders = [Trader(first, 800 + place) for place in range(LANES)]
    for trader in traders:
        trader.claim()
    lanes = [Lane(trader, first.url, place) for place, trader in enumerate(traders)]
    for lane in lanes:
        lane.start()
    while min(len(lane.placed) for lane in lanes) < 60:
        time.sleep(0.02)
    first.kill()
    for lane in lanes:
        lane.join(30)
    second = Remote(tmp_path)
    try:
        for lane, trader in zip(lanes, traders, strict=True):
            assert not lane.problems, lane.problems[:3]
            with httpx.Client(base_url=second.url, headers={"X-Api-Key": trader.api_key}, timeout=30) as client:
                opened = {order["id"] for order in client.get("/api/v1/user/orders").json()["data"]}
                for order_id, body in lane.placed.items():
                    order = client.get(f"/api/v1/user/orders/{order_id}").json()["data"]
                    assert order["externalId"] == body["id"] and order["orderHash"] == hex(int(body["id"]))
                    for name in ("market", "side", "type", "qty", "price", "timeInForce", "reduceOnly", "postOnly"):
                        assert order[name] == body[name], (name, order)
                    is_open = order["status"] in ("NEW", "PARTIALLY_FILLED")
                    assert is_open == (order_id in opened), order
                    assert is_open or order["status"] in ("CANCELLED", "FILLED"), order
                    assert not (is_open and order_id in lane.cancelled), order
                traded = client.get("/api/v1/user/trades").json()["data"]
                assert traded, "the lanes traded with one another"
    finally:
        assert second.stop() == 0
    kept = Database(f"sqlite:///{tmp_path / 'node' / 'derived.sqlite'}")
    anew = Database(f"sqlite:///{tmp_path / 'anew.sqlite'}")
    journal = open_journal(tmp_path / "node", read_genesis(tmp_path / "node"))
    try:
        rebuild(journal, anew)
        before, after = contents(kept), contents(anew)
        assert before["orders"] and before["fills"] and before["positions"] and before["candles"]
        for name, rows in before.items():
            assert after[name] == rows, name
    finally:
        journal.close()
        kept.close()
        anew.close()


def test_an_orderly_end_keeps_books_triggers_and_positions(tmp_path: Path) -> None:
    first = Remote(tmp_path)
    maker, taker = Trader(first, 811), Trader(first, 812)
    for trader in (maker, taker):
        trader.claim()
    maker.placed("BUY", "0.5", "59900")
    parent = taker.order("SELL", "0.2", "59900")
    legs = {
        "tpSlType": "ORDER",
        "takeProfit": taker.leg("BUY", "0.2", "56000", "55000", parent),
        "stopLoss": taker.leg("BUY", "0.2", "66000", "65000", parent),
    }
    assert taker.place({**parent, **legs}).status_code == 200
    private = ("/user/orders", "/user/positions", "/user/trades", "/user/assetOperations")
    paths = (*private, "/info/markets/BTC-USD/orderbook")

    def seen(remote: Remote) -> list[Any]:
        found = []
        for trader in (maker, taker):
            with httpx.Client(base_url=remote.url, headers={"X-Api-Key": trader.api_key}, timeout=30) as client:
                for path in paths:
                    data = client.get(f"/api/v1{path}").json()["data"]
                    found.append([_still(row) for row in data] if isinstance(data, list) else data)
        return found

    before = seen(first)
    assert len(before[5]) == 2, "both legs of the protection wait"
    assert first.stop() == 0
    second = Remote(tmp_path)
    after = seen(second)
    assert second.stop() == 0
    assert after == before


def _still(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what moves with the price, or with the clock."""
    moving = {"finality", "markPrice", "indexPrice", "value", "unrealisedPnl", "margin", "liquidationPrice"}
    return {name: value for name, value in row.items() if name not in moving}
