"""A snapshot and deltas are the book, whichever of the two readings of a delta a client has."""

import random
import time

from tests.api.live import Live, Trader
from tests.api.streams.sockets import Added, Stored, heard, opened, real_book, rpc_on, until

MARKET = "BTC-USD"


def trade_at_random(maker: Trader, taker: Trader, count: int, seed: int) -> None:
    """Orders that rest, trade, are cut, replaced, cancelled one by one and all together."""
    draw = random.Random(seed)
    open_ids: list[tuple[Trader, int]] = []
    for turn in range(count):
        trader = draw.choice((maker, taker))
        side = draw.choice(("BUY", "SELL"))
        kind = draw.random()
        if kind < 0.25 and open_ids:
            owner, order_id = open_ids.pop(draw.randrange(len(open_ids)))
            owner.http.delete(f"/api/v1/user/order/{order_id}")
        elif kind < 0.3:
            trader.http.post("/api/v1/user/order/massCancel", json={"markets": [MARKET]})
        else:
            price = 60_000 + draw.randint(-8, 8) * 10
            size = f"0.{draw.randint(1, 20):02d}"
            body = trader.order(side, size, str(price), reduceOnly=draw.random() < 0.2, id=f"{seed}-{turn}")
            if draw.random() < 0.15 and turn:
                body["cancelId"] = f"{seed}-{turn - 1}"
            answer = trader.place(body)
            if answer.status_code == 200:
                open_ids.append((trader, int(answer.json()["data"]["id"])))


def test_snapshot_and_deltas_rebuild_the_book_exactly(live: Live, maker: Trader, taker: Trader) -> None:
    maker.placed("BUY", "0.1", "59000")
    with opened(live, f"/orderbooks/{MARKET}") as socket, opened(live, "/orderbooks") as every:
        readings = (Added(), Stored())
        frames = [heard(socket)]
        assert frames[0]["type"] == frames[0]["data"]["t"] == "SNAPSHOT"
        assert frames[0]["data"]["b"] == [{"p": "59000", "q": "0.1", "c": "0.1"}]
        trade_at_random(maker, taker, 100, seed=1)
        maker.placed("BUY", "0.01", "58000")
        frames += until(socket, lambda frame: any(level["p"] == "58000" for level in frame["data"]["b"]))
        for frame in frames:
            for reading in readings:
                reading.hear(frame)
        expected = real_book(live, MARKET)
        assert readings[0].sides == expected and readings[1].sides == expected
        assert len(expected["b"]) > 1
        assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
        assert {frame["type"] for frame in frames[1:]} == {"DELTA"}
        names = [heard(every)["data"]["m"] for _ in range(5)]
        assert sorted(names) == ["BTC-USD", "EOS-USD", "ETH-USD", "LTC-USD", "XRP-USD"]
    late = Added()
    with opened(live, f"/orderbooks/{MARKET}") as socket:
        late.hear(heard(socket))
    assert late.sides == expected


def test_a_fill_and_a_cut_of_a_reduce_only_order_are_changes_like_any_other(
    live: Live, maker: Trader, taker: Trader
) -> None:
    for trader in (maker, taker):
        trader.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
    maker.placed("BUY", "2", "2990", market="ETH-USD")
    taker.placed("SELL", "2", "2990", market="ETH-USD")
    closing = maker.placed("SELL", "2", "3020", market="ETH-USD", reduceOnly=True)
    with opened(live, "/orderbooks/ETH-USD") as socket:
        reading = Added()
        reading.hear(heard(socket))
        maker.placed("SELL", "1.5", "2995", market="ETH-USD")
        taker.placed("BUY", "1.5", "2995", market="ETH-USD")  # half a coin is left to close: the order is cut
        maker.placed("BUY", "0.1", "2900", market="ETH-USD")
        for frame in until(socket, lambda frame: any(level["p"] == "2900" for level in frame["data"]["b"])):
            reading.hear(frame)
    assert reading.sides == real_book(live, "ETH-USD")
    assert maker.get(f"/user/orders/{closing}")["qty"] == "0.5"


def test_the_best_levels_come_whole_and_only_when_they_change(live: Live, maker: Trader) -> None:
    with opened(live, "/orderbooks/XRP-USD?depth=1") as socket:
        assert heard(socket)["data"] == {"t": "SNAPSHOT", "m": "XRP-USD", "b": [], "a": []}
        maker.placed("BUY", "100", "0.59", market="XRP-USD")
        assert heard(socket)["data"]["b"] == [{"p": "0.59", "q": "100", "c": "100"}]
        maker.placed("BUY", "100", "0.58", market="XRP-USD")  # below the best
        time.sleep(0.1)
        maker.placed("SELL", "50", "0.61", market="XRP-USD")
        frame = heard(socket)
        assert (frame["type"], frame["seq"]) == ("SNAPSHOT", 3)
        assert frame["data"]["a"] == [{"p": "0.61", "q": "50", "c": "50"}]


def test_both_depths_on_one_rpc_socket_are_counted_together(live: Live, maker: Trader) -> None:
    maker.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
    with rpc_on(live) as rpc:
        chosen = {"market": "XRP-USD", "depth": "full", "rfqOnly": False}
        assert rpc.ask("subscribe", scope="orderbooks", selector=chosen)["result"]["subscription"]
        empty = {"t": "SNAPSHOT", "m": "XRP-USD", "b": [], "a": [], "d": "full"}
        assert rpc.next("orderbooks.XRP-USD")["data"] == empty
        rpc.ask("subscribe", scope="orderbooks", selector={"market": "XRP-USD", "depth": "1"})
        assert rpc.next("orderbooks.1.XRP-USD")["data"]["d"] == "1"
        maker.placed("BUY", "10", "0.57", market="XRP-USD")
        delta, best = rpc.next("orderbooks.XRP-USD"), rpc.next("orderbooks.1.XRP-USD")
        assert (delta["type"], best["type"]) == ("DELTA", "SNAPSHOT")
        assert [frame["seq"] for frame in rpc.frames] == list(range(len(rpc.frames)))
        named = rpc.ask("list-subscriptions")["result"]["subscriptions"]
        assert named == ["orderbooks.XRP-USD", "orderbooks.1.XRP-USD"]
        rpc.ask("unsubscribe", scope="orderbooks", selector=chosen)
        assert rpc.ask("list-subscriptions")["result"]["subscriptions"] == ["orderbooks.1.XRP-USD"]
