"""The account stream: what REST would answer, told when it changes."""

import time
from typing import Any

from tests.api.live import Fixed, Live, Trader
from tests.api.streams.sockets import heard, opened, rpc_on, until
from tests.api.test_trading import most


def as_told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As frames have it: finality changes without a frame, so none says it."""
    return [{name: value for name, value in row.items() if name != "finality"} for row in rows]


def test_a_newcomer_is_told_what_there_is(live: Live, maker: Trader) -> None:
    order = maker.placed("BUY", "0.2", "58000")
    with opened(live, "/account", maker.api_key) as socket:
        frames = [heard(socket) for _ in range(4)]
    assert [frame["type"] for frame in frames] == ["ORDER", "POSITION", "BALANCE", "SPOT_BALANCE"]
    assert [frame["seq"] for frame in frames] == [1, 2, 3, 4]
    assert frames[0]["data"]["orders"] == as_told(maker.get("/user/orders"))
    assert frames[0]["data"]["orders"][0]["id"] == order
    assert frames[2]["data"]["balance"]["equity"] == maker.get("/user/balance")["equity"]
    assert "marginCalls" not in frames[2]["data"]


def test_an_order_is_told_from_its_placing_to_its_end(live: Live, maker: Trader, taker: Trader) -> None:
    with opened(live, "/account", maker.api_key) as socket:
        [heard(socket) for _ in range(4)]
        body = maker.order("SELL", "0.5", "60050")
        order = int(maker.place(body).json()["data"]["id"])
        new = until(socket, lambda frame: frame["type"] == "ORDER")[-1]["data"]["orders"][0]
        assert (new["id"], new["externalId"], new["status"]) == (order, body["id"], "NEW")
        taker.placed("BUY", "0.2", "60050")
        part = until(socket, lambda frame: frame["type"] == "ORDER")[-1]["data"]["orders"][0]
        assert (part["status"], part["filledQty"]) == ("PARTIALLY_FILLED", "0.2")
        [trade] = until(socket, lambda frame: frame["type"] == "TRADE")[-1]["data"]["trades"]
        assert [trade] == as_told(maker.get("/user/trades", limit=1))
        position = until(socket, lambda frame: frame["type"] == "POSITION")[-1]["data"]["positions"][0]
        assert (position["side"], position["size"], position["status"]) == ("SHORT", "0.2", "OPENED")
        maker.http.delete(f"/api/v1/user/order/{order}")
        left = until(socket, lambda frame: frame["type"] == "ORDER")[-1]["data"]["orders"][0]
        assert (left["status"], left["cancelledQty"]) == ("CANCELLED", "0.3")
        taker.placed("SELL", "0.2", "60040")
        maker.placed("BUY", "0.2", "60040")
        ended = until(socket, lambda f: f["type"] == "POSITION" and f["data"]["positions"][-1]["status"] == "CLOSED")
        closed = ended[-1]["data"]["positions"][-1]
        [history] = maker.get("/user/positions/history", limit=1)
        assert (closed["id"], closed["realisedPnl"]) == (history["id"], history["realisedPnl"])
        balance = until(socket, lambda frame: frame["type"] == "BALANCE")[-1]["data"]["balance"]
        assert balance["balance"] == maker.get("/user/balance")["balance"]


def test_protection_is_told_with_its_parent_and_not_while_it_sleeps(live: Live, maker: Trader, taker: Trader) -> None:
    with opened(live, "/account", taker.api_key) as socket:
        [heard(socket) for _ in range(4)]
        parent = taker.order("BUY", "0.1", "59000")
        parent["stopLoss"] = taker.leg("SELL", "0.1", "57000", "57500", parent)
        parent["tpSlType"] = "ORDER"
        assert taker.place(parent).status_code == 200
        told = until(socket, lambda frame: frame["type"] == "ORDER")[-1]["data"]["orders"]
        assert [order["type"] for order in told] == ["LIMIT"]
        assert told[0]["stopLoss"]["triggerPrice"] == "57500"
        taker.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
        until(socket, lambda f: f["type"] == "ORDER" and f["data"]["orders"][0]["status"] == "CANCELLED")


def place_protected(taker: Trader) -> None:
    """An order that waits in the book with both exits."""
    parent = taker.order("BUY", "0.1", "59900")
    parent["takeProfit"] = taker.leg("SELL", "0.1", "64000", "63000", parent)
    parent["stopLoss"] = taker.leg("SELL", "0.1", "57000", "57500", parent)
    parent["tpSlType"] = "ORDER"
    assert taker.place(parent).status_code == 200


def test_protection_that_a_fill_wakes_is_told_with_what_it_closes(live: Live, maker: Trader, taker: Trader) -> None:
    place_protected(taker)
    with opened(live, "/account", taker.api_key) as socket:
        [heard(socket) for _ in range(4)]
        for size, closes in (("0.04", "0.04"), ("0.06", "0.1")):
            maker.placed("SELL", size, "59900")
            told = until(socket, lambda frame: frame["type"] == "ORDER")[-1]["data"]["orders"]
            assert [order["type"] for order in told] == ["LIMIT", "TPSL", "TPSL"]
            assert [order["qty"] for order in told] == ["0.1", closes, closes]
            there = as_told(taker.get("/user/orders"))
            assert told[1:] == [order for order in there if order["type"] == "TPSL"]
        assert told[0]["status"] == "FILLED"
        taker.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
        until(socket, lambda frame: frame["type"] == "ORDER")
        taker.placed("SELL", "0.1", "59800")
        maker.placed("BUY", "0.1", "59800")


def test_protection_that_sleeps_again_is_told_and_closes_nothing(live: Live, maker: Trader, taker: Trader) -> None:
    """Its position has gone, its order may still fill: REST, the stream and the newcomer's greeting say the same."""

    def exits() -> list[dict[str, Any]]:
        return as_told([order for order in taker.get("/user/orders") if order["type"] == "TPSL"])

    place_protected(taker)
    with opened(live, "/account", taker.api_key) as socket:
        [heard(socket) for _ in range(4)]
        maker.placed("SELL", "0.04", "59900")
        woken = until(socket, lambda frame: frame["type"] == "ORDER")[-1]["data"]["orders"][1:]
        maker.placed("BUY", "0.04", "59950")
        taker.placed("SELL", "0.04", "59950")  # it sold all that its order has bought
        slept = until(
            socket, lambda f: f["type"] == "ORDER" and [one["type"] for one in f["data"]["orders"]].count("TPSL") == 2
        )[-1]["data"]["orders"]
        slept = [order for order in slept if order["type"] == "TPSL"]
        assert [order["id"] for order in slept] == [order["id"] for order in woken]
        assert [(order["status"], order["qty"]) for order in slept] == [("UNTRIGGERED", "0")] * 2
        assert slept == exits()
        assert [as_told([taker.get(f"/user/orders/{order['id']}")])[0] for order in slept] == slept
        with opened(live, "/account", taker.api_key) as later:
            greeted = heard(later)["data"]["orders"]
        assert [order for order in greeted if order["type"] == "TPSL"] == slept
        maker.placed("SELL", "0.06", "59900")  # the rest fills: they wake, and close that
        woken = until(
            socket, lambda f: f["type"] == "ORDER" and any(one["type"] == "TPSL" for one in f["data"]["orders"])
        )[-1]["data"]["orders"][1:]
        assert [order["qty"] for order in woken] == ["0.06", "0.06"]
        assert woken == exits()
        taker.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
        maker.placed("BUY", "0.06", "59800")
        taker.placed("SELL", "0.06", "59800")


def test_an_exit_that_sleeps_again_is_not_said_to_close_another_order_s_position(
    live: Live, maker: Trader, taker: Trader
) -> None:
    parent = taker.order("BUY", "0.1", "59900")
    parent["takeProfit"] = taker.leg("SELL", most(live, 64_000), "64000", "63000", parent)
    parent["tpSlType"] = "POSITION"
    assert taker.place(parent).status_code == 200
    maker.placed("SELL", "0.04", "59900")
    assert [one["tpTriggerPrice"] for one in taker.get("/user/positions")] == ["63000"]
    maker.placed("BUY", "0.04", "59950")
    taker.placed("SELL", "0.04", "59950")
    maker.placed("SELL", "0.02", "59960")
    taker.placed("BUY", "0.02", "59960")
    [position] = taker.get("/user/positions")
    assert "tpTriggerPrice" not in position
    [exit_] = [order for order in taker.get("/user/orders") if order["type"] == "TPSL"]
    assert (exit_["status"], exit_["qty"]) == ("UNTRIGGERED", "0")
    taker.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
    maker.placed("BUY", "0.02", "59800")
    taker.placed("SELL", "0.02", "59800")


def test_money_that_comes_goes_and_moves_is_told(live: Live, maker: Trader, taker: Trader) -> None:
    with opened(live, "/account", maker.api_key) as socket, rpc_on(live) as rpc:
        [heard(socket) for _ in range(4)]
        name = f"account.{taker.vault}"
        rpc.ask("subscribe", scope="account", selector={"account": str(taker.vault)}, apiKey=taker.api_key)
        greeting = [rpc.next(name) for _ in range(4)]
        assert [frame["data"]["isSnapshot"] for frame in greeting] == [True] * 4
        number = maker.claim()
        deposit = until(socket, lambda frame: frame["type"] == "DEPOSIT")[-1]["data"]
        assert (deposit["deposit"]["status"], deposit["deposit"]["amount"]) == ("PROCESSED", "100000")
        assert int(deposit["operation"]["id"]) == number
        maker.http.post("/api/v1/user/transfer", json=maker.transfer(taker, 7_000_000)).raise_for_status()
        sent = until(socket, lambda frame: frame["type"] == "TRANSFER")[-1]["data"]["operation"]
        assert (sent["amount"], sent["counterpartyAccountId"]) == ("-7", taker.vault)
        kinds = [rpc.next(name)]
        while kinds[-1]["type"] != "ACCOUNT.TRANSFER":
            kinds.append(rpc.next(name))
        assert kinds[-1]["data"]["operation"]["amount"] == "7"
        maker.http.post("/api/v1/user/withdrawal", json=maker.withdrawal(5_000_000)).raise_for_status()
        gone = until(socket, lambda frame: frame["type"] == "WITHDRAWAL")[-1]["data"]["withdrawal"]
        assert (gone["amount"], gone["status"]) == ("5", "IN_PROGRESS")


def test_margin_calls_come_beside_the_balance(live: Live, maker: Trader) -> None:
    assert isinstance(live.source, Fixed)
    trader = Trader(live, 606)
    trader.claim()
    maker.placed("SELL", "20", "3000", market="ETH-USD")
    trader.placed("BUY", "20", "3000", market="ETH-USD")
    trader.http.post("/api/v1/user/withdrawal", json=trader.withdrawal(93_500_000_000)).raise_for_status()
    with opened(live, "/account", trader.api_key) as socket:
        [heard(socket) for _ in range(4)]
        found: list[dict] = []
        price, end_s = 3_000.0, time.monotonic() + 20
        while {call["level"] for call in found} != {66, 80}:
            assert time.monotonic() < end_s, (price, found)
            price -= 12
            live.source.now["ETH-USD"] = price
            frames = until(socket, lambda frame: frame["type"] == "BALANCE")
            found += frames[-1]["data"].get("marginCalls", [])
    live.source.now["ETH-USD"] = 3_000.0
    assert found == trader.get("/user/marginCalls")[::-1]
    first = found[0]
    assert (first["level"], first["accountId"], first["holderId"]) == (66, trader.vault, trader.vault)
    assert 66 <= 100 * float(first["maintenance"]) / float(first["value"]) < 80
