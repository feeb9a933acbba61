"""A liquidation seen from outside: called, closed, explained from its witness, and the venue solvent afterwards."""

import time
from decimal import Decimal

from bulkhead.codec import Codec
from bulkhead.keepers.recompute import recompute
from bulkhead.keepers.witness import Witness
from tests.api.live import Live, Trader


def test_a_liquidation_can_be_checked_by_whoever_was_liquidated(live: Live, maker: Trader) -> None:
    trader = Trader(live, 601)
    trader.claim()
    for _ in range(9):
        maker.claim()
    maker.placed("SELL", "70", "60000")
    trader.placed("BUY", "70", "60000")  # 4.2 million dollars on 100,000
    maker.placed("BUY", "90", "58900")
    live.source.now["BTC-USD"] = 59_000.0
    for _ in range(100):
        steps = trader.get("/user/liquidations")
        if steps:
            break
        time.sleep(0.1)
    assert steps[0]["takenBy"] == "BOOK" and steps[0]["market"] == "BTC-USD"
    told = trader.get(f"/user/liquidations/{steps[0]['id']}/explain")
    assert told["faults"] == []
    assert "liquidat" in told["story"].lower() or "closed" in told["story"].lower()
    assert recompute(Codec([Witness]).decode(bytes.fromhex(told["witness"]))) == []
    assert trader.get("/user/marginCalls")[0]["level"] in (66, 80)
    fills = trader.get("/user/trades", type="LIQUIDATION")
    assert fills and not maker.get("/user/trades", type="LIQUIDATION")
    public = live.client().get("/api/v1/info/liquidations").json()["data"][0]
    assert "accountId" not in public and public["size"] == steps[0]["size"]
    live.source.now["BTC-USD"] = 60_000.0


def test_custody_equals_accounts_and_funds(live: Live, maker: Trader) -> None:
    time.sleep(0.5)
    found = live.client().get("/api/v1/info/solvency").json()["data"]
    difference = Decimal(found["custody"]) - Decimal(found["accounts"]) - Decimal(found["funds"])
    assert abs(difference) < Decimal("0.001"), found
    fund = live.client().get("/api/v1/info/insurance").json()["data"]
    assert len(fund["budgets"]) == 5


def test_receipts_name_the_place_in_the_journal(live: Live, maker: Trader) -> None:
    order = maker.placed("BUY", "0.1", "57500")
    receipt = maker.get(f"/user/orders/{order}/receipt")
    again = live.client().get(f"/api/v1/info/receipts/{receipt['sequence']}").json()["data"]
    assert (again["chain"], len(receipt["chain"])) == (receipt["chain"], 64)
    for _ in range(60):
        status = live.client().get(f"/api/v1/info/receipts/{receipt['sequence']}").json()["data"]["status"]
        if status == "SEALED":
            break
        time.sleep(0.1)
    assert status == "SEALED"
    batches = live.client().get("/api/v1/info/batches").json()["data"]
    assert batches[0]["batch"] >= 1 and batches[0]["status"] == "SEALED"
    gone = live.client().get("/api/v1/info/receipts/99999999").status_code
    assert gone == 404
