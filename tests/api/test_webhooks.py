"""Margin calls by webhook: signed, tried again, and never sent where a stranger should not reach."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import text

from bulkhead.node import webhooks
from bulkhead.node.store.database import Database
from bulkhead.node.webhooks import BadUrl, PublicResolver, check, signature
from tests.api.live import Live, Trader


class Receiver:
    """A server of the owner's: refuses the first deliveries, takes every other."""

    def __init__(self, refusals: int = 1) -> None:
        self.heard: list[tuple[bytes, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heard.append((body, self.headers[webhooks.SIGNATURE_HEADER]))
                self.send_response(500 if len(receiver.heard) <= refusals else 204)
                self.end_headers()

            def log_message(self, *given: object) -> None:
                return None

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/calls"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_margin_call_arrives_signed_though_the_first_attempt_fails(
    live: Live, maker: Trader, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "PAUSES_S", (0.05, 0.05))
    trader = Trader(live, 717)
    trader.claim()
    assert trader.http.get("/api/v1/user/webhook").status_code == 404
    made = trader.http.put("/api/v1/user/webhook", json={"url": receiver.url}).json()["data"]
    assert trader.get("/user/webhook") == {"url": receiver.url}
    maker.placed("SELL", "20", "3000", market="ETH-USD")
    trader.placed("BUY", "20", "3000", market="ETH-USD")
    trader.http.post("/api/v1/user/withdrawal", json=trader.withdrawal(93_500_000_000)).raise_for_status()
    price, end_s = 3_000.0, time.monotonic() + 20
    while len(receiver.heard) < 2:
        assert time.monotonic() < end_s, price
        price = max(2_700.0, price - 12)
        live.source.now["ETH-USD"] = price
        time.sleep(0.2)
    live.source.now["ETH-USD"] = 3_000.0
    (first, _), (again, signed) = receiver.heard[:2]
    assert first == again and signed == signature(made["secret"], again)
    message = json.loads(again)
    assert (message["type"], message["data"]["level"]) == ("MARGIN_CALL", 66)
    assert message["data"]["accountId"] == trader.vault
    told = trader.get("/user/marginCalls")
    assert message["data"]["id"] in {call["id"] for call in told}
    assert trader.http.delete("/api/v1/user/webhook").status_code == 200
    assert trader.http.delete("/api/v1/user/webhook").status_code == 404


def test_an_address_that_refuses_holds_up_nobody(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "AT_ONCE", 1)
    monkeypatch.setattr(webhooks, "PAUSES_S", (30.0,))
    database = Database(f"sqlite:///{tmp_path / 'derived.sqlite'}")
    webhooks.name(database, 64, receiver.url, 0, is_test=True)
    webhooks.name(database, 128, receiver.url, 0, is_test=True)

    async def tell() -> None:
        courier = webhooks.Courier(database, is_test=True)
        courier.tell(64, {"id": 1})
        courier.tell(128, {"id": 2})
        async with asyncio.timeout(10):
            while len(receiver.heard) < 2:
                await asyncio.sleep(0.02)

    asyncio.run(tell())
    assert sorted(json.loads(body)["id"] for body, _ in receiver.heard) == [1, 2]
    database.close()


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://example.org/", "https://", "https://user:word@example.org/", "https://10.0.0.1/", "https://[::1]:x/",
        "https://169.254.169.254/latest", "https://224.0.0.1/", "https://0.0.0.0/", "https://[fe80::1]/",
        "https://example.org/\n", "https://example.org/" + "x" * 490, "https://127.1/", "https://2130706433/", "https://0/",
        "https://10.0.0.1./", "https://[::ffff:10.0.0.1]/", "https://[::10.0.0.1]/", "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
    ],
)  # fmt: skip
def test_a_url_that_nothing_may_be_sent_to_is_refused(live: Live, maker: Trader, url: str) -> None:
    answer = maker.http.put("/api/v1/user/webhook", json={"url": url})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == 1133
    with pytest.raises(BadUrl):
        check(url, is_test=True)


@pytest.mark.parametrize("url", ["http://example.org/", "https://127.0.0.1/", "http://127.0.0.1/", "https://[::1]/"])
def test_on_a_real_network_only_public_https_will_do(url: str) -> None:
    check("https://example.org/calls", is_test=False)
    check(url, is_test=True)
    with pytest.raises(BadUrl):
        check(url, is_test=False)


def test_a_name_that_leads_to_a_private_address_leads_nowhere() -> None:
    async def resolve(is_test: bool) -> int:
        return len(await PublicResolver(is_test).resolve("localhost", 80))

    assert asyncio.run(resolve(True)) > 0
    with pytest.raises(OSError, match="no public address"):
        asyncio.run(resolve(False))


def test_a_database_from_before_webhooks_is_brought_up_to_date(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'derived.sqlite'}"
    old = Database(url)
    with old.engine.begin() as connection:
        connection.execute(text("DROP TABLE webhooks"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    old.close()
    now = Database(url)
    assert webhooks.find(now, 64) is None
    made = webhooks.name(now, 64, "https://example.org/", 1, is_test=False)
    assert webhooks.find(now, 64) == made
    assert webhooks.name(now, 64, "https://example.org/", 2, is_test=False).secret != made.secret
    now.close()
