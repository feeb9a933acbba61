"""Deposits for nobody go back in proofs, and no others."""

from __future__ import annotations

import pytest

from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.play import Play
from bulkhead.circuit.venue import venue_of
from bulkhead.ledger.batch import PaidOut
from bulkhead.ledger.tx import Refund
from bulkhead.units import AccountId, AssetId, TimeMs
from tests.circuit.batches import Recorder, Sealed, play_all
from tests.parse import ACCOUNTS, START_MS

START = """
register taker      ok
deposit  taker 500  ok
tick     BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5    ok
register maker      ok
deposit  maker 5000 ok
configure taker BTC isolated 10x                    ok
trade    maker sell taker 0.001 BTC @ 50000         ok
"""


def test_what_is_for_nobody_goes_back() -> None:
    sealed = Sealed("refund other 10 to=0xBEEF ok\ndeposit taker 1 ok\nrefund taker/BTC 7 to=1 ok", START)
    assert sealed.problems() == []
    assert sealed.batch.statement.withdrawals == (PaidOut(0xBEEF, 1, 10_000_000), PaidOut(1, 1, 7_000_000))
    assert sealed.after.custody == {1: sealed.before.custody[1] + 1_000_000}


@pytest.mark.parametrize(
    ("program", "account", "rule"),
    [
        ("refund", ACCOUNTS["taker"], "the account does not exist"),
        ("refund", ACCOUNTS["taker"] + 1, "the account does not exist"),
        ("refund, child", ACCOUNTS["taker"], "an account that nobody signs for"),
        ("refund", 0, "it is not the fund's"),
        ("refund", 1 << 32, "an account's number"),
    ],
)
def test_what_could_be_credited_does_not_go_back(program: str, account: int, rule: str) -> None:
    player = Recorder()
    play_all(player, START)
    play = Play(player.state, venue_of(player.config))
    number = player.state.counters.deposits + 1
    forged = Refund(TimeMs(START_MS + 9), number, AccountId(account), AssetId(1), 5, 0xABC)
    with pytest.raises(Mismatch, match=rule):
        play.run(program, forged)
