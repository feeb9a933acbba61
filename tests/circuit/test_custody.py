"""Money in and out in the circuit: what the ledger refuses, and that nothing is the prover's to choose."""

from __future__ import annotations

import pytest

from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.play import Play
from bulkhead.circuit.venue import venue_of
from bulkhead.ledger.state import State
from tests.circuit.attacks import forged, loose, played, refuses

START = """
register maker ok
register taker ok
deposit maker 1000 ok
deposit taker 500 ok
tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok
trade maker sell taker 0.01 BTC @ 50000 ok
"""
# What a message says is held by the signature over it, what L1's queue says by the statement; when a deposit is
# credited is the sequencer's choice.
SIGNED = {"the time", "an amount", "an expiry", "a salt", "an account's number", "withdrawal_frame", "an address on L1"}


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("withdraw taker 450.000001", "the profit lock holds"),
        ("withdraw taker 491", "the profit lock holds|the initial requirement stays"),
        ("withdraw taker 600", "the initial requirement stays"),
        ("withdraw maker 5 expiry=-1", "the message has not expired"),
        ("withdraw maker 5 expiry=9000000", "its expiry is not too far ahead"),
        ("withdraw maker 0", "an amount is positive"),
        ("withdraw maker 5 raw.recipient=0", "an address is not zero"),
        ("transfer taker maker 450.000001", "the profit lock holds"),
        ("transfer maker maker 5", "not within one account"),
        ("transfer maker owner 5", "a kind of account"),
    ],
)
def test_what_the_ledger_refuses_breaks_a_rule(line: str, rule: str) -> None:
    refuses(START, line, rule)


def test_a_stale_price_keeps_money_in() -> None:
    refuses(START + "wait 61s\n", "withdraw taker 1", "value leaves at fresh prices")


def test_a_message_is_spent_once() -> None:
    player, play = played(START + "withdraw maker 5 ok\n")
    with pytest.raises(Mismatch, match="nothing of it was spent"):
        play.take(0, player.last["withdraw"])  # in a later batch
    player, play = played(START)
    twice = forged(player, "withdraw maker 5")
    play.take(0, twice)
    with pytest.raises(Mismatch, match="nothing of it was spent"):
        play.take(1, twice)  # in the same one


def test_custody_keeps_within_its_cap_and_pays_no_more_than_it_has() -> None:
    player, play = played(START)
    config = player.config
    asset = config.assets[0]._replace(cap=int(player.state.custody[1]))
    full: State = player.state
    full.config = config._replace(assets=(asset,))
    play = Play(full, venue_of(full.config))
    with pytest.raises(Mismatch, match="custody's cap"):
        play.take(0, forged(player, "deposit maker 0.000001"))
    player, play = played(START)
    player.state.custody[1] = 4_999_999
    play = Play(player.state, venue_of(player.config))
    with pytest.raises(Mismatch, match="custody keeps within its width"):
        play.take(0, forged(player, "withdraw maker 5"))


@pytest.mark.parametrize("line", ["deposit maker 5", "fund 5", "withdraw taker 5", "transfer taker maker 5"])
def test_nothing_a_prover_may_choose_is_free(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    player, play = played(START)
    transaction = forged(player, line)
    found = loose(monkeypatch, play, lambda one: one.take(0, transaction))
    names = {name.partition(": ")[2].rpartition(" ")[0] for name in found}
    assert names - SIGNED - {"is_zero", "magnitude"} == set()
