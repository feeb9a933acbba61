"""Every call of the interface, once and in earnest, on a venue of five markets: what was sent, and what came back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from bulkhead.api.onboarding import KEY_PATH, SUBACCOUNT_PATH
from bulkhead.api.routes import ENDPOINTS
from bulkhead.node import app
from bulkhead.node.settings import Settings
from bulkhead.signing import move_hash, registration_hash
from bulkhead.units import TimeMs
from tests.api.live import Fixed, Live, Trader, most
from tests.api.test_modes import choose

MINUTE_MS, MINUTES = 60_000, 61
OPEN = "/api/v1/user"
INFO = "/api/v1/info"


class Heard(NamedTuple):
    """One call of the tour."""

    status: int
    body: Any  # what was sent as JSON
    answer: Any  # JSON; text where it is none


@contextmanager
def toured(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tour]:
    """A tour of a venue of its own, whose clock ticks quickly and can be put forward."""
    ahead = [0]
    monkeypatch.setattr(app, "wall_clock", lambda: TimeMs(time.time_ns() // 1_000_000 + ahead[0]))
    clock = msgspec.structs.replace(settings.clock, interval_s=0.02)
    live = Live(msgspec.structs.replace(settings, clock=clock), Fixed())

    def put_forward(span_ms: int) -> None:
        ahead[0] += span_ms

    try:
        yield Tour(live, put_forward)
    finally:
        live.stop()


class Tour:
    """Keeps what was heard, by method and path as the document has it."""

    def __init__(self, live: Live, put_forward: Callable[[int], None]) -> None:
        self.live = live
        self._put_forward = put_forward  # the node's clock, by so many milliseconds
        self.heard: dict[tuple[str, str], Heard] = {}
        self.http = live.client()
        self.main, self.maker = Trader(live, 1501), Trader(live, 1502)
        self.victim = Trader(live, 1503)
        for _ in range(9):
            self.maker.claim()

    def call(self, who: Trader | None, method: str, path: str, /, body: Any = None, **more: Any) -> Any:
        """One call: its data. `path` is filled in from `fill`; a refusal must be announced as `status`."""
        fill, status = more.pop("fill", {}), more.pop("status", 200)
        http = self.http if who is None else who.http
        if body is not None:
            more["json"] = body
        answer = http.request(method, path.format(**fill), **more)
        assert answer.status_code == status, (method, path, answer.text)
        is_json = answer.headers["content-type"].startswith("application/json")
        self.heard[method, path] = Heard(status, body, answer.json() if is_json else answer.text)
        return answer.json().get("data") if is_json else answer.text

    def until(self, ask: Callable[[], Any]) -> Any:
        """What is not nothing, within ten seconds."""
        deadline = time.monotonic() + 10
        while not (found := ask()):
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.05)
        return found

    def everything(self) -> None:
        """The whole tour."""
        for part in (
            self.onboard, self.trade, self.look_ahead, self.choose, self.pay, self.fall, self.be_public,
            self.wait_an_hour, self.turn_pages,
        ):  # fmt: skip
            part()

    # -- parts -------------------------------------------------------------------------------------------------------

    def onboard(self) -> None:
        """Owner, second account, keys."""
        main = self.main

        def kept(response: httpx.Response, path: str, body: Any) -> Any:
            assert response.status_code == 200, response.text
            self.heard["POST", path] = Heard(200, body, response.json())
            return response.json()["data"]

        agreed = {"l1Signature": "00" * 65, "l2Key": hex(main.key), "l2Signature": main.agreement(main.private)}
        creation = main.creation(0, "REGISTER")
        kept(main.onboard(), "/auth/onboard", {**agreed, "accountCreation": creation, "referralCode": None})
        second = {**main.creation(1, "CREATE_SUB_ACCOUNT")}
        body = {"l2Key": hex(main.key), "l2Signature": agreed["l2Signature"], "accountCreation": second}
        kept(main.subaccount(1, 4_717), SUBACCOUNT_PATH, {**body, "description": "second"})
        scopes = {"description": "bot", "scopes": ["read", "trade"], "addresses": ["127.0.0.0/8"]}
        kept(main.ask_key(main.vault, **scopes), KEY_PATH, scopes)
        newest = self.live.node.directory.keys_of(main.vault)[-1].key_id
        headers = {**main.headers(KEY_PATH), "X-X10-ACTIVE-ACCOUNT": str(main.vault)}
        self.call(main, "DELETE", KEY_PATH + "/{key_id}", fill={"key_id": newest}, headers=headers)
        self.call(main, "GET", "/auth/accounts", headers=main.headers("/api/v1/user/accounts"))
        self.call(main, "POST", f"{OPEN}/claim", {})

    def trade(self) -> None:
        """Rest, look, take, protect, cancel."""
        main, maker = self.main, self.maker
        for market, bid, ask, size in (("BTC-USD", "59900", "60100", "0.5"), ("ETH-USD", "2990", "3010", "9")):
            maker.placed("BUY", size, bid, market=market)
            maker.placed("SELL", size, ask, market=market)
        main.placed("BUY", "0.1", "60100")
        resting = main.order("BUY", "0.01", "59000")
        order_id = self.call(main, "POST", f"{OPEN}/order", resting)["id"]
        parent = main.order("SELL", "0", "0", reduceOnly=True, type="TPSL", tpSlType="POSITION")
        leg = main.leg("SELL", most(self.live, 66_000), "66000", "66000", parent)
        del parent["settlement"], parent["price"]
        assert main.place({**parent, "takeProfit": leg}).status_code == 200
        for path in ("orders", "positions", "trades", "balance", "spot/balances", "fees", "leverage", "profit",
                     "deleveraging", "compartments", "client/info", "account/info", "accounts"):  # fmt: skip
            self.call(main, "GET", f"{OPEN}/{path}")
        self.call(main, "GET", f"{OPEN}/solvency")
        self.call(main, "GET", f"{OPEN}/solvency/settled", status=404)
        self.call(main, "GET", OPEN + "/orders/{id}", fill={"id": order_id})
        self.call(main, "GET", OPEN + "/orders/external/{external_id}", fill={"external_id": resting["id"]})
        self.call(main, "GET", OPEN + "/orders/{id}/receipt", fill={"id": order_id})
        self.call(main, "DELETE", OPEN + "/order/{id}", fill={"id": order_id})
        named = main.order("BUY", "0.01", "59000")
        assert main.place(named).status_code == 200
        self.call(main, "DELETE", f"{OPEN}/order", params={"externalId": named["id"]})
        self.call(main, "POST", f"{OPEN}/order/massCancel", {"markets": ["BTC-USD"], "cancelAll": False})
        self.call(main, "POST", f"{OPEN}/deadmanswitch", params={"countdownTime": "60"})
        self.call(main, "GET", f"{OPEN}/orders/history", params={"limit": 2})
        self.call(main, "PATCH", f"{OPEN}/leverage", {"market": "BTC-USD", "leverage": "5"})
        self.call(main, "POST", f"{OPEN}/order/rfq", resting, status=422)

    def look_ahead(self) -> None:
        """Orders that are not sent."""
        order = {"market": "ETH-USD", "side": "BUY", "qty": "1", "price": "3010"}
        self.call(self.main, "POST", f"{OPEN}/order/preview", order)
        self.call(self.main, "POST", f"{OPEN}/order/whatIf", {**order, "moves": [{"ETH-USD": "-0.23"}], "leverage": 10})
        asked = {"market": "ETH-USD", "side": "BUY", "loss": "250", "marginMode": "isolated"}
        self.call(self.main, "POST", f"{OPEN}/order/size", asked)

    def choose(self) -> None:
        """Modes, moves, strategies: signed by the trader."""
        main, until = self.main, int(time.time()) + 600
        answer = choose(main, "ETH-USD", 2, "isolated")
        body = answer.request.read()
        self.heard["POST", f"{OPEN}/configuration"] = Heard(200, json.loads(body), answer.json())
        self.call(main, "GET", f"{OPEN}/configuration")
        main.placed("BUY", "1", "3010", market="ETH-USD")
        legs = [{"source": main.vault, "target": main.vault + 2, "amount": 100_000_000}]
        self.call(main, "POST", f"{OPEN}/move/preview", {"assets": legs})
        nonce = main.get("/user/configuration")["nextNonce"]
        message = move_hash(
            main.domain, main.key, account_id=main.vault, assets=[(main.vault, main.vault + 2, 1, 100_000_000)],
            positions=[], choices=[], expiration_s=until, nonce=nonce,
        )  # fmt: skip
        moved = {"assets": legs, "expiration": until, "nonce": nonce, "signature": main.signature(message)}
        self.call(main, "POST", f"{OPEN}/move", moved)
        account_id = main.get("/user/strategies")["nextAccountId"]
        message = registration_hash(
            main.domain, main.key, account_id=account_id, kind=3, rule=1, l1_owner=int(main.ethereum.address, 16),
            parent_id=main.vault, asset_id=1,
        )  # fmt: skip
        strategy = {"accountId": account_id, "description": "basis", "signature": main.signature(message)}
        self.call(main, "POST", f"{OPEN}/strategies", strategy)
        self.call(main, "GET", f"{OPEN}/strategies")
        self.call(main, "POST", OPEN + "/strategies/{account_id}/api-key", fill={"account_id": account_id})
        self.call(main, "GET", f"{OPEN}/profit")

    def pay(self) -> None:
        """Money to others and out, and what is not offered."""
        main, other = self.main, self.maker
        for path in ("transfer/onchain", "transfer"):
            self.call(main, "POST", f"{OPEN}/{path}", main.transfer(other, 5_000_000))
        self.call(main, "POST", f"{OPEN}/withdrawal", main.withdrawal(3_000_000))
        self.call(main, "GET", f"{OPEN}/assetOperations", params={"type": "WITHDRAWAL"})
        self.call(main, "GET", f"{OPEN}/bridge/config")
        self.call(main, "GET", f"{OPEN}/bridge/quote", params={"chainIn": "STRK", "chainOut": "ETH"}, status=422)
        self.call(main, "POST", f"{OPEN}/bridge/quote", params={"id": "1"}, status=422)
        for path in ("deposits", "withdrawals"):
            self.call(main, "POST", f"/api/v1/vault/user/{path}", {}, status=422)
        self.call(main, "GET", "/api/v1/builder/trades")
        self.call(main, "PUT", f"{OPEN}/webhook", {"url": "https://hooks.example.org/margin-calls"})
        self.call(main, "GET", f"{OPEN}/webhook")
        self.call(main, "DELETE", f"{OPEN}/webhook")

    def fall(self) -> None:
        """Somebody is called, and liquidated; what he can check afterwards."""
        victim, maker, source = self.victim, self.maker, self.live.source
        victim.claim()
        maker.placed("SELL", "70", "60000")
        victim.placed("BUY", "70", "60000")
        maker.placed("BUY", "90", "58900")
        source.now["BTC-USD"] = 59_000.0
        steps = self.until(lambda: self.call(victim, "GET", f"{OPEN}/liquidations"))
        self.until(lambda: self.call(victim, "GET", f"{OPEN}/marginCalls"))
        step = steps[0]["id"]
        self.call(victim, "GET", OPEN + "/liquidations/{id}/explain", fill={"id": step})
        self.call(None, "GET", f"{INFO}/liquidations")
        self.call(None, "GET", INFO + "/liquidations/{id}/check", fill={"id": step})
        self.call(None, "GET", f"{INFO}/insurance")
        victim.http.post(f"{OPEN}/order/massCancel", json={"cancelAll": True})
        source.now["BTC-USD"] = 60_000.0

    def be_public(self) -> None:
        """What everybody may see."""
        for path in ("markets", "assets", "settings", "starknet", "solvency", "oracle", "operator", "settlement",
                     "genesis", "forced", "proposals"):  # fmt: skip
            self.call(None, "GET", f"{INFO}/{path}")
        for path in ("deployment", "solvency/settled"):
            self.call(None, "GET", f"{INFO}/{path}", status=404)
        for path in ("stats", "orderbook", "trades"):
            self.call(None, "GET", INFO + "/markets/{market}/" + path, fill={"market": "BTC-USD"})
        filled = {"market": "BTC-USD", "type": "trades"}
        self.call(None, "GET", INFO + "/candles/{market}/{type}", fill=filled, params={"interval": "PT1M"})
        self.call(None, "GET", INFO + "/assets/{name}/price", fill={"name": "USD"})
        self.call(None, "GET", INFO + "/receipts/{sequence}", fill={"sequence": 5})
        self.until(lambda: self.call(None, "GET", f"{INFO}/batches"))
        self.call(None, "GET", INFO + "/batches/{batch}", fill={"batch": 1})
        self.call(None, "GET", "/health")
        self.call(None, "GET", "/metrics")

    def _has_ticked(self) -> bool:
        node = self.live.node
        return int(node.clock_ms()) - node.clock.last_tick_ms < MINUTE_MS // 2

    def wait_an_hour(self) -> None:
        """Funding is paid."""
        for _ in range(MINUTES):
            self._put_forward(MINUTE_MS)
            self.until(self._has_ticked)
        self.until(lambda: self.call(self.main, "GET", f"{OPEN}/funding/history"))
        for path in ("funding", "open-interests"):
            self.until(lambda path=path: self.call(None, "GET", INFO + "/{market}/" + path, fill={"market": "BTC-USD"}))
        self.main.http.post(f"{OPEN}/order/massCancel", json={"cancelAll": True})
        closing = self.main.order("SELL", "0.1", "59900", reduceOnly=True, life_s=7_200)
        self.maker.placed("BUY", "0.1", "59900", life_s=7_200)
        assert self.main.place(closing).status_code == 200
        self.until(lambda: self.call(self.main, "GET", f"{OPEN}/positions/history"))


    def turn_pages(self) -> None:
        """Every list in parts of two is the list as a whole: nothing twice, nothing left out."""
        main, maker, victim = self.main, self.maker, self.victim
        private = (
            (maker, "trades"), (maker, "orders/history"), (main, "positions/history"), (main, "funding/history"),
            (maker, "assetOperations"), (victim, "liquidations"), (victim, "marginCalls"),
        )  # fmt: skip
        for who, path in private:
            self._turn(who.http, f"{OPEN}/{path}")
        self._turn(maker.http, f"{OPEN}/orders/history", sort="UPDATED_AT")
        for path in ("liquidations", "batches", "BTC-USD/funding", "insurance"):
            self._turn(self.http, f"{INFO}/{path}")

    def _turn(self, http: httpx.Client, path: str, **query: Any) -> None:
        """Batches are sealed meanwhile, so a list that has grown is looked at again."""
        assert any(self._is_whole(http, path, query) for _ in range(5)), path

    def _is_whole(self, http: httpx.Client, path: str, query: dict[str, Any]) -> bool:
        whole = _part_of(http.get(path, params={"limit": 50, **query}))[0]
        rows, cursor = _part_of(http.get(path, params={"limit": 2, **query}))
        found = list(rows)
        while cursor is not None and len(found) < len(whole):
            rows, cursor = _part_of(http.get(path, params={"limit": 2, "cursor": cursor, **query}))
            assert 0 < len(rows) <= 2, path
            found += rows
        return found[: len(whole)] == whole != []


def _part_of(answer: httpx.Response) -> tuple[list[Any], int | None]:
    """Rows, and the cursor of the next ones."""
    assert answer.status_code == 200, answer.text
    found = answer.json()
    if isinstance(found["data"], dict):
        return found["data"]["entries"], found["data"]["cursor"]
    assert found["pagination"]["count"] == len(found["data"])
    return found["data"], found["pagination"].get("cursor")


def everywhere() -> set[tuple[str, str]]:
    """Every call that there is."""
    return {(one.method, re.sub(r":path\}", "}", one.path)) for one in ENDPOINTS}
