"""Two traders onboard, trade, and see the same trade from both sides."""

from typing import Any

from tests.api.live import Live, Trader, most


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


def test_protection_takes_the_place_of_protection_by_its_name(live: Live, maker: Trader, taker: Trader) -> None:
    maker.placed("SELL", "0.5", "60100")
    taker.placed("BUY", "0.5", "60100")  # more than what an earlier test left short

    def protection(loss: str, **changes: Any) -> dict[str, Any]:
        body = taker.order("SELL", "0", "0", type="TPSL", reduceOnly=True, tpSlType="POSITION", **changes)
        del body["settlement"], body["price"]
        worst = int(loss) - 500
        profit = taker.leg("SELL", most(live, 65_000), "65000", "66000", body)
        stop = taker.leg("SELL", most(live, worst), str(worst), loss, body)
        return {**body, "takeProfit": profit, "stopLoss": stop}

    def open_ids() -> dict[int, str]:
        return {order["id"]: order["externalId"] for order in taker.get("/user/orders")}

    answer = taker.place(protection("55000"))
    assert answer.status_code == 200, answer.text
    first = answer.json()["data"]
    before = open_ids()
    assert before[first["id"]] == first["externalId"] and len(before) == 2
    plain = taker.order("BUY", "0.01", "59000")
    assert taker.place(plain).status_code == 200
    for body, expected in (
        (protection("56000", cancelId="nothing"), (404, 1142, "UNKNOWN_ORDER")),
        (protection("56000", cancelId=plain["id"]), (422, 1009, "WRONG_KIND")),
        ({**taker.order("BUY", "0.01", "59000"), "cancelId": first["externalId"]}, (422, 1009, "WRONG_KIND")),
        (protection("56000", id=first["externalId"], cancelId=first["externalId"]), (409, 1134, "DUPLICATE")),
    ):
        answer = taker.place(body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["reject"]) == expected, answer.text
        assert open_ids().items() >= before.items(), "both, or neither"
    stop = max(before)  # it has no name of its own: its number is told for one
    assert before[stop] == str(stop)
    answer = taker.place(protection("56000", cancelId=str(stop)))
    assert answer.status_code == 200, answer.text
    after = {order["id"]: order for order in taker.get("/user/orders") if order["type"] == "TPSL"}
    assert len(after) == 2 and not after.keys() & before.keys()
    assert [order["stopLoss"]["triggerPrice"] for order in after.values() if "stopLoss" in order] == ["56000"]
    for order_id in before:
        gone = taker.get(f"/user/orders/{order_id}")
        assert (gone["status"], gone["statusReason"]) == ("CANCELLED", "ORDER_REPLACED")
        assert gone["updatedTime"] == after[max(after)]["createdTime"], "in one step"
    told = taker.http.delete("/api/v1/user/order", params={"externalId": str(max(after))})
    assert told.status_code == 200, "what is shown as a name is one"


def test_protection_that_follows_an_order_is_not_replaced_by_a_fixed_part(maker: Trader, taker: Trader) -> None:
    taker.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
    body = taker.order("BUY", "0.2", "59900")
    exits = {"tpSlType": "ORDER", "stopLoss": taker.leg("SELL", "0.2", "54500", "55000", body)}
    assert taker.place({**body, **exits}).status_code == 200
    maker.placed("SELL", "0.1", "59900")
    [stop] = [order["id"] for order in taker.get("/user/orders") if order["type"] == "TPSL"]
    fixed = taker.order("SELL", "0.1", "0", type="TPSL", reduceOnly=True, tpSlType="ORDER", cancelId=str(stop))
    del fixed["settlement"], fixed["price"]
    answer = taker.place({**fixed, "stopLoss": taker.leg("SELL", "0.1", "55500", "56000", fixed)})
    assert (answer.status_code, answer.json()["error"]["reject"]) == (409, "ORDERS_OPEN")
    assert "may still fill" in answer.json()["error"]["message"]
    assert taker.get(f"/user/orders/{stop}")["status"] == "UNTRIGGERED"
