"""Receipts that are checked where the key lies: what holds, and every way in which one does not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bulkhead.client import Exchange, Exit
from bulkhead.client.draft import config_of
from bulkhead.client.receipts import ReceiptError, Receipts
from bulkhead.ledger.config import VenueConfig
from tests.api.live import Live
from tests.client.test_client import order, rich

PROFIT, STOP = Exit(trigger="61000", price="60900"), Exit(trigger="56000", price="55900")


@pytest.fixture(scope="module")
def told(live: Live) -> tuple[list[dict[str, Any]], VenueConfig, int]:
    """Two receipts, the configuration, and the key that signed."""

    async def work() -> tuple[list[dict[str, Any]], VenueConfig, int]:
        async with Exchange(live.url) as exchange:
            trader = await rich(exchange, 91)
            plain = await trader.place(order("BUY", "0.1", "58000"))
            exits = order("BUY", "0.1", "57000", take_profit=PROFIT, stop_loss=STOP)
            receipts = [await trader.evidence.receipt(one.id) for one in (plain, await trader.place(exits))]
            return receipts, config_of(await exchange.books.genesis()), trader.signer.key

    return asyncio.run(work())


def test_a_receipt_holds_and_is_known_the_second_time(told: Any, tmp_path: Path) -> None:
    receipts, config, key = told
    book = Receipts(tmp_path / "receipts.json")
    for receipt in receipts:
        checked = book.check(receipt, config, key)
        assert (checked.sequence, checked.chain, checked.was_known) == (receipt["sequence"], receipt["chain"], False)
    again = Receipts(tmp_path / "receipts.json")
    assert again.check(receipts[0], config, key).was_known
    assert again.compare(receipts[1]["sequence"], receipts[1]["chain"])
    assert not again.compare(10**6, "00")


def test_a_receipt_that_does_not_hold_is_refused_by_name(told: Any, tmp_path: Path) -> None:
    (one, other), config, key = told
    cases = (
        ({**one, "chain": other["chain"]}, key, "chain does not follow"),
        ({**one, "previous": "00" * 32}, key, "chain does not follow"),
        ({**one, "record": one["record"][:-2]}, key, "chain does not follow"),
        ({**one, "orderHash": other["orderHash"]}, key, "no order with the hash"),
        (one, key + 1, "not signed by this account's key"),
        ({"sequence": 1}, key, "no receipt"),
        ({**one, "record": "zz"}, key, "no receipt"),
    )
    for receipt, signer, problem in cases:
        with pytest.raises(ReceiptError, match=problem):
            Receipts(tmp_path / "receipts.json").check(receipt, config, signer)


def test_another_history_than_before_is_evidence(told: Any, tmp_path: Path) -> None:
    (one, _), config, key = told
    book = Receipts(tmp_path / "receipts.json")
    book.keep(one["sequence"], "ab" * 32)
    with pytest.raises(ReceiptError, match="history was changed"):
        book.check(one, config, key)
    with pytest.raises(ReceiptError, match="two chains"):
        book.compare(one["sequence"], one["chain"])
    (tmp_path / "bad.json").write_text("[1]")
    with pytest.raises(ReceiptError, match="no file of receipts"):
        Receipts(tmp_path / "bad.json")
