"""Limits under load: too many requests, a node that is browned out, and one whose disk has failed."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from sqlalchemy.exc import OperationalError
from websockets.exceptions import InvalidStatus

from bulkhead.api.limits import BUCKETS_MAX, Limiter
from bulkhead.node import app
from bulkhead.node.app import Node, wall_clock
from bulkhead.node.journal import JournalError
from bulkhead.node.settling.thread import Standing
from bulkhead.node.store import keeper
from bulkhead.node.writer import Writer
from bulkhead.units import TimeMs
from tests.api.live import Fixed, Live, Trader, settings_for
from tests.api.streams.sockets import opened


def test_a_bucket_fills_evenly_and_is_not_shared() -> None:
    limiter = Limiter(60, 3)
    assert [limiter.ask("one", 0.0).is_allowed for _ in range(4)] == [True, True, True, False]
    assert limiter.ask("other", 0.0).is_allowed
    assert limiter.ask("one", 0.5).wait_s == pytest.approx(0.5)
    assert [limiter.ask("one", 1.0).is_allowed for _ in range(2)] == [True, False]
    for number in range(BUCKETS_MAX + 10):
        limiter.ask(str(number), 2.0)
    assert len(limiter._buckets) == BUCKETS_MAX


def test_too_many_requests_are_told_so_in_headers(tmp_path: Path) -> None:
    live = Live(settings_for(tmp_path, requests_per_minute=6, burst=10), Fixed())
    try:
        client = live.client()
        answers = [client.get("/api/v1/info/starknet") for _ in range(12)]
        assert [answer.status_code for answer in answers].count(429) >= 1
        assert answers[0].headers["X-RateLimit-Limit"] == "6"
        last = answers[-1]
        assert (last.status_code, last.json()["error"]["code"]) == (429, 1006)
        assert int(last.headers["Retry-After"]) >= 1 and last.headers["X-RateLimit-Remaining"] == "0"
        assert client.get("/api/v1/user/balance", headers={"X-Api-Key": "guess"}).status_code == 429
    finally:
        live.stop()


def test_a_full_queue_is_told_and_reading_goes_on(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    trader = Trader(live, 904)
    trader.claim()
    monkeypatch.setattr(live.node.writer, "_queue_max", 0)
    for answer in (
        trader.place(trader.order("BUY", "0.01", "59000")),
        trader.http.delete("/api/v1/user/order/1"),
        trader.http.post("/api/v1/user/transfer", json=trader.transfer(trader, 1)),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, 1006)
        assert int(answer.headers["Retry-After"]) >= 1 and "X-RateLimit-Remaining" in answer.headers
    assert trader.get("/user/balance")["equity"] == "100000"
    monkeypatch.undo()
    assert trader.place(trader.order("BUY", "0.01", "59000")).status_code == 200


def test_a_loaded_node_takes_cancels_and_what_reduces(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    trader = Trader(live, 901)
    trader.claim()
    resting = trader.placed("BUY", "0.01", "59000")
    monkeypatch.setattr(Node, "is_browned_out", True)
    refused = trader.place(trader.order("BUY", "0.01", "59000"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, 1012)
    reducing = trader.place(trader.order("SELL", "0.01", "61000", reduceOnly=True))
    assert reducing.json()["error"]["code"] == 1137  # taken in, and refused for what it is
    assert trader.http.delete(f"/api/v1/user/order/{resting}").status_code == 200
    assert trader.onboard().status_code == trader.ask_key(trader.vault).status_code == 200, "he is here already"
    for newcomer in (trader.subaccount(3, 4_731), trader.http.post("/api/v1/user/claim", json={})):
        assert (newcomer.status_code, newcomer.json()["error"]["code"]) == (429, 1012)
        assert int(newcomer.headers["Retry-After"]) >= 1
    assert trader.http.post("/api/v1/user/withdrawal", json=trader.withdrawal(1_000_000)).status_code == 200


def test_a_node_is_browned_out_by_what_waits_and_by_what_is_not_proven(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not live.node.is_browned_out
    depth = live.settings.limits.brown_out_depth
    monkeypatch.setattr(Writer, "depth", depth)
    assert live.node.is_browned_out
    monkeypatch.undo()
    limits = msgspec.structs.replace(live.settings.limits, brown_out_batches=1)
    monkeypatch.setattr(live.node, "settings", msgspec.structs.replace(live.settings, limits=limits))
    monkeypatch.setattr(Node, "unproven", 1)
    assert not live.node.is_browned_out
    monkeypatch.setattr(Node, "unproven", 2)
    assert live.node.is_browned_out


@pytest.mark.parametrize(
    ("standing", "why"),
    [
        (Standing(is_cut_off=True), "L1 takes no further batch of this exchange"),
        (Standing(is_late=True), "a batch is about to become too old to settle"),
    ],
)
def test_a_node_whose_trades_may_not_settle_takes_no_new_risk_and_says_why(
    live: Live, monkeypatch: pytest.MonkeyPatch, standing: Standing, why: str
) -> None:
    trader = Trader(live, 903)
    monkeypatch.setattr(live.node, "settles", SimpleNamespace(standing=standing, status=None))
    refused = trader.place(trader.order("BUY", "0.01", "59000"))
    monkeypatch.undo()
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, 1012)
    assert why in refused.json()["error"]["message"]


def test_a_failed_disk_is_maintenance_and_health_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(settings_for(tmp_path), Fixed())
    trader = Trader(live, 902)
    trader.claim()

    def failing() -> int:
        raise JournalError("no space left on device")

    monkeypatch.setattr(live.node.exchange.journal, "commit", failing)
    answer = trader.place(trader.order("BUY", "0.01", "59000"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, 1010)
    again = trader.place(trader.order("BUY", "0.01", "59000"))
    assert (again.status_code, again.json()["error"]["code"]) == (503, 1010)
    health = live.client().get("/health")
    assert health.status_code == 503 and "no space left" in health.json()["error"]["message"]
    monkeypatch.undo()
    live.stop()


def test_a_clock_that_was_set_back_is_told_and_takes_no_new_risk(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    trader = Trader(live, 905)
    trader.claim()
    resting = trader.placed("BUY", "0.01", "59000")
    monkeypatch.setattr(live.node.writer, "_clock", lambda: TimeMs(wall_clock() - 60_000))
    refused = trader.place(trader.order("BUY", "0.01", "59000"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, 1012)
    health = live.client().get("/health")
    assert health.status_code == 503 and "s behind the exchange's" in health.json()["error"]["message"]
    assert trader.http.delete(f"/api/v1/user/order/{resting}").status_code == 200
    monkeypatch.undo()
    assert trader.place(trader.order("BUY", "0.01", "59000")).status_code == 200
    assert live.client().get("/health").status_code == 200


def test_a_database_that_goes_away_is_told_and_trading_goes_on(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    trader = Trader(live, 906)
    trader.claim()
    monkeypatch.setattr(keeper, "RETRY_S", 0.05)

    def away(*given: object) -> None:
        raise OperationalError("write", {}, Exception("the server is gone"))

    with monkeypatch.context() as patch:
        patch.setattr(live.node.database, "write", away)
        patch.setattr(live.node.database, "engine", SimpleNamespace(begin=away, connect=away))
        placed = trader.placed("BUY", "0.01", "59000")
        assert trader.get("/user/orders")[0]["id"] == placed, "what is open is known without tables"
        client = live.client()
        asked = [
            trader.http.get("/api/v1/user/orders/history"),
            trader.http.get("/api/v1/info/candles/BTC-USD/trades", params={"interval": "PT1M"}),
            trader.http.get("/api/v1/user/webhook"),
            trader.ask_key(trader.vault),
            trader.subaccount(4, 4_741),
        ]
        assert [(one.status_code, one.json()["error"]["code"]) for one in asked] == [(503, 1010)] * 5
        health = client.get("/health")
        assert health.status_code == 503 and "store: OperationalError" in health.json()["error"]["message"]
        assert "gone" not in health.text, "where the database is and how it is reached is not for everybody"
        with pytest.raises(InvalidStatus) as refused, opened(live, "/candles/ETH-USD/mark-prices?interval=PT5M"):
            pass
        assert refused.value.response.status_code == 503
        patch.setattr(app, "STORE_LAG_MAX", 1)
        assert trader.place(trader.order("BUY", "0.01", "59000")).status_code == 429, "rows that wait are bounded"
        assert trader.http.delete(f"/api/v1/user/order/{placed}").status_code == 200
    end_s = time.monotonic() + 10
    while live.client().get("/health").status_code != 200:
        assert time.monotonic() < end_s
        time.sleep(0.05)
    assert trader.get("/user/orders/history")[0]["id"] == placed, "what happened meanwhile is there"
    assert trader.subaccount(4, 4_741).status_code == 200


def test_nobody_says_for_others_where_he_is_and_other_origins_are_refused(live: Live) -> None:
    trader = Trader(live, 903)
    key = trader.ask_key(trader.vault, addresses=["10.0.0.0/8"]).json()["data"]["key"]
    client = live.client()
    spoofed = {"X-Api-Key": key, "X-Forwarded-For": "10.1.2.3"}
    assert client.get("/api/v1/user/balance", headers=spoofed).status_code == 403
    answer = client.get("/api/v1/info/starknet", headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_pages_of_an_origin_that_was_named_may_ask_and_no_others(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    http = msgspec.structs.replace(settings.http, cors_origins=("https://desk.example",))
    live = Live(msgspec.structs.replace(settings, http=http), Fixed())
    try:
        client = live.client()
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-api-key"}
        for origin, is_named in (("https://desk.example", True), ("https://elsewhere.example", False)):
            before = client.options("/api/v1/user/order", headers={"Origin": origin, **asks})
            assert (before.status_code == 200) == is_named
            answer = client.get("/api/v1/info/starknet", headers={"Origin": origin})
            allowed = answer.headers.get("access-control-allow-origin")
            assert allowed == (origin if is_named else None)
        assert "x-ratelimit-remaining" in client.get(
            "/api/v1/info/starknet", headers={"Origin": "https://desk.example"}
        ).headers["access-control-expose-headers"].lower()
    finally:
        live.stop()
