"""Simple moves in the circuit: every program of them beside the ledger, and what no prover gets through."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.judge import Other
from bulkhead.circuit.play import Play
from bulkhead.circuit.programs import move_name, programs
from bulkhead.circuit.venue import venue_of
from bulkhead.ledger import tx
from bulkhead.ledger.move import is_simple
from tests.circuit.attacks import forged, loose, played
from tests.circuit.batches import Recorder, Sealed, play_all
from tests.parse import Line

START = """
register maker ok
register owner ok
register attacker ok
register backstop ok
register strategy strategy of owner key=owner signer=owner ok
deposit maker 100000 ok
deposit owner 5000 ok
deposit strategy 700 ok
deposit attacker 700 ok
configure owner ETH isolated ok
tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok
trade maker sell owner 0.05 BTC @ 50000 ok
"""
MOVES = """
wait 1s
move     owner: owner strategy 100 ok
move     strategy: owner strategy 50 signer=owner ok
trade    maker sell owner 0.05 BTC @ 50000 ok
move     owner: owner strategy 0.04 BTC ok
move     owner: owner strategy 0.06 BTC; strategy owner 20 ok
move     strategy: strategy owner 0.1 BTC signer=owner ok
move     owner: owner owner/LTC 10 ok
move     owner: owner/LTC owner 4 ok
move     owner: owner/LTC owner 6 ok
move     owner: owner choose BTC isolated 10x; owner owner/BTC 600; owner owner/BTC 0.1 BTC ok
trade    maker sell owner 0.1 BTC @ 50000 ok
move     owner: owner owner/BTC 6 ok
move     owner: owner choose BTC cross; owner/BTC owner 0.2 BTC ok
move     owner: owner/BTC owner 6 ok
"""


def test_moves_lead_to_the_ledgers_root_by_every_program() -> None:
    batch = Sealed(MOVES, START)
    assert batch.problems() == []
    play = Play(batch.before, venue_of(batch.before.config))
    for number, transaction in enumerate(batch.transactions):
        play.take(number, transaction)
    ran = {frame.program.name for frame in play.frames}
    assert {name for name in programs(play.venue) if name.startswith("move")} <= ran


def refused(line: str, **changes: Any) -> str:
    """What the circuit says of a move that the ledger rejects, signed or not (the signature is another table's)."""
    player = Recorder()
    play_all(player, START)
    words = line.split()
    message = player.move(_line(player, " ".join(words[1:])))
    assert isinstance(message, tx.Move)
    message = replace(message, **changes)
    with pytest.raises(AssertionError):
        player.play(f"{line} ok")
    play = Play(player.state, venue_of(player.state.config))
    with pytest.raises(Mismatch) as problem:
        play.take(0, message)
    return str(problem.value)


def _line(player: Recorder, text: str) -> Line:
    return Line(text, player.names)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("move owner: owner attacker 1", "one owner"),
        ("move owner: owner strategy 4800", "the profit lock holds"),
        ("move owner: owner owner 1", "two accounts"),
        ("move owner: owner strategy 4999", "healthy or healthier|new risk is covered"),
        ("move owner: strategy owner 701", "no debt without positions|healthy or healthier|new risk is covered"),
        ("move owner: owner strategy 0.051 BTC", "the source has as many lots"),
        ("move owner: owner strategy -0.01 BTC", "the source has as many lots"),
        ("move owner: strategy owner 0.01 BTC", "the source has as many lots"),
        ("move owner: owner owner/BTC 0.05 BTC; owner owner/BTC 500", "what the child holds is isolated"),
        ("move owner: owner choose BTC isolated 10x; owner owner/BTC 100", "what the signer's account holds"),
        ("move owner: owner choose BTC isolated 20x; owner owner/BTC 0.05 BTC; owner owner/BTC 20", "new risk is cov"),
        ("move owner: owner owner/BTC -5", "a number|an amount|no debt|64 bits"),
        ("move owner: owner strategy 1 expiry=-1", "has not expired"),
        ("move owner: owner strategy 1 nonce=1", "the nonce rises"),
        ("move owner: owner backstop 1", "the other account signs too"),
    ],
)
def test_a_move_that_the_ledger_rejects_has_no_proof(line: str, rule: str) -> None:
    said = refused(line)
    assert any(part in said for part in rule.split("|")), said


def test_a_choice_alone_is_no_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be judged as one; and beside a new child it would leave an account of nothing, which the ledger has not.

    What such a message would name as the other account is the prover's choice, for no leg does.
    """
    player, play = played(START)
    transaction = forged(player, "move owner: owner choose LTC isolated 10x")
    assert isinstance(transaction, tx.Move)
    child = int(transaction.account_id) + int(transaction.choices[0][1].market_id)
    monkeypatch.setattr("bulkhead.circuit.move.other_account", lambda _: child)
    play.account(int(transaction.account_id), int(transaction.time_ms))
    with pytest.raises(Mismatch, match="an asset or a position moves"):
        play.run(move_name(Other.NEW_CHILD, trades=True), transaction)


def test_a_stale_price_stops_a_move() -> None:
    player = Recorder()
    play_all(player, START + "wait 61s\n")
    message = player.move(_line(player, "owner: owner strategy 1"))
    play = Play(player.state, venue_of(player.state.config))
    with pytest.raises(Mismatch, match="prices are fresh"):
        play.take(0, message)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("owner: owner strategy 1", True),
        ("owner: owner owner/BTC 1", True),
        ("owner: owner choose BTC isolated; owner owner/BTC 1", True),
        ("owner: owner strategy 1; owner strategy 1", False),
        ("owner: owner/BTC strategy 1", False),
        ("owner: strategy strategy/BTC 1", False),
        ("owner: owner strategy 1; owner owner/BTC 1 BTC", False),
        ("owner: owner choose BTC isolated", False),
        ("owner: owner choose BTC isolated; owner strategy 1", False),
        ("owner: owner choose ETH isolated; owner owner/BTC 1", False),
        ("owner: owner owner/ETH 1 BTC", False),
    ],
)
def test_what_a_simple_move_is(line: str, expected: bool) -> None:
    player = Recorder()
    play_all(player, START)
    assert is_simple(player.move(_line(player, line))) is expected
    if not expected:
        player.play(f"move {line} too_many_legs")


SIGNED = (
    "an amount", "an account's number", "a market's number", "a leg's lots", "an expiry", "a nonce", "a leverage",
    "a cap", "the asset's way", "the position's way", "a leg's side", "_given_choice", "an asset leg or none", "_legs",
)  # fmt: skip


def test_nothing_a_prover_may_choose_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """But what the owner signed (another table compares it), the sign of zero, the inverse of zero, and which of two
    true reasons allows it."""
    for text in (
        "move owner: owner strategy 100",
        "move owner: owner owner/LTC 10",
        "move owner: owner strategy 0.04 BTC; owner strategy 200",
        "move owner: owner choose BTC isolated 10x; owner owner/BTC 600; owner owner/BTC 0.05 BTC",
    ):
        player, play = played(START)
        transaction = forged(player, text)
        found = loose(monkeypatch, play, lambda one, given=transaction: one.take(0, given))
        monkeypatch.undo()
        names = {name.partition(": ")[2].rpartition(" ")[0] for name in found}
        assert names - set(SIGNED) - {"is_zero", "magnitude", "check_allowed"} == set(), text
