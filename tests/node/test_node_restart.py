"""A node that ends and comes back: what runs on meanwhile, what a client sends again, and tables that are gone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bulkhead.engine.command import PlaceOrder
from bulkhead.node.settings import Settings
from tests.api.live import Fixed, Live, Trader, settings_for
from tests.api.streams.sockets import Added, Stored, heard, opened, real_book, until

MARKET = "BTC-USD"


def again(live: Live) -> Live:
    """The same exchange, after an orderly end, on the same port."""
    live.stop()
    http = msgspec.structs.replace(live.settings.http, port=int(live.url.rsplit(":", 1)[1]))
    settings: Settings = msgspec.structs.replace(live.settings, http=http)
    return Live(settings, Fixed())


def get(live: Live, trader: Trader, path: str) -> Any:
    answer = live.client().get(f"/api/v1{path}", headers={"X-Api-Key": trader.api_key})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_a_dead_mans_switch_that_was_armed_fires_after_a_restart_and_books_are_followed_anew(tmp_path: Path) -> None:
    live = Live(settings_for(tmp_path), Fixed())
    try:
        careful, other = Trader(live, 11), Trader(live, 12)
        careful.claim(), other.claim()
        kept = other.placed("BUY", "0.2", "58000")
        forgotten = careful.placed("BUY", "0.1", "59000")
        careful.http.post("/api/v1/user/deadmanswitch", params={"countdownTime": "2"}).raise_for_status()
        armed_s = time.monotonic()
        live = again(live)
        with opened(live, f"/orderbooks/{MARKET}") as socket:
            readings, frames = (Added(), Stored()), [heard(socket)]
            assert (frames[0]["type"], frames[0]["seq"]) == ("SNAPSHOT", 1)
            assert {level["p"] for level in frames[0]["data"]["b"]} == {"58000", "59000"}
            frames += until(socket, lambda frame: any(level["p"] == "59000" for level in frame["data"]["b"]))
            assert time.monotonic() - armed_s > 1.5, "not because of the restart"
            assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
            for frame in frames:
                for reading in readings:
                    reading.hear(frame)
            assert readings[0].sides == readings[1].sides == real_book(live, MARKET)
        assert [order["id"] for order in get(live, other, "/user/orders")] == [kept]
        assert get(live, careful, "/user/orders") == []
        assert get(live, careful, f"/user/orders/{forgotten}")["status"] == "CANCELLED"
    finally:
        live.stop()


def test_an_order_that_was_journalled_and_not_answered_is_placed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Live(settings_for(tmp_path), Fixed())
    trader = Trader(live, 13)
    trader.claim()
    body, exchange, commit = trader.order("BUY", "0.1", "59000"), live.node.exchange, live.node.exchange.commit

    def dies() -> Any:
        if not any(isinstance(command, PlaceOrder) for _, command in exchange._pending):
            return commit()  # a tick
        exchange.journal.commit()
        raise OSError("the machine is gone")

    monkeypatch.setattr(exchange, "commit", dies)
    answer = trader.place(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, 1010)
    assert "may or may not have been journalled" in answer.json()["error"]["message"]
    monkeypatch.undo()
    live = again(live)
    try:
        sent = live.client().post("/api/v1/user/order", json=body, headers={"X-Api-Key": trader.api_key})
        assert (sent.status_code, sent.json()["error"]["code"]) == (409, 1134)
        [found] = get(live, trader, f"/user/orders/external/{body['id']}")
        assert found["status"] == "NEW"
        assert [order["id"] for order in get(live, trader, "/user/orders")] == [found["id"]]
    finally:
        live.stop()


def test_tables_that_are_gone_are_made_again_and_owners_find_their_accounts(tmp_path: Path) -> None:
    live = Live(settings_for(tmp_path), Fixed())
    try:
        maker, taker = Trader(live, 14), Trader(live, 15)
        maker.claim(), taker.claim()
        resting = maker.placed("SELL", "0.3", "60000")
        taker.placed("BUY", "0.1", "60000")
        paths = ("/user/trades", "/user/orders/history", "/user/assetOperations", "/user/positions/history")
        before = [get(live, taker, path) for path in paths]
        assert all(before[:3])
        live.stop()
        for file in tmp_path.glob("derived.sqlite*"):
            file.unlink()
        live = Live(live.settings, Fixed())
        refused = live.client().get("/api/v1/user/balance", headers={"X-Api-Key": maker.api_key})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, 1500), "keys are nowhere else"
        back, here = Trader(live, 14), Trader(live, 15)
        assert (back.vault, here.vault) == (maker.vault, taker.vault)
        moving = {"finality", "batch"}
        for path, rows in zip(paths, before, strict=True):
            found = here.get(path)
            assert [{k: v for k, v in row.items() if k not in moving} for row in found] == [
                {k: v for k, v in row.items() if k not in moving} for row in rows
            ], path
        [order] = back.get("/user/orders")
        assert (order["id"], order["filledQty"]) == (resting, "0.1")
    finally:
        live.stop()
