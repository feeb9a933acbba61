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


def test_orders_that_have_left_come_as_they_were_placed_or_as_they_left(maker: Trader) -> None:
    ids = [maker.placed("BUY", "0.01", price) for price in ("57000", "57100", "57200", "57300")]
    for place in (1, 3, 0, 2):  # of a batch that is cancelled in one command, the times are equal
        assert maker.http.delete(f"/api/v1/user/order/{ids[place]}").status_code == 200
    both = [maker.placed("BUY", "0.01", price) for price in ("58000", "58100")]
    maker.http.post("/api/v1/user/order/massCancel", json={"orderIds": both})

    def pages(**query: str | int) -> list[int]:
        found: list[int] = []
        while len(found) < 6:
            answer = maker.http.get("/api/v1/user/orders/history", params={"limit": 2, **query}).json()
            found += [order["id"] for order in answer["data"]]
            query["cursor"] = answer["pagination"]["cursor"]
        return found

    placed = [*ids, *both][::-1]
    assert pages() == pages(sort="ID") == placed
    left = {order: maker.get(f"/user/orders/{order}")["updatedTime"] for order in placed}
    by_leaving = sorted(placed, key=lambda order: (left[order], order), reverse=True)
    assert pages(sort="UPDATED_AT") == by_leaving != placed
    for query in ({"sort": "PRICE"}, {"sort": "UPDATED_AT", "cursor": "999999999"}):
        refused = maker.http.get("/api/v1/user/orders/history", params=query)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, 1133)
