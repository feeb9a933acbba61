"""Liquidations in proofs: whatever the ledger takes is proven, and each of its rules is missed by name."""

from __future__ import annotations

import pytest

from bulkhead.circuit.accounts import Freshness
from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.order import Fill
from bulkhead.circuit.play import Play
from bulkhead.circuit.tags import Tag
from bulkhead.ledger.tx import Liquidation
from tests.circuit.attacks import forged, loose, played, refuses
from tests.circuit.batches import Sealed, agrees

TWO = """
register maker                              ok
register other                              ok
register taker                              ok
register owner                              ok
register backstop                           ok
deposit  maker 9000000                      ok
deposit  other 9000000                      ok
deposit  taker 4000                         ok
deposit  owner 100                          ok
configure other BTC isolated 5x             ok
tick     BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5    ok
trade    maker sell taker 2 BTC @ 50000     ok
trade    maker sell taker 10 ETH @ 3000     ok
"""
BELOW = TWO + "tick BTC 48755 ok\n"
CHILD = """
configure owner BTC isolated 50x            ok
tick     BTC 48490                          ok
trade    owner sell maker 0.021 BTC @ 48490 ok
"""
# Brackets of the first and the second tier: fourteen million dollars, of which ten are asked for at the lower fraction.
TIERS = """
register maker                              ok
register taker                              ok
deposit  maker 90000000                     ok
deposit  taker 400000                       ok
tick     BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5    ok
trade    maker buy taker 280 BTC @ 50000    ok
"""
# Nothing restores the target near the zero price: what is left is in a cheaper tier, and another position stays.
POOR = TIERS.replace("400000 ", "1250000").replace("280 BTC", "600 BTC") + """
trade    maker buy taker 3333 ETH @ 3000    ok
tick     BTC 50943                          ok
"""


def test_a_step_of_several_makers_is_proven() -> None:
    """The second maker's order settles in his child; both fills are one step, which goes on to the target."""
    batch = Sealed(
        "liquidate taker: maker buy 0.1 BTC @ 48755 fee=2 ok\nliquidate taker: other buy 0.4 BTC @ 48750 ok", BELOW
    )
    assert batch.problems() == []


@pytest.mark.parametrize(
    ("start", "script"),
    [
        (BELOW, "liquidate taker: maker buy 1.835254 BTC @ 48755 ok"),  # just so many restore it
        (BELOW, "liquidate taker: maker buy 1.2 BTC @ 48755 ok\nliquidate taker: other buy 0.6 BTC @ 48755 ok"),
        (
            BELOW,
            "liquidate taker: maker buy 0.01 BTC @ 48755 ok\nwait 10s\nliquidate taker: maker buy 0.1 BTC @ 48755 ok",
        ),
        (TWO + "tick BTC 48400 ok\n", "liquidate taker: maker buy 2 BTC @ 48400 ok"),  # whole, below close-out
        (TWO + "tick BTC 47600 ok\n", "liquidate taker: maker buy 2 BTC @ 48210 ok"),  # bankrupt, above the index
        (BELOW, "status BTC post_only ok\nliquidate taker: maker buy 0.1 BTC @ 48755 ok"),
        (TWO + CHILD + "tick BTC 48900 ok\n", "liquidate owner/BTC: maker sell 0.021 BTC @ 48900 ok"),  # dust, swept
        (TIERS + "tick BTC 50660 ok\n", "liquidate taker: maker sell 80 BTC @ 51000 ok"),  # another tier is left
        (TIERS + "tick BTC 50660 ok\n", "liquidate taker: maker sell 1 BTC @ 50660 ok"),
        (POOR, "liquidate taker: maker sell 600 BTC @ 51890 ok"),
        (POOR, "liquidate taker: maker sell 500 BTC @ 51890 ok"),
    ],
)  # fmt: skip
def test_what_the_ledger_liquidates_leads_to_its_state(start: str, script: str) -> None:
    batch = Sealed(script, start)
    assert any(isinstance(each, Liquidation) for each in batch.transactions)
    agrees(batch.before, batch.after, batch.transactions)


@pytest.mark.parametrize(
    ("start", "line", "rule"),
    [
        (TWO, "liquidate taker: maker buy 0.1 BTC @ 50000", "it may be liquidated"),
        (TWO, "liquidate backstop: maker buy 0.1 BTC @ 50000", "not the backstop"),
        (BELOW, "liquidate taker: maker buy 1.9 BTC @ 48755", "no more than restores the target"),
        (BELOW, "liquidate taker: maker buy 1.835255 BTC @ 48755", "no more than restores the target"),
        (BELOW, "liquidate taker: maker buy 0.1 BTC @ 48175", "no worse than the zero price"),
        (BELOW, "liquidate taker: maker buy 0.1 BTC @ 48755 fee=-1", "the maker's fee is no rebate"),
        (BELOW, "liquidate taker: maker sell 0.1 BTC @ 48755", "the maker takes what is closed"),
        (BELOW, "liquidate taker: maker buy 1 LTC @ 50", "there is a position"),
        (BELOW + "status BTC cancel_only ok", "liquidate taker: maker buy 0.1 BTC @ 48755", "fills are possible"),
        (TWO + "tick BTC 48400 ok", "liquidate taker: maker buy 2.000001 BTC @ 48400", "no more is closed than"),
        (BELOW + "wait 61s", "liquidate taker: maker buy 0.1 BTC @ 48755", "prices are fresh"),
        (BELOW + "restart ok", "liquidate taker: maker buy 0.1 BTC @ 48755", "younger than the last restart"),
        (BELOW + "liquidate taker: maker buy 0.1 BTC @ 48755 ok\nwait 9s", "liquidate taker: maker buy 0.1 BTC @ 48755",
         "the pause is over"),
        (BELOW + "liquidate taker: maker buy 1.835254 BTC @ 48755 ok", "liquidate taker: maker buy 0.01 BTC @ 48755",
         "it may be liquidated"),  # the step has reached its target
        (TIERS + "tick BTC 50660 ok", "liquidate taker: maker sell 279 BTC @ 50660", "no more than restores"),
    ],
)  # fmt: skip
def test_what_the_ledger_refuses_breaks_a_rule(start: str, line: str, rule: str) -> None:
    refuses(start, line, rule)


def _before_liquidation() -> tuple[Play, Liquidation]:
    """The frames of the account and of the maker's side, and the liquidation that is to come."""
    player, play = played(BELOW)
    transaction = forged(player, "liquidate taker: maker buy 0.1 BTC @ 48755 fee=2")
    assert isinstance(transaction, Liquidation)
    fill = transaction.fills[0]
    play.account(int(transaction.account_id), int(transaction.time_ms), Freshness.SINCE_RESTART)
    play.side(Fill(fill.order, int(transaction.time_ms), int(fill.size), int(fill.price), int(fill.order_fee)))
    return play, transaction


@pytest.mark.parametrize(
    ("tag", "frame", "value", "rule"),
    [
        (Tag.SIDE_ACCOUNT, 3, 320, "not within one account"),
        (Tag.SIDE_ACCOUNT, 3, 319, "not within one account"),  # the account would be this one's child
        (Tag.SIDE_MARKET, 3, 2, "of this market"),
        (Tag.SIDE_LOTS, 3, 99_999, "of this lots"),
        (Tag.SIDE_PRICE, 3, 48_756, "of this price"),
        (Tag.SIDE_FRAMES, 3, 3, "the maker's frames follow the account's"),
        (Tag.SIDE_NOW_MS, 3, 5, "at this time"),
        (Tag.FRESHNESS, 1, int(Freshness.FRESH), "younger than the last restart"),
        (Tag.NOW_MS, 1, 5, "judged at this time"),
        (Tag.MAINTAINED, 1, 1, "it may be liquidated"),
    ],
)
def test_a_lying_side_or_account_is_found(tag: Tag, frame: int, value: int, rule: str) -> None:
    play, transaction = _before_liquidation()
    also = int(transaction.account_id) if frame == 1 else 0
    assert (tag, frame, also) in play.memory.told
    play.memory.told[tag, frame, also] = value
    with pytest.raises(Mismatch, match=rule):
        play.run("liquidation, account 3 ago", transaction)


def test_nothing_a_prover_may_choose_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """But how many lots are shown to miss the target: any number that is enough will do."""
    play, transaction = _before_liquidation()
    free = loose(monkeypatch, play, lambda play: play.run("liquidation, account 3 ago", transaction))
    assert [each.partition(" ")[2] for each in free] == [
        "liquidation, account 3 ago: lots that do not restore the target -1"
    ]


def test_interest_follows_when_all_lots_are_taken() -> None:
    play, transaction = _before_liquidation()
    play.run("liquidation, account 3 ago", transaction)
    play.memory.told[Tag.TAKING_LEFT, 4, 0] = 1
    with pytest.raises(Mismatch, match="all lots are taken"):
        play.run("open interest", None)
