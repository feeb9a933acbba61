"""A prover who hides what is there: a word put under another number, a message that was spent in an earlier batch."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest

from bulkhead.circuit import words
from bulkhead.circuit.batch import SMALL, circuit_of
from bulkhead.circuit.play import Play
from bulkhead.circuit.trace import tables_of
from bulkhead.circuit.venue import venue_of
from bulkhead.circuit.words import CHOICES
from bulkhead.ledger.batch import Sealer
from bulkhead.ledger.orders import FilledOrders
from bulkhead.ledger.state import Account, State
from bulkhead.ledger.tx import Trade
from stark.air.check import check
from tests.circuit.attacks import forged
from tests.circuit.batches import Recorder, play_all

START = """
register  maker                         ok
register  taker                         ok
deposit   maker 9000                    ok
deposit   taker 9000                    ok
tick      BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5   ok
configure taker BTC isolated 5x         ok
"""


def without_choice() -> tuple[State, State, Trade]:
    """A trade that settles as if its taker had never chosen; the states on both sides, in which he has."""
    player = Recorder()
    play_all(player, START)
    before = deepcopy(player.state)
    trade = forged(player, "trade maker sell taker 0.01 BTC @ 50000")
    assert isinstance(trade, Trade)
    taker = trade.taker.account_id
    chosen = before.accounts[taker].choices
    player.state.accounts[taker] = before.accounts[taker]._replace(choices=())
    assert player.send(trade) == "ok"
    after = deepcopy(player.state)
    after.accounts[taker] = after.accounts[taker]._replace(choices=chosen)
    after.counters = after.counters._replace(batches=after.counters.batches + 1)
    return before, after, trade


def test_a_choice_cannot_be_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An isolated market, five times leverage: a fill that settles cross, at the market's own fraction.

    No program touches the word, and the account's digest is the same wherever the word is said to stand.
    """
    before, after, trade = without_choice()
    honest = words.account_words

    def moved(account: Account | None) -> dict[int, int]:
        return {number + (number >= CHOICES): word for number, word in honest(account).items()}

    monkeypatch.setattr(words, "account_words", moved)
    play = Play(before, venue_of(before.config))
    play.take(0, trade)
    play.run("close", None)
    assert "side, cross, choices" in {frame.program.name for frame in play.frames}
    tables = tables_of(play, after, [trade], SMALL)
    found = {str(each).partition(": ")[2] for each in check(circuit_of(before.config, SMALL), *tables)}
    assert found == {"a word stands under its market's number"}


SPENT = """
register maker              ok
register taker              ok
deposit  maker 1000         ok
withdraw maker 5            ok
"""


def test_what_was_spent_in_an_earlier_batch_cannot_be_hidden() -> None:
    """A withdrawal once more, played as if its list did not have it. The tree says that it does: of the message's word
    nobody tells what the program says it found."""
    player = Recorder()
    play_all(player, SPENT)
    withdrawal = player.last["withdraw"]
    Sealer(player.state).seal([])
    before = deepcopy(player.state)
    assert player.send(withdrawal) == "replayed"
    player.state.filled = FilledOrders()
    assert player.send(withdrawal) == "ok"
    after = player.state
    after.filled = before.filled.copy()
    after.counters = after.counters._replace(batches=after.counters.batches + 1)
    play = Play(replace(before, filled=FilledOrders()), venue_of(before.config))
    play.take(0, withdrawal)
    play.run("close", None)
    play.memory.state = before
    tables = tables_of(play, after, [withdrawal], SMALL)
    found = {str(each).partition(" ")[0] for each in check(circuit_of(before.config, SMALL), *tables)}
    assert found == {"history"}
