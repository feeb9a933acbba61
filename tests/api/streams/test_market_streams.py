"""Trades, prices, funding and candles: what streams say is what REST says."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from bulkhead.node.app import wall_clock
from bulkhead.units import TimeMs
from tests.api.live import Fixed, Live, Trader, settings_for
from tests.api.streams.sockets import heard, opened, rpc_on, until

MINUTE_MS = 60_000


def test_a_trade_is_told_as_rest_tells_it(live: Live, maker: Trader, taker: Trader) -> None:
    with opened(live, "/publicTrades/BTC-USD") as one, opened(live, "/publicTrades") as every:
        maker.placed("SELL", "0.3", "60100")
        taker.placed("BUY", "0.2", "60100")
        frame = heard(one)
        assert (frame["seq"], heard(every)["data"]) == (1, frame["data"])
    [trade] = frame["data"]
    assert (trade["m"], trade["S"], trade["tT"], trade["p"], trade["q"]) == ("BTC-USD", "BUY", "TRADE", "60100", "0.2")
    assert maker.get("/info/markets/BTC-USD/trades", limit=1) == [trade]


def test_prices_are_told_at_once_and_when_they_change(live: Live) -> None:
    with opened(live, "/prices/mark/ETH-USD") as mark, opened(live, "/prices/index") as index:
        first = heard(mark)
        assert (first["type"], first["data"]["m"], first["seq"]) == ("MP", "ETH-USD", 1)
        live.source.now["ETH-USD"] = 3_001.0
        found = until(mark, lambda frame: frame["data"]["p"] == "3001")
        assert [frame["seq"] for frame in [first, *found]] == list(range(1, len(found) + 2))
        until(index, lambda frame: frame["data"]["m"] == "ETH-USD" and frame["data"]["p"].startswith("3001"))


def test_the_funding_rate_is_told_at_once(live: Live) -> None:
    with opened(live, "/funding/BTC-USD") as socket:
        frame = heard(socket)
        assert set(frame["data"]) == {"m", "f", "T"} and set(frame) == {"data", "ts", "seq"}
    with rpc_on(live) as rpc:
        rpc.ask("subscribe", scope="funding-rates", selector={"market": None})
        names = {rpc.next("funding-rates.all")["data"]["m"] for _ in range(5)}
        assert names == {"BTC-USD", "ETH-USD", "XRP-USD", "LTC-USD", "EOS-USD"}


@pytest.mark.parametrize("interval", ["PT1M", "PT1H", "P1D", "P30D"])
def test_a_candle_is_the_one_that_rest_has(live: Live, maker: Trader, taker: Trader, interval: str) -> None:
    with opened(live, f"/candles/BTC-USD/trades?interval={interval}") as socket:
        for price, lots in (("60010", "0.02"), ("59990", "0.01"), ("60000", "0.03")):
            maker.placed("SELL", lots, price)
            taker.placed("BUY", lots, price)
        expected: list[dict[str, Any]] = maker.get("/info/candles/BTC-USD/trades", interval=interval, limit=1)
        frames = until(socket, lambda frame: frame["data"] == expected)
        assert frames[-1]["data"][0]["c"] == "60000"
    with opened(live, f"/candles/BTC-USD/trades?interval={interval}") as late:
        assert heard(late)["data"] == expected
    with rpc_on(live) as rpc:
        chosen = {"type": "mark", "market": "BTC-USD", "interval": interval}
        rpc.ask("subscribe", scope="candles", selector=chosen)
        assert "v" not in rpc.next(f"candles.mark.BTC-USD.{interval}")["data"][0]


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Live]:
    """One whose clock is moved. Trades are all between two accounts of one owner."""
    running = Live(settings_for(tmp_path), Fixed())
    yield running
    running.stop()


def shift(live: Live, shift_ms: int) -> None:
    """Set the venue's clock so far ahead, and wait until it has prices of that time."""
    live.node.writer._clock = lambda: TimeMs(wall_clock() + shift_ms)
    then_ms, end_s = wall_clock() + shift_ms, time.monotonic() + 10
    for _ in range(2):  # of the first tick, prices may be from before
        while live.node.clock.last_tick_ms < then_ms:
            assert time.monotonic() < end_s
            time.sleep(0.02)
        then_ms = TimeMs(live.node.clock.last_tick_ms + 1)


def traded(one: Trader, other: Trader, price: str) -> None:
    one.placed("SELL", "0.01", price)
    other.placed("BUY", "0.01", price)


def test_the_last_candle_is_told_however_long_nothing_has_happened(venue: Live) -> None:
    one, other = Trader(venue, 1), Trader(venue, 2)
    one.claim(), other.claim()
    traded(one, other, "60010")
    [last] = one.get("/info/candles/BTC-USD/trades", interval="PT1M", limit=1)
    shift(venue, 3 * MINUTE_MS)
    assert one.get("/info/candles/BTC-USD/trades", interval="PT1M", limit=1) == [last]
    with opened(venue, "/candles/BTC-USD/trades?interval=PT1M") as socket:
        assert heard(socket)["data"] == [last], "nobody has listened before"
        traded(one, other, "60020")
        [new] = one.get("/info/candles/BTC-USD/trades", interval="PT1M", limit=1)
        assert new["T"] >= last["T"] + 2 * MINUTE_MS and (new["o"], new["v"]) == ("60020", "0.01")
        until(socket, lambda frame: frame["data"] == [new])
        assert one.get("/info/candles/BTC-USD/trades", interval="PT1M", limit=2) == [new, last]
        assert one.get("/info/candles/BTC-USD/trades", interval="PT1M", limit=1, endTime=new["T"] - 1) == [last]


def test_what_is_traded_while_a_candle_is_read_is_in_it(venue: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Trader(venue, 1), Trader(venue, 2)
    one.claim(), other.claim()
    traded(one, other, "60000")
    shift(venue, 2 * MINUTE_MS)
    read, told, rows = threading.Event(), threading.Event(), venue.node.store.rows

    async def slowly(query: Any) -> Any:
        found = await rows(query)
        read.set()
        await asyncio.to_thread(told.wait, 10)
        return found

    monkeypatch.setattr(venue.node.store, "rows", slowly)

    def first() -> Any:
        with opened(venue, "/candles/BTC-USD/trades?interval=P30D") as socket:
            return heard(socket)["data"]

    with ThreadPoolExecutor(1) as pool:
        greeting = pool.submit(first)
        assert read.wait(10)
        traded(one, other, "60500")  # in a minute that ends before the reader goes on
        shift(venue, 4 * MINUTE_MS)
        traded(one, other, "60100")
        monkeypatch.undo()
        told.set()
        found = greeting.result(20)
    assert found == one.get("/info/candles/BTC-USD/trades", interval="P30D", limit=1)
    assert (found[0]["h"], found[0]["v"], found[0]["c"]) == ("60500", "0.03", "60100")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/orderbooks/DOGE-USD", 404, 1001),
        ("/orderbooks/BTC-USD?depth=7", 400, 1133),
        ("/candles/BTC-USD/trades?interval=PT7M", 400, 1005),
        ("/candles/BTC-USD/wrong?interval=PT1M", 404, 1133),
        ("/prices/last/BTC-USD", 404, 1133),
        ("/account", 401, 1500),
    ],
)
def test_a_stream_that_is_not_there_is_refused_as_rest_would(live: Live, path: str, status: int, code: int) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(live, path):
        pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body)["error"]["code"] == code


def test_rpc_requests_that_cannot_be_served_say_why(live: Live, maker: Trader) -> None:
    def code(method: str, **params: Any) -> int:
        return int(rpc.ask(method, **params)["error"]["code"])

    with rpc_on(live) as rpc:
        assert "result" in rpc.ask("ping")
        assert code("order") == -32601
        assert code("subscribe") == -32602
        assert code("subscribe", scope="weather") == -32602
        assert code("subscribe", scope="trades", selector={"market": "DOGE-USD"}) == -32602
        assert code("subscribe", scope="prices", selector={"market": None, "type": "last"}) == -32602
        assert code("subscribe", scope="account", selector={"account": "128"}) == -32001
        assert code("subscribe", scope="account", selector={"account": "128"}, apiKey="0" * 64) == -32001
        other = str(maker.vault + 64)
        assert code("subscribe", scope="account", selector={"account": other}, apiKey=maker.api_key) == -32001
        assert code("unsubscribe", scope="trades", selector={"market": None}) == -32602
        deep = '{"id":1,"method":"ping","params":' + "[" * 5_000
        for text, expected in (("{", -32700), (deep, -32700), ('{"id":1}', -32600), ("[]", -32600)):
            rpc.socket.send(text)
            assert heard(rpc.socket)["error"]["code"] == expected
        assert "result" in rpc.ask("ping")
