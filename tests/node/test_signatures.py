"""Signatures verified for a whole group give the answers that the door would give one by one, and cost it nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkhead import signing
from bulkhead.engine.command import Command, PlaceOrder, Prices
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.tx import OracleReport, Order
from bulkhead.node.exchange import Exchange
from bulkhead.node.signatures import Signatures
from bulkhead.reject import Reject
from bulkhead.signing import Signature, public_key, sign
from bulkhead.signing.keys import CURVE_ORDER
from bulkhead.units import AccountId, Felt, MarketId, Price, Quote, Size, TimeS
from tests.node.exchange_world import START_MS, small_config

PRIVATE = 99_991
KEY = Felt(public_key(PRIVATE))
CONFIG = small_config()._replace(oracle_keys=(KEY,))


def commands() -> list[Command]:
    """Sound ones, and every way in which a signature may be wrong."""
    authority, found = Authority(CONFIG), []
    for salt in range(12):
        until = TimeS(START_MS // 1000 + 15 * 86_400)
        blank = Order(
            AccountId(128), MarketId(1), Size(5), Quote(-5_000), Quote(5), until, salt, KEY, Signature(0, 0)
        )
        r, s = sign(PRIVATE, authority.order_hash(blank))
        spoiled = [
            Signature(r, s), Signature(r, CURVE_ORDER - s), Signature(r, s + 1), Signature(0, s), Signature(r, 0),
            Signature(1 << 255, s), Signature(s, r), Signature(r, CURVE_ORDER + s),
        ]  # fmt: skip
        order = blank._replace(signature=spoiled[salt % len(spoiled)])
        found.append(PlaceOrder(START_MS, order if salt < 10 else order._replace(public_key=Felt(salt))))
    report = OracleReport(0, 1, START_MS, ((1, Price(1 << 40)),), Signature(0, 0))
    good = report._replace(signature=sign(PRIVATE, authority.report_hash(report, KEY)))
    return [*found, Prices(START_MS, (good,)), Prices(START_MS, (good, report)), PlaceOrder(START_MS, _wild())]


def _wild() -> Order:
    """Numbers that no message can carry."""
    return Order(
        AccountId(1 << 40), MarketId(1), Size(1 << 70), Quote(-1), Quote(5), TimeS(5), 1, KEY, Signature(1, 1)
    )


def test_a_group_is_judged_as_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def outcomes(folder: Path, is_grouped: bool) -> list[bool | Reject]:
        with Exchange.open(folder, CONFIG, START_MS) as exchange:
            if is_grouped:
                Signatures(exchange).verify(commands())
            found = []
            for command in commands():
                answer = exchange.submit(command)
                found.append(answer if isinstance(answer, Reject) else True)
            return found

    alone = outcomes(tmp_path / "alone", False)
    assert alone.count(True) >= 4 and alone.count(Reject.WRONG_SIGNATURE) >= 8 and Reject.OUT_OF_RANGE in alone
    slow = signing.verify
    asked: list[int] = []

    def counted(key: int, message: int, r: int, s: int) -> bool:
        asked.append(message)
        return slow(key, message, r, s)

    monkeypatch.setattr("bulkhead.ledger.authority.signing.verify", counted)
    assert outcomes(tmp_path / "grouped", True) == alone
    assert asked == [], "every answer was known before it was asked for"
