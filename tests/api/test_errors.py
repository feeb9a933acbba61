"""Every refusal is an envelope with the wire's code, and says what a reader needs; nothing that is sent makes a 5xx."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from bulkhead.api.errors import rejected
from bulkhead.reject import Reject
from bulkhead.signing import ccxt_transfer_hash, ccxt_withdrawal_hash
from bulkhead.signing.keys import CURVE_ORDER
from tests.api.live import Live, Trader, salts

NINES = "9" * 400
NUMBERS = [
    "1E+999", "1e-999", "NaN", "Infinity", "-1", "+1", "0x10", "", " 1", "1 ", "1_000", "0." + "0" * 30 + "1",
    "1" * 50, NINES, "\u0661", "1,0", ".5", "5.", "--1", "1e", "null",
]  # fmt: skip


def code(answer: Any) -> tuple[int, int]:
    """Status and code of a refusal."""
    body = answer.json()
    assert body["status"] == "ERROR" and isinstance(body["error"]["code"], int), body
    return answer.status_code, body["error"]["code"]


@pytest.fixture(scope="module")
def trader(live: Live) -> Trader:
    made = Trader(live, 701)
    made.claim()
    return made


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"market": "NOPE-USD"}, (404, 1001)),
        ({"qty": "0"}, (400, 1120)),
        ({"qty": "0.0000001"}, (400, 1121)),
        ({"price": "59000.5"}, (400, 1124)),
        ({"price": "0"}, (400, 1141)),
        ({"price": None}, (400, 1130)),
        ({"type": "TWAP"}, (400, 1132)),
        ({"type": "MARKET"}, (400, 1139)),
        ({"type": "CONDITIONAL"}, (400, 1143)),
        ({"type": "TPSL", "reduceOnly": True}, (400, 1131)),
        ({"type": "TPSL"}, (400, 1145)),
        ({"timeInForce": "TOB"}, (400, 1133)),
        ({"timeInForce": "GTC"}, (400, 1133)),
        ({"settlement": None}, (400, 1133)),
        ({"id": ""}, (400, 1133)),
        ({"id": "x" * 129}, (400, 1133)),
        ({"expiryEpochMillis": 1}, (400, 1101)),  # the signature is looked at before the clock
        ({"expiryEpochMillis": (int(time.time()) + 200 * 86_400) * 1000}, (400, 1101)),
        ({"side": "SELL"}, (400, 1101)),
        ({"nonce": "1"}, (400, 1101)),
        ({"fee": "0.0006"}, (400, 1101)),
        ({"reduceOnly": True}, (422, 1137)),
        ({"qty": 1}, (400, 1133)),
        ({"type": "TPSL", "reduceOnly": True, "cancelId": "x"}, (400, 1131)),
        ({"cancelId": "x" * 129}, (400, 1133)),
    ],
)
def test_an_order_that_is_wrong_is_refused_by_the_codes_of_the_wire(
    trader: Trader, changes: dict[str, Any], expected: tuple[int, int]
) -> None:
    answer = trader.place({**trader.order("BUY", "0.01", "59000"), **changes})
    assert code(answer) == expected, answer.text


def test_a_builder_of_an_order_changes_nothing_but_what_is_signed(trader: Trader) -> None:
    """As ccxt sends it unless it is told not to: what is signed is the most that both together may be charged."""
    shares = {"fee": "0.0004", "builderFee": "0.0001", "builderId": "257624"}
    taken = trader.place({**trader.order("BUY", "0.01", "58000"), **shares})  # signed for 0.0005
    assert taken.status_code == 200, taken.text


def test_a_preview_has_a_trigger_where_it_waits_and_nowhere_else(trader: Trader) -> None:
    path, order = "/api/v1/user/order/preview", {"market": "BTC-USD", "side": "BUY", "qty": "0.1", "price": "90000"}
    far = trader.http.post(path, json=order).json()["data"]
    assert far["reject"] == "OUTSIDE_PRICE_BAND"
    waits = {**order, "type": "CONDITIONAL", "trigger": {"triggerPrice": "89000", "direction": "UP"}}
    assert trader.http.post(path, json=waits).json()["data"]["reject"] is None, "it is judged when it fires"
    assert code(trader.http.post(path, json={**order, "type": "CONDITIONAL"})) == (400, 1143)
    assert code(trader.http.post(path, json={**waits, "type": "LIMIT"})) == (400, 1143)
    gone = trader.http.post(path, json={**order, "price": "60000", "cancelId": "nobody"}).json()["data"]
    assert (gone["reject"], gone["modes"]) == ("UNKNOWN_ORDER", [])


def test_a_bad_signature_is_told_the_hash_and_the_amounts(trader: Trader) -> None:
    body = trader.order("BUY", "0.01234", "58765", fee="0.0005")
    body["settlement"]["signature"]["r"] = "0x1"
    answer = trader.place(body)
    assert code(answer) == (400, 1101)
    expected = answer.json()["error"]["expected"][0]
    assert (expected["syntheticAmount"], expected["collateralAmount"]) == ("12340", "-725160100")
    assert (expected["feeAmount"], expected["hash"]) == ("362581", hex(int(body["id"])))
    assert expected["hash"] in answer.json()["error"]["debugInfo"]


@pytest.mark.parametrize(
    ("life_s", "expected"),
    [
        (-30 * 86_400, (400, 1133)), (-3_600, (400, 1133)), (-1, (400, 1133)),
        (91 * 86_400, (400, 1135)), (400 * 86_400, (400, 1135)), (10**10, (400, 1135)), (10**15, (400, 1133)),
    ],
)  # fmt: skip
def test_stale_and_future_expiries_are_refused_however_well_they_are_signed(
    trader: Trader, life_s: int, expected: tuple[int, int]
) -> None:
    assert code(trader.place(trader.order("BUY", "0.01", "59000", life_s=life_s))) == expected


def test_a_name_and_a_hash_are_taken_once(trader: Trader) -> None:
    body = trader.order("BUY", "0.01", "59000")
    assert trader.place(body).status_code == 200
    assert code(trader.place(body)) == (409, 1134)
    assert code(trader.place({**body, "id": "another name"})) == (409, 1134)
    named = trader.order("BUY", "0.01", "59100", id=body["id"])
    assert code(trader.place(named)) == (409, 1134), "while the first is open"
    twin = json.loads(json.dumps(body))
    twin["settlement"]["signature"]["s"] = hex(CURVE_ORDER - int(body["settlement"]["signature"]["s"], 16))
    assert code(trader.place({**twin, "id": "twin"})) == (409, 1134), "a signature has a twin; a hash has none"
    trader.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
    assert code(trader.place({**body, "id": "later"})) == (409, 1134), "and after it was cancelled"


@pytest.mark.parametrize(
    ("path", "query", "known"),
    [
        ("/user/positions", "side=UP", "LONG, SHORT"), ("/user/positions/history", "side=BUY", "LONG, SHORT"),
        ("/user/orders", "type=STOP", "TPSL"), ("/user/orders/history", "side=LONG", "BUY, SELL"),
        ("/user/trades", "type=ADL", "DELEVERAGE"), ("/user/trades", "side=b", "BUY, SELL"),
        ("/user/assetOperations", "status=COMPLETED&status=DONE", "READY_FOR_CLAIM"),
        ("/user/assetOperations", "type=WITHDRAWALS", "SLOW_WITHDRAWAL"), ("/info/assets", "type=COIN", "PERPETUAL"),
    ],
)  # fmt: skip
def test_a_word_that_no_list_knows_is_named(trader: Trader, path: str, query: str, known: str) -> None:
    answer = trader.http.get(f"/api/v1{path}?{query}")
    assert code(answer) == (400, 1133)
    assert known in answer.json()["error"]["message"]


def test_other_refusals_of_orders(live: Live, trader: Trader) -> None:
    body = trader.order("BUY", "0.01", "58000")
    assert trader.place(body).status_code == 200
    assert code(trader.place(body)) == (409, 1134)
    assert code(trader.place(trader.order("BUY", "0.01", "30000"))) == (422, 1141)
    assert code(trader.place(trader.order("BUY", "0.01", "58000", fee="0.0001"))) == (422, 1128)
    assert code(trader.place(trader.order("BUY", "160", "58000"))) == (422, 1140)
    other = Trader(live, 702)
    foreign = other.order("BUY", "0.01", "58000")
    assert code(trader.place(foreign)) == (400, 1102)
    foreign["settlement"]["collateralPosition"] = str(trader.vault)
    assert code(trader.place(foreign)) == (400, 1100)
    assert code(trader.http.delete("/api/v1/user/order/999999999")) == (404, 1142)
    assert code(trader.http.delete("/api/v1/user/order")) == (400, 1133)
    assert code(trader.http.post("/api/v1/user/order/massCancel", json={})) == (400, 1133)
    assert code(trader.http.post("/api/v1/user/order/rfq", json=body)) == (422, 1132)
    assert code(trader.http.post("/api/v1/vault/user/deposits", json={})) == (422, 1009)
    for leverage, expected in (("500", 1050), ("0", 1049), ("2.5", 1053)):
        answer = trader.http.patch("/api/v1/user/leverage", json={"market": "BTC-USD", "leverage": leverage})
        assert code(answer) == (400, expected)
    trader.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})


def test_money_that_does_not_match_its_settlement_stays(live: Live, trader: Trader) -> None:
    other = Trader(live, 703)
    path = "/api/v1/user/transfer/onchain"
    body = trader.transfer(other, 5_000_000)
    assert code(trader.http.post(path, json={**body, "amount": "6"})) == (400, 1602)
    assert code(trader.http.post(path, json={**body, "amount": "5.0000001"})) == (400, 1602)
    assert code(trader.http.post(path, json={**body, "toVault": 64})) == (400, 1602)
    assert code(trader.http.post(path, json={**body, "transferredAsset": "0x7"})) == (400, 1605)
    elsewhere = trader.withdrawal(1_000_000, chainId="SOL", quoteId="1")
    assert code(trader.http.post("/api/v1/user/withdrawal", json=elsewhere)) == (422, 1009)
    spoiled = {**body, "settlement": {**body["settlement"], "nonce": next(salts)}}
    answer = trader.http.post(path, json=spoiled)
    assert code(answer) == (400, 1101)
    assert answer.json()["error"]["expected"][0]["amount"] == "5000000"
    assert trader.http.post(path, json=body).json()["data"]["validSignature"] is True
    assert code(trader.http.post(path, json=body)) == (409, 1134)
    draft = trader.withdrawal(1_000_000)
    soon = {**draft, "settlement": {**draft["settlement"], "expiration": {"seconds": int(time.time()) + 86_400}}}
    assert code(trader.http.post("/api/v1/user/withdrawal", json=soon)) == (400, 1604)
    assert code(trader.http.post("/api/v1/user/withdrawal", json={**draft, "amount": "2"})) == (400, 1602)
    much = trader.withdrawal(10**15)
    assert code(trader.http.post("/api/v1/user/withdrawal", json=much)) == (422, 1140)
    assert isinstance(trader.http.post("/api/v1/user/withdrawal", json=draft).json()["data"], int)


def test_a_venue_with_proofs_says_that_it_knows_no_message_of_ccxts(
    live: Live, trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, until = Trader(live, 705), int(time.time()) + 21 * 86_400
    monkeypatch.setattr(live.node.exchange.machine.authority, "_client_messages", False)
    given, out = trader.transfer(other, 1_000_000), trader.withdrawal(1_000_000)
    moved = ccxt_transfer_hash(
        trader.domain, trader.key, recipient_position_id=other.vault, sender_position_id=trader.vault,
        collateral_id=1, amount=1_000_000, expiration_s=until, salt=given["settlement"]["nonce"],
    )  # fmt: skip
    left = ccxt_withdrawal_hash(
        trader.domain, trader.key, recipient=int(trader.ethereum.address, 16), position_id=trader.vault,
        collateral_id=1, amount=1_000_000, expiration_s=until, salt=out["settlement"]["salt"],
    )  # fmt: skip
    given["settlement"] |= {"expirationTimestamp": until, "signature": trader.signature(moved)}
    out["settlement"] |= {"expiration": {"seconds": until}, "signature": trader.signature(left)}
    for path, body in (("transfer", given), ("withdrawal", out)):
        answer = trader.http.post(f"/api/v1/user/{path}", json=body)
        assert code(answer) == (400, 1101)
        assert "ccxt signs a message of its own" in answer.json()["error"]["message"]
    monkeypatch.undo()
    assert trader.http.post("/api/v1/user/transfer", json=given).json()["data"]["validSignature"]


def test_onboarding_believes_nobody(live: Live, trader: Trader) -> None:
    other = Trader(live, 704)
    assert code(trader.onboard(l1Signature="00" * 65)) == (401, 1101)
    assert code(trader.onboard(l2Key="0x5")) in {(400, 1100), (409, 1100)}
    stolen = {**trader.creation(0, "REGISTER"), "wallet": other.ethereum.address}
    assert code(trader.onboard(accountCreation=stolen)) == (401, 1101)
    old = {**trader.creation(0, "REGISTER"), "time": "2020-01-01T00:00:00Z"}
    assert code(trader.onboard(accountCreation=old)) == (401, 1101)
    assert code(trader.ask_key(other.vault)) == (404, 1004)
    assert trader.subaccount(1, 4_711).status_code == 200
    assert code(trader.subaccount(1, 4_712)) == (409, 1009)
    wrong = trader.agreement(999)
    made = trader.http.post(
        "/auth/onboard/subaccount",
        json={
            "l2Key": hex(other.key), "l2Signature": wrong, "accountCreation": trader.creation(2, "CREATE_SUB_ACCOUNT"),
            "description": "",
        },
        headers=trader.headers("/auth/onboard/subaccount"),
    )  # fmt: skip
    assert code(made) == (400, 1101)


def test_scopes_expiry_and_addresses_of_keys_are_kept(live: Live, trader: Trader) -> None:
    def key(**body: Any) -> dict[str, str]:
        return {"X-Api-Key": trader.ask_key(trader.vault, **body).json()["data"]["key"]}

    http, order = live.client(), trader.order("BUY", "0.01", "58000")
    reader = key(scopes=["read"])
    assert http.get("/api/v1/user/balance", headers=reader).status_code == 200
    assert code(http.post("/api/v1/user/order", json=order, headers=reader)) == (403, 1009)
    trading = key(scopes=["read", "trade"])
    assert code(http.post("/api/v1/user/withdrawal", json={}, headers=trading)) == (403, 1009)
    assert code(http.get("/api/v1/user/balance", headers=key(expiresAt=1))) == (401, 1500)
    assert code(http.get("/api/v1/user/balance", headers=key(addresses=["10.0.0.0/8"]))) == (403, 1500)
    assert http.get("/api/v1/user/balance", headers=key(addresses=["127.0.0.0/8"])).status_code == 200
    assert code(trader.ask_key(trader.vault, addresses=["nowhere"])) == (400, 1133)
    stored = (live.settings.place / "derived.sqlite").read_bytes()
    assert trading["X-Api-Key"].encode() not in stored


def test_numbers_of_every_kind_are_refused_or_right(trader: Trader) -> None:
    order = trader.order("BUY", "0.01", "58000")
    for number in NUMBERS:
        for field in ("qty", "price", "fee", "builderFee"):
            answer = trader.place({**order, field: number})
            assert 400 <= answer.status_code < 500, (field, number, answer.text)
        for path in ("/user/orders/{}", "/user/trades?cursor={}", "/user/trades?limit={}", "/info/receipts/{}"):
            answer = trader.http.get(f"/api/v1{path}".format(number.replace(" ", "%20").replace("+", "%2B")))
            assert answer.status_code < 500, (path, number, answer.text)


def test_bodies_of_every_kind_are_refused(trader: Trader) -> None:
    bodies = [
        b"", b"{", b"[]", b"null", b"1e999", b'"x"', b"\xff\xfe", b"{}" * 10, b'{"id":' * 50, b"[" * 30_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000, json.dumps({"id": "\ud800"}).encode(), b'{"id":1e400}',
        b'{"expiryEpochMillis":' + b"9" * 5_000 + b"}", b"\x00" * 100,
    ]  # fmt: skip
    paths = [
        "/api/v1/user/order", "/api/v1/user/order/massCancel", "/api/v1/user/transfer", "/api/v1/user/withdrawal",
        "/api/v1/user/order/preview", "/api/v1/user/order/size", "/api/v1/user/configuration", "/api/v1/user/move",
        "/api/v1/user/order/whatIf", "/api/v1/user/strategies",
        "/auth/onboard", "/auth/onboard/subaccount", "/api/v1/user/account/api-key",
    ]  # fmt: skip
    for path in paths:
        for body in bodies:
            answer = trader.http.post(path, content=body)
            assert 400 <= answer.status_code < 500, (path, body[:40], answer.text)
            assert answer.json()["status"] == "ERROR"
    answer = trader.http.post(paths[0], content=b'{"x":"' + b"y" * 10_000_000 + b'"}')
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, 1133)
    assert trader.http.get("/api/v1/user/balance").status_code == 200


def test_an_order_with_any_field_spoiled_is_refused(trader: Trader) -> None:
    draw = random.Random(7)
    wild = [None, True, [], {}, "", -1, 1.5, "x" * 1_000, 1 << 70, {"a": 1}, ["0x1"], "0x", "0xzz", "-0x1", "é"]
    sound = trader.order("BUY", "0.01", "58000")
    for _ in range(120):
        body = json.loads(json.dumps(sound))
        target = body
        if draw.random() < 0.5:
            target = body["settlement"]
            if draw.random() < 0.5:
                target = target["signature"]
        target[draw.choice(list(target))] = draw.choice(wild)
        answer = trader.place(body)
        assert answer.status_code < 500, (body, answer.text)
    trader.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})


def test_what_is_not_there_and_what_is_not_allowed_is_an_envelope_too(live: Live, trader: Trader) -> None:
    http = live.client()
    assert code(http.get("/api/v1/nothing")) == (404, 1009)
    assert code(http.put("/api/v1/user/order")) == (405, 1009)
    assert code(http.get("/api/v1/user/balance")) == (401, 1500)
    assert code(http.get("/api/v1/info/markets/NOPE/stats")) == (404, 1001)
    assert code(http.get("/api/v1/info/candles/BTC-USD/trades", params={"interval": "PT7M"})) == (400, 1005)
    assert code(trader.http.get("/api/v1/user/assetOperations", params={"type": "GIFT"})) == (400, 1133)
    assert http.get("/health").json()["status"] == "OK"
    assert b"bulkhead_commands_total" in http.get("/metrics").content


def test_every_reject_has_a_code_and_a_status_below_500() -> None:
    for reject in Reject:
        error = rejected(reject)
        assert 400 <= error.status < 500 and error.code >= 1000 and error.extra["reject"] == reject.name
