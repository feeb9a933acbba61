"""Trades, prices, funding and candles: what streams say is what REST says."""

import json
import time
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.api.live import Live, Trader
from tests.api.streams.sockets import heard, opened, rpc_on, until


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
    into_s = time.time() % 60
    if into_s > 55:  # the trades below are to be in one minute
        time.sleep(60.1 - into_s)
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
