"""Margin modes over the interface: signed by the trader, seen in every answer, and traded by plain orders."""

import time
from typing import Any

import pytest

from bulkhead.signing import Domain, configuration_hash, move_hash, registration_hash, sign
from tests.api.live import CHAIN, Live, Trader

DOMAIN = Domain(CHAIN)


def signed(private: int, message: int) -> dict[str, str]:
    r, s = sign(private, message)
    return {"r": hex(r), "s": hex(s)}


def choose(trader: Trader, market: str, market_id: int, mode: str, leverage: int = 5, top_up: int = 0) -> Any:
    nonce, until = trader.get("/user/configuration")["nextNonce"], int(time.time()) + 600
    message = configuration_hash(
        DOMAIN, trader.key, account_id=trader.vault, market_id=market_id, mode={"cross": 1, "isolated": 2}[mode],
        leverage=leverage, top_up_cap=top_up * 1_000_000, expiration_s=until, nonce=nonce,
    )  # fmt: skip
    body = {
        "market": market, "marginMode": mode, "leverage": leverage, "topUpCap": str(top_up), "expiration": until,
        "nonce": nonce, "signature": signed(trader.private, message),
    }  # fmt: skip
    return trader.http.post("/api/v1/user/configuration", json=body)


@pytest.fixture(scope="module")
def quoted(live: Live, maker: Trader) -> Trader:
    maker.placed("BUY", "5", "2990", market="ETH-USD")
    maker.placed("SELL", "5", "3010", market="ETH-USD")
    return maker


def test_an_isolated_market_trades_in_a_compartment_of_its_own(live: Live, quoted: Trader) -> None:
    trader = Trader(live, 505)
    trader.claim()
    assert choose(trader, "ETH-USD", 2, "isolated").status_code == 200
    row = trader.get("/user/leverage", market="ETH-USD")[0]
    assert (row["marginMode"], row["leverage"], row["signedLeverage"]) == ("ISOLATED", "5", 5)
    trader.placed("BUY", "1", "3010", market="ETH-USD")
    position = trader.get("/user/positions")[0]
    assert (position["marginMode"], position["size"], position["openPrice"]) == ("ISOLATED", "1", "3010")
    assert position["holderId"] == trader.vault + 2
    assert 590 < float(position["margin"]) < 610
    refused = trader.http.patch("/api/v1/user/leverage", json={"market": "ETH-USD", "leverage": "3"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, 1009)
    assert "/user/configuration" in refused.json()["error"]["message"]
    nonce, until = trader.get("/user/configuration")["nextNonce"], int(time.time()) + 600
    legs = [(trader.vault, trader.vault + 2, 1, 100_000_000)]
    message = move_hash(
        DOMAIN, trader.key, account_id=trader.vault, assets=legs, positions=[], choices=[], expiration_s=until,
        nonce=nonce,
    )  # fmt: skip
    body = {
        "assets": [{"source": trader.vault, "target": trader.vault + 2, "amount": 100_000_000}],
        "expiration": until, "nonce": nonce, "signature": signed(trader.private, message),
    }  # fmt: skip
    before = float(position["margin"])
    moved = trader.http.post("/api/v1/user/move", json=body)
    assert moved.status_code == 200, moved.text
    assert 99 < float(trader.get("/user/positions")[0]["margin"]) - before < 101
    again = trader.http.post("/api/v1/user/move", json=body)
    assert again.json()["error"]["reject"] == "BAD_NONCE"


def test_a_top_up_that_was_signed_keeps_a_position_from_liquidation(live: Live, quoted: Trader) -> None:
    saved, lost = Trader(live, 516), Trader(live, 517)
    for trader, cap in ((saved, 50), (lost, 0)):
        trader.claim()
        assert choose(trader, "ETH-USD", 2, "isolated", 20, cap).status_code == 200
        trader.placed("BUY", "1", "3010", market="ETH-USD")
    assert saved.get("/user/leverage", market="ETH-USD")[0]["topUpCap"] == "50"
    before = float(saved.get("/user/positions")[0]["margin"])
    live.source.now["ETH-USD"] = 2_880.0
    try:
        for _ in range(100):
            if lost.get("/user/liquidations"):
                break
            time.sleep(0.05)
        child = saved.get("/user/compartments")["compartments"][1]
        assert 0 < float(child["toppedUp"]) <= 50 and child["condition"] in ("HEALTHY", "BELOW_INITIAL")
        after = saved.get("/user/positions")[0]
        assert after["size"] == "1" and float(after["margin"]) > before - 120
        assert saved.get("/user/liquidations") == [] != lost.get("/user/liquidations")
    finally:
        live.source.now["ETH-USD"] = 3_000.0


def test_a_forged_configuration_is_refused_with_the_hash_that_was_expected(live: Live) -> None:
    trader = Trader(live, 506)
    until = int(time.time()) + 600
    body = {
        "market": "ETH-USD", "marginMode": "isolated", "leverage": 5, "topUpCap": "0", "expiration": until,
        "nonce": 1, "signature": {"r": "0x1", "s": "0x1"},
    }  # fmt: skip
    answer = trader.http.post("/api/v1/user/configuration", json=body).json()["error"]
    message = configuration_hash(
        DOMAIN, trader.key, account_id=trader.vault, market_id=2, mode=2, leverage=5, top_up_cap=0,
        expiration_s=until, nonce=1,
    )  # fmt: skip
    assert (answer["code"], answer["expected"][0]["hash"]) == (1101, hex(message))


def test_a_strategy_is_an_account_with_a_key_and_a_balance_of_its_own(live: Live, quoted: Trader) -> None:
    trader = Trader(live, 507)
    trader.claim()
    account_id = trader.get("/user/strategies")["nextAccountId"]
    message = registration_hash(
        DOMAIN, trader.key, account_id=account_id, kind=3, rule=1, l1_owner=int(trader.ethereum.address, 16),
        parent_id=trader.vault, asset_id=1,
    )  # fmt: skip
    body = {"accountId": account_id, "description": "basis", "signature": signed(trader.private, message)}
    made = trader.http.post("/api/v1/user/strategies", json=body)
    assert made.status_code == 200, made.text
    assert made.json()["data"]["parentId"] == trader.vault
    assert [one["kind"] for one in trader.get("/user/accounts")] == ["MAIN", "STRATEGY"]
    key = trader.http.post(f"/api/v1/user/strategies/{account_id}/api-key").json()["data"]["key"]
    balance = trader.http.get("/api/v1/user/balance", headers={"X-Api-Key": key}).json()["data"]
    assert balance["equity"] == "0"
    assert [row["accountId"] for row in trader.get("/user/profit")] == [trader.vault, account_id]


def test_a_preview_shows_every_mode_of_one_order(live: Live, quoted: Trader) -> None:
    trader = Trader(live, 508)
    trader.claim()
    body = {"market": "ETH-USD", "side": "BUY", "qty": "2", "price": "3010"}
    found = trader.http.post("/api/v1/user/order/preview", json=body).json()["data"]
    modes = {mode["marginMode"]: mode for mode in found["modes"]}
    assert list(modes) == ["cross", "isolated", "strategy", "scenario"]
    assert (found["reject"], modes["cross"]["isCurrent"]) == (None, True)
    assert float(modes["isolated"]["atStake"]) < 200 < float(modes["cross"]["atStake"])
    assert modes["cross"]["liquidationPrice"] is None  # so much money that no fall reaches it
    assert 2_500 < float(modes["isolated"]["liquidationPrice"]) < 3_010
    assert trader.get("/user/positions") == []
    sized = trader.http.post(
        "/api/v1/user/order/size", json={"market": "ETH-USD", "side": "BUY", "loss": "500", "marginMode": "isolated"}
    ).json()["data"]
    assert 0 < float(sized["loss"]) <= 500


def test_keys_of_strangers_are_no_use(live: Live) -> None:
    answer = live.client().get("/api/v1/user/balance", headers={"X-Api-Key": "nobody's"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, 1500)


def test_an_order_in_the_place_of_another_is_looked_at_without_its_margin(live: Live) -> None:
    trader = Trader(live, 1711)
    trader.claim()
    body = trader.order("BUY", "60", "59000")
    assert trader.place(body).status_code == 200
    asked = {"market": "BTC-USD", "side": "BUY", "qty": "62", "price": "58900"}
    for path, more in (("preview", {}), ("whatIf", {"moves": [{"BTC-USD": "-0.01"}]})):
        found = {}
        for name in ("", body["id"]):
            answer = trader.http.post(f"/api/v1/user/order/{path}", json={**asked, **more, "cancelId": name})
            found[name] = answer.json()["data"]["reject"]
        assert found == {"": "INSUFFICIENT_MARGIN", body["id"]: None}, path
    assert trader.place(trader.order("BUY", "62", "58900")).status_code == 422
    assert trader.place(trader.order("BUY", "62", "58900", cancelId=body["id"])).status_code == 200
    assert [order["qty"] for order in trader.get("/user/orders")] == ["62"]
    trader.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
