"""Two traders onboard, trade, and see the same trade from both sides."""

from tests.api.live import Live, Trader


def test_a_trade_is_seen_from_both_sides(live: Live, maker: Trader, taker: Trader) -> None:
    resting = maker.placed("BUY", "0.5", "59900")
    assert [order["id"] for order in maker.get("/user/orders")] == [resting]
    book = maker.get("/info/markets/BTC-USD/orderbook")
    assert book["bid"][0] == {"qty": "0.5", "price": "59900"}
    taken = taker.placed("SELL", "0.2", "59900")
    left = maker.get(f"/user/orders/{resting}")
    assert (left["status"], left["filledQty"]) == ("PARTIALLY_FILLED", "0.2")
    done = taker.get(f"/user/orders/{taken}")
    assert (done["status"], done["averagePrice"], done["payedFee"]) == ("FILLED", "59900", "5.989999")
    long, short = maker.get("/user/positions")[0], taker.get("/user/positions")[0]
    assert (long["side"], long["size"], long["openPrice"]) == ("LONG", "0.2", "59900")
    assert (short["side"], short["size"], short["openPrice"]) == ("SHORT", "0.2", "59900")
    fills = [*maker.get("/user/trades"), *taker.get("/user/trades")]
    assert {(fill["side"], fill["isTaker"], fill["fee"]) for fill in fills} == {
        ("BUY", False, "2.395999"),
        ("SELL", True, "5.989999"),
    }
    assert maker.get("/info/markets/BTC-USD/trades")[0]["p"] == "59900"
    assert maker.http.delete(f"/api/v1/user/order/{resting}").json() == {"status": "OK", "data": {}}
    assert maker.get("/user/orders") == []
    assert taker.get("/user/balance")["collateralName"] == "USD"
