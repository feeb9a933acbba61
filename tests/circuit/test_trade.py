"""Trades in the circuit: every way in which a side settles, and what no prover gets through."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.order import Mode
from bulkhead.circuit.play import Play
from bulkhead.circuit.programs import side_name
from bulkhead.circuit.venue import venue_of
from bulkhead.ledger import tx
from stark.prime import PRIME
from tests.circuit.attacks import forged, loose, played, refuses
from tests.circuit.batches import Sealed

START = """
register maker ok
register taker ok
register owner ok
register attacker ok
register backstop ok
deposit maker 100000 ok
deposit taker 5000 ok
deposit owner 5000 ok
deposit backstop 100000 ok
configure taker BTC isolated 10x ok
configure taker ETH isolated ok
configure owner XRP cross 5x ok
tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok
trade maker sell owner 0.01 BTC @ 50000 ok
"""
TRADES = """
wait 1s
trade maker sell taker 0.1 BTC @ 50000 fees=0.1,0.2 ok
trade maker sell taker 0.05 BTC @ 50000 ok
trade maker sell taker 2 ETH @ 3000 ok
trade taker sell maker 0.05 BTC @ 50100 fees=0,1 ok
trade taker sell maker 0.03 BTC @ 49900 ok
trade taker sell maker 0.1 BTC @ 50000 ok
trade taker sell maker 2 ETH @ 3000 ok
trade maker sell taker 0.03 BTC @ 50000 ok
trade maker sell owner 100 XRP @ 0.5 ok
trade owner sell maker 0.02 BTC @ 50000 ok
trade backstop buy maker 0.03 BTC @ 50000 ok
trade backstop sell maker 0.05 BTC @ 49000 ok
trade backstop buy maker 0.01 BTC @ 49500 fees=-0.01,0.02 ok
"""
# Open interest of which the margins of BTC rise, and fall again.
SCALED = {"market.BTC.open_interest_lower": "1000000000", "market.BTC.open_interest_upper": "20000000000"}


def test_every_way_to_settle_leads_to_the_ledgers_root() -> None:
    batch = Sealed(TRADES, START)
    assert batch.problems() == []
    play = Play(batch.before, venue_of(batch.before.config))
    for number, transaction in enumerate(batch.transactions):
        play.take(number, transaction)
    ran = {frame.program.name for frame in play.frames}
    assert {side_name(mode) for mode in Mode} <= ran


def test_margins_follow_open_interest() -> None:
    script = "trade maker sell owner 0.05 BTC @ 50000 ok\ntrade owner sell maker 0.06 BTC @ 50000 ok"
    batch = Sealed(script, START, SCALED)
    assert batch.problems() == []
    assert batch.before.markets[1].scale == 0


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("trade maker sell owner 0.01 BTC @ 50000 raw.size=0", "a fill is of some lots"),
        ("trade owner buy maker 0.01 BTC @ 50000 raw.price=0", "a price is not zero|the limit price holds"),
        ("trade maker sell owner 0.01 BTC @ 50000 taker.expiry=-1", "the message has not expired"),
        ("trade maker sell owner 0.01 BTC @ 50000 taker.expiry=7776001", "its expiry is not too far ahead"),
        ("trade maker sell owner 0.01 BTC @ 50000 taker.limit=49999", "the limit price holds"),
        ("trade maker sell owner 0.01 BTC @ 50000 maker.limit=50001", "the limit price holds"),
        ("trade maker sell owner 0.01 BTC @ 50000 fees=0.500001,0", "the fee is within its cap"),
        ("trade maker sell owner 0.01 BTC @ 50000 taker.of=0.009999", "the message allows as much"),
        ("trade maker sell owner 0.01 BTC @ 50000 fees=-0.2,0.1", "rebates are covered"),
        ("trade maker sell owner 0.01 BTC @ 50000 same=sell", "one buys, the other sells"),
        ("trade maker sell owner 10 BTC @ 50000", "new risk is covered|the position is not too large"),
        ("trade taker sell owner 1 BTC @ 50000", "opening is borne by the parent|new risk is covered"),
        ("trade maker sell maker 0.01 BTC @ 50000", "not within one account"),
    ],
)
def test_what_the_ledger_refuses_breaks_a_rule(line: str, rule: str) -> None:
    refuses(START, line, rule)


@pytest.mark.parametrize(
    ("before", "line", "rule"),
    [
        ("wait 61s", "trade maker sell owner 0.01 BTC @ 50000", "at fresh prices|the index is fresh"),
        ("status BTC off", "trade maker sell owner 0.01 BTC @ 50000", "the market is active or reduce-only"),
        ("status BTC post_only", "trade maker sell owner 0.01 BTC @ 50000", "the market is active or reduce-only"),
        ("status BTC reduce_only", "trade maker sell owner 0.01 BTC @ 50000", "lets nothing grow"),
    ],
)
def test_what_the_market_refuses_breaks_a_rule(before: str, line: str, rule: str) -> None:
    refuses(f"{START}{before}" + (" ok" if before.startswith("status") else ""), line, rule)


def attacked(change: Any, text: str = "trade maker sell owner 0.01 BTC @ 50000", start: str = START) -> str:
    """What the circuit says of a trade changed after it was signed; nothing if no rule of a frame notices."""
    player, play = played(start)
    transaction = forged(player, text)
    assert isinstance(transaction, tx.Trade)
    try:
        play.take(0, change(transaction))
    except Mismatch as problem:
        return str(problem)
    signed = {digest for frame in play.frames for _, digest in frame.signed}
    asked = {player.authority.order_hash(order) for order in (transaction.maker, transaction.taker)}
    return "" if signed == asked else "another message is to be signed"


def test_what_was_not_signed_is_not_filled() -> None:
    """Any change of a signed number asks for a signature over another message, which nobody made."""
    for field, change in (
        ("salt", 1), ("expiration_s", -1), ("fee_amount", 1), ("base_amount", -1), ("quote_amount", -1),
    ):  # fmt: skip

        def other(trade: tx.Trade, field: str = field, change: int = change) -> tx.Trade:
            return replace(trade, maker=trade.maker._replace(**{field: getattr(trade.maker, field) + change}))

        assert attacked(other) == "another message is to be signed", field
    assert attacked(lambda trade: trade) == ""


@pytest.mark.parametrize("field", ["base_amount", "quote_amount", "fee_amount", "salt", "expiration_s"])
def test_amounts_wrapped_around_the_prime_are_those_that_were_signed(field: str) -> None:
    """An amount and the same plus the prime are one element: what is hashed is what is computed with."""

    def wrapped(trade: tx.Trade) -> tx.Trade:
        maker = trade.maker._replace(**{field: getattr(trade.maker, field) + PRIME})
        return replace(trade, maker=maker)

    said = attacked(wrapped)
    assert said == "" or "64 bits" in said or "the limit price" in said


def test_an_order_is_not_filled_twice_over_nor_replayed_in_another_batch() -> None:
    start = START + "order resting maker sell 0.01 BTC @ 50000\ntrade resting sell owner 0.01 BTC @ 50000 ok\n"
    refuses(start, "trade resting sell owner 0.000001 BTC @ 50000", "the message allows as much")


def test_nothing_a_prover_may_choose_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of both sides and the trade, in every mode; the sign of zero, the inverse of zero, and which of two true reasons
    allows a side (`check_allowed`) apart."""
    for lines, text in (
        ("", "trade maker sell owner 0.01 BTC @ 50000 fees=0.1,0.2"),
        ("", "trade maker sell taker 0.1 BTC @ 50000 fees=0.1,0.2"),
        ("trade maker sell taker 0.1 BTC @ 50000 ok\n", "trade taker sell maker 0.15 BTC @ 50010"),
        ("trade maker sell taker 0.1 BTC @ 50000 ok\n", "trade taker sell maker 0.04 BTC @ 50010"),
        ("trade backstop buy maker 0.03 BTC @ 50000 ok\n", "trade maker buy backstop 0.02 BTC @ 49000"),
    ):
        player, play = played(START + lines)
        transaction = forged(player, text)
        found = loose(monkeypatch, play, lambda one, given=transaction: one.take(0, given))
        monkeypatch.undo()
        names = {name.partition(" ")[2].rpartition(" ")[0] for name in found}
        # What is signed is held by the signature, which is another table's; a fee is the operator's choice within the
        # signed cap (`_numbers`).
        signed = {name for name in names if "an order's" in name or name.endswith(("an account's number", "_numbers"))}
        harmless = (": is_zero", ": magnitude", ": check_allowed")
        assert {name for name in names - signed if not name.endswith(harmless)} == set(), text
