"""Accepted, sealed, proven, final: what a receipt and a withdrawal say as their batch goes its way to L1."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from bulkhead.node.finality import Finality, Progress
from bulkhead.node.settling.store import FOLDER, SCHEMA
from tests.api.live import Live, Trader


def test_a_withdrawal_can_be_claimed_when_its_batch_is_final(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkhead.node.finality.AGE_S", -1.0)
    trader = Trader(live, 1101)
    trader.claim()
    order = trader.placed("BUY", "0.01", "58000")
    asked = trader.http.post("/api/v1/user/withdrawal", json=trader.withdrawal(3_000_000)).json()["data"]

    def withdrawal(**query: str) -> list[str]:
        return [one["status"] for one in trader.get("/user/assetOperations", id=asked, **query)]

    def finality() -> str:
        return str(trader.get("/user/assetOperations", id=asked)[0]["finality"])

    assert withdrawal() == ["IN_PROGRESS"]
    sequence = int(trader.get("/user/assetOperations", id=asked)[0]["sequence"])
    for _ in range(100):
        place = live.client().get(f"/api/v1/info/receipts/{sequence}").json()["data"]
        if place["status"] == Finality.SEALED:
            break
        time.sleep(0.1)
    assert (place["status"], finality(), withdrawal()) == ("SEALED", "SEALED", ["IN_PROGRESS"])
    folder = live.settings.place
    (folder / "proofs").mkdir()
    (folder / "proofs" / f"batch-{place['batch']:010d}.standard.proof").write_bytes(b"")
    assert live.client().get(f"/api/v1/info/receipts/{sequence}").json()["data"]["status"] == "PROVEN"
    assert finality() == "PROVEN"
    (folder / FOLDER).mkdir()
    with closing(sqlite3.connect(folder / FOLDER / "state.sqlite")) as connection:
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO told VALUES ('settled', ?, 7, '{}')", (place["batch"],))
        connection.commit()
    assert live.client().get(f"/api/v1/info/receipts/{sequence}").json()["data"]["status"] == "FINAL"
    assert withdrawal() == withdrawal(status="READY_FOR_CLAIM") == ["READY_FOR_CLAIM"]
    assert withdrawal(status="IN_PROGRESS") == []
    assert finality() == trader.get(f"/user/orders/{order}/receipt")["status"] == "FINAL"
    assert [one["finality"] for one in trader.get("/user/orders")] == ["FINAL"]
    assert trader.http.delete(f"/api/v1/user/order/{order}").status_code == 200
    [past] = trader.get("/user/orders/history")
    found = [past, trader.get(f"/user/orders/{order}"), *trader.get(f"/user/orders/external/{past['externalId']}")]
    assert {one["finality"] for one in found} == {"FINAL"}
    newest = trader.placed("BUY", "0.01", "58000")
    assert trader.get(f"/user/orders/{newest}")["finality"] in ("ACCEPTED", "SEALED")


def test_a_folder_without_proofs_claims_nothing(live: Live) -> None:
    progress = Progress(live.settings.place / "nowhere")
    assert (progress.final, progress.proven) == (0, frozenset())
    assert [progress.of(batch) for batch in (0, 1)] == [Finality.ACCEPTED, Finality.SEALED]
