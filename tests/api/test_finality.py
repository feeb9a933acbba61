"""Accepted, sealed, proven, final: what a receipt and a withdrawal say as their batch goes its way to L1."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing

import msgspec
import pytest

from bulkhead.client.models import Operation, Paid
from bulkhead.node.finality import Finality, Progress
from bulkhead.node.settling.store import FOLDER, SCHEMA
from tests.api.live import Live, Trader
from tests.api.streams.sockets import opened, rpc_on, until


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


def test_a_claim_on_l1_completes_what_was_settled_before_it_and_no_more(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By REST and stream alike; pages of one status are whole; and L1 may take it back."""
    monkeypatch.setattr("bulkhead.node.finality.AGE_S", -1.0)
    monkeypatch.setattr("bulkhead.node.claims.PAUSE_S", 0.05)
    trader = Trader(live, 1102)
    trader.claim()

    def withdrawn() -> str:
        return str(trader.http.post("/api/v1/user/withdrawal", json=trader.withdrawal(1_000_000)).json()["data"])

    def batch_of(asked: str) -> int:
        sequence = trader.get("/user/assetOperations", id=asked)[0]["sequence"]
        while not (place := live.client().get(f"/api/v1/info/receipts/{sequence}").json()["data"])["batch"]:
            time.sleep(0.1)
        return int(place["batch"])

    early = [withdrawn(), withdrawn()]
    first = max(map(batch_of, early))
    late = withdrawn()
    assert batch_of(late) > first
    wallet = str(trader.ethereum.address).lower()
    claim = {"recipient": wallet, "amount": 2_000_000, "batches": first, "time_s": 50, "transaction": "0xabc"}

    def found(*status: str, **query: int) -> list[str]:
        return [one["id"] for one in trader.get("/user/assetOperations", type="WITHDRAWAL", status=status, **query)]

    with opened(live, "/account", trader.api_key) as socket, rpc_on(live) as rpc:
        rpc.ask("subscribe", scope="account", selector={"account": str(trader.vault)}, apiKey=trader.api_key)

        def told(count: int) -> set[tuple[str, str]]:
            frames = [until(socket, lambda frame: frame["type"] == "WITHDRAWAL")[-1]["data"] for _ in range(count)]
            assert all(one["operation"]["status"] == one["withdrawal"]["status"] for one in frames)
            return {(one["operation"]["id"], one["withdrawal"]["status"]) for one in frames}

        note(live, "INSERT OR REPLACE INTO told VALUES ('settled', ?, 9, '{}')", batch_of(late))
        assert told(3) == {(asked, "READY_FOR_CLAIM") for asked in (*early, late)}
        note(live, "INSERT INTO told VALUES ('claimed', ?, 9, ?)", 9 << 24, json.dumps(claim))
        assert told(2) == {(asked, "COMPLETED") for asked in early}
        assert found("COMPLETED") == early[::-1] and found("READY_FOR_CLAIM") == [late] and found("IN_PROGRESS") == []
        assert found("COMPLETED", limit=1) == early[:0:-1] and found("COMPLETED", "READY_FOR_CLAIM")[0] == late
        shape = trader.get("/user/assetOperations", id=early[0])[0]
        assert shape["finality"] == "CLAIMED" and shape["claim"] == {"block": 9, "time": 50_000, "transaction": "0xabc"}
        assert msgspec.convert(shape, Operation, strict=False).claim == Paid(block=9, time=50_000, transaction="0xabc")
        assert trader.get("/user/assetOperations", id=late)[0]["finality"] == "FINAL"
        frame = rpc.next(f"account.{trader.vault}")
        while frame["data"].get("withdrawal", {}).get("status") != "COMPLETED":
            frame = rpc.next(f"account.{trader.vault}")
        assert frame["type"] == "ACCOUNT.WITHDRAWAL" and frame["data"]["operation"]["claim"]["block"] == 9
        note(live, "DELETE FROM told WHERE kind = 'claimed'")
        assert told(2) == {(asked, "READY_FOR_CLAIM") for asked in early}
        assert found("COMPLETED") == [] and "claim" not in trader.get("/user/assetOperations", id=early[0])[0]


def note(live: Live, statement: str, *values: int | str) -> None:
    """A note of a settlement service in the node's folder."""
    folder = live.settings.place / FOLDER
    folder.mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / "state.sqlite", timeout=10)) as file:
        file.executescript(SCHEMA)
        file.execute(statement, values)
        file.commit()


def test_a_folder_without_proofs_claims_nothing(live: Live) -> None:
    progress = Progress(live.settings.place / "nowhere")
    assert (progress.final, progress.proven) == (0, frozenset())
    assert [progress.of(batch) for batch in (0, 1)] == [Finality.ACCEPTED, Finality.SEALED]
