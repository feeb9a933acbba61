"""Take-overs in proofs: the backstop within its capacity, then opposite holders, and nobody else, at the zero price."""

from __future__ import annotations

import pytest

from bulkhead.circuit import capacity
from bulkhead.circuit.accounts import Freshness
from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.play import Play
from bulkhead.circuit.tags import Tag
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.tx import Backstop, Deleveraging
from tests.circuit.attacks import forged, loose, played, refuses
from tests.circuit.batches import Sealed, agrees
from tests.parse import ACCOUNTS

NOBODY = """
register maker                              ok
register taker                              ok
register other                              ok
register owner                              ok
deposit  maker 1000000                      ok
deposit  other 1000000                      ok
deposit  taker 1200                         ok
deposit  owner 3000                         ok
tick     BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5    ok
trade    maker sell taker 0.6 BTC @ 50000   ok
trade    other sell taker 0.4 BTC @ 50000   ok
configure owner ETH isolated 10x            ok
trade    other sell owner 1 ETH @ 3000      ok
"""
BASE = "register backstop ok\ndeposit backstop 1000 ok\n" + NOBODY.lstrip()
LOW = BASE + "tick BTC 49100 ok\n"
POOR = LOW.replace("backstop 1000 ", "backstop 300 ")
DEBT = BASE + "tick BTC 48700 ok\n"
SHORT = BASE + "tick ETH 2720 ok\n"
# A backstop that is short already, with a bound of twenty million dollars on what it may hold.
LARGE = """
register maker                              ok
register taker                              ok
register backstop                           ok
deposit  maker 900000000                    ok
deposit  backstop 900000000                 ok
register other                              ok
deposit  other 900000000                    ok
deposit  taker 4000000                      ok
tick     BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5    ok
trade    maker buy taker 2000000 EOS @ 5    ok
trade    other buy backstop 3000000 EOS @ 5 taker.key=operator ok
tick     EOS 5.95                           ok
tick     EOS 6.6                            ok
"""
# A backstop without margin whose short is nearly as large: of the last lots, in the cheapest tier, it gains more than
# they ask for, so that it can bear all of them though not a few less.
GENEROUS = """
register maker                              ok
register taker                              ok
register backstop                           ok
deposit  maker 900000000                    ok
deposit  backstop 18166000                  ok
deposit  taker 14000000                     ok
tick     BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5    ok
trade    maker sell taker 4000 BTC @ 50000  ok
trade    maker buy backstop 3800 BTC @ 50000 taker.key=operator ok
trade    maker sell backstop 30000 ETH @ 3000 taker.key=operator ok
wait     60s
tick     ETH 2710                           ok
wait     60s
tick     ETH 2450                           ok
wait     60s
tick     ETH 2220                           ok
wait     60s
tick     ETH 2040 BTC 47800                 ok
"""


@pytest.mark.parametrize(
    ("start", "script"),
    [
        (LOW, "backstop taker 1 BTC ok"),
        (LOW, "backstop taker 0.4 BTC ok\nbackstop taker 0.6 BTC ok"),
        (DEBT + "fund 250 ok\n", "backstop taker 1 BTC ok"),  # the fund pays 100 first
        (DEBT + "fund 40 ok\n", "deleverage taker 1 BTC ok"),  # the fund pays what it has; a debt is left
        (DEBT, "deleverage taker 0.5 BTC ok\ndeleverage taker 0.5 BTC ok"),
        (POOR, "backstop taker 0.25 BTC ok\ndeleverage taker 0.5 BTC ok"),
        (NOBODY + "tick BTC 49100 ok", "deleverage taker 1 BTC ok"),
        (SHORT, "backstop owner/ETH 1 ETH ok"),  # a child left flat is swept
        (SHORT.replace("deposit backstop 1000 ok\n", ""), "deleverage owner/ETH 1 ETH ok"),
        (BASE + "trade backstop sell taker 0.01 BTC @ 50000 maker.key=operator ok\ntick BTC 49100 ok",
         "backstop taker 1 BTC ok"),  # its own short is turned over
    ],
)  # fmt: skip
def test_what_the_ledger_takes_over_leads_to_its_state(start: str, script: str) -> None:
    batch = Sealed(script, start)
    assert any(isinstance(each, Backstop | Deleveraging) for each in batch.transactions)
    agrees(batch.before, batch.after, batch.transactions)


def test_a_takeover_and_a_deleveraging_are_proven() -> None:
    assert Sealed("backstop taker 0.25 BTC ok\ndeleverage taker 0.5 BTC ok", POOR).problems() == []


@pytest.mark.parametrize(
    ("start", "line", "rule"),
    [
        (BASE + "tick BTC 49300 ok", "backstop taker 1 BTC", "it is below close-out"),
        (LOW, "backstop backstop 1 BTC", "not the backstop"),
        (LOW, "backstop taker 1 ETH", "there is a position"),
        (LOW, "backstop taker 0 BTC", "some lots are taken"),
        (LOW, "backstop taker 1.000001 BTC", "nobody takes more than there is"),
        (LOW + "wait 61s", "backstop taker 1 BTC", "prices are fresh"),
        (LOW + "restart ok", "backstop taker 1 BTC", "younger than the last restart"),
        (DEBT, "backstop taker 1 BTC", "no debt is left"),
        (POOR, "backstop taker 1 BTC", "its initial requirement is covered"),
        (LOW + "fund 400 ok\ntick BTC 48000 ok\ndeposit backstop 40 ok", "backstop taker 1 BTC", "no debt is left"),
        (LARGE, "backstop taker 2000000 EOS", "its position is not too large"),
        (BASE + "tick BTC 49300 ok", "deleverage taker 1 BTC", "it is below close-out"),
    ],
)  # fmt: skip
def test_what_the_ledger_refuses_breaks_a_rule(
    monkeypatch: pytest.MonkeyPatch, start: str, line: str, rule: str
) -> None:
    """The prover says that the backstop can take as much."""
    lots = {"backstop taker 1.000001 BTC": 1_000_001, "backstop taker 2000000 EOS": 2_000_000_000}.get(line, 1_000_000)
    monkeypatch.setattr(capacity, "capacity", lambda *_: lots)
    refuses(start, line, rule, {"market.EOS.loss_budget": "2^60"})


@pytest.mark.parametrize(
    ("budget", "rule"), [(0, "the loss budget is not used up"), (100_000_000, "nor by its open loss")]
)
def test_a_used_up_budget_ends_what_the_backstop_takes(
    monkeypatch: pytest.MonkeyPatch, budget: int, rule: str
) -> None:
    """Before the price fell, it bought at 50,000, so that its open loss is 900 dollars a bitcoin."""
    start = BASE + "trade maker sell backstop 0.2 BTC @ 50000 taker.key=operator ok\ndeposit backstop 9000 ok\n"
    monkeypatch.setattr(capacity, "capacity", lambda *_: 1_000_000)
    options = {"market.BTC.loss_budget": str(budget)}
    refuses(start + "tick BTC 49100 ok", "backstop taker 1 BTC", rule, options)
    monkeypatch.undo()
    batch = Sealed("deleverage taker 1 BTC ok", start + "tick BTC 49100 ok", options)
    agrees(batch.before, batch.after, batch.transactions)


@pytest.mark.parametrize(("claimed", "rule"), [
    (1_000_000, "lots it cannot take are one more at most"),
    (0, "its initial requirement would not be covered"),
])  # fmt: skip
def test_nobody_is_deleveraged_while_the_backstop_can_take_it(
    monkeypatch: pytest.MonkeyPatch, claimed: int, rule: str
) -> None:
    monkeypatch.setattr(capacity, "capacity", lambda *_: claimed)
    refuses(LOW, "deleverage taker 0.7 BTC", rule)


def test_a_few_lots_too_many_are_no_reason_where_all_can_be_borne(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Sealed("backstop taker 4000 BTC ok", GENEROUS)
    agrees(batch.before, batch.after, batch.transactions)
    monkeypatch.setattr(capacity, "capacity", lambda *_: 3_800_000_000)
    refuses(GENEROUS, "deleverage taker 1 BTC", "nor could it bear all of them")


@pytest.mark.parametrize(("why", "ago", "rule"), [
    ("bankrupt", 1, "a debt is left"), ("no backstop", 1, "there is no backstop"),
])  # fmt: skip
def test_a_false_reason_to_pass_the_backstop_by_is_found(why: str, ago: int, rule: str) -> None:
    player, play = played(LOW)
    transaction = forged(player, "deleverage taker 0.7 BTC")
    play.account(ACCOUNTS["taker"], player.now, Freshness.SINCE_RESTART)
    with pytest.raises(Mismatch, match=rule):
        play.run(f"deleveraging, {why}", transaction)


def _after_deleveraging() -> tuple[int, Play]:
    player, play = played(DEBT)
    play.account(ACCOUNTS["taker"], player.now, Freshness.SINCE_RESTART)
    play.run("deleveraging, bankrupt", forged(player, "deleverage taker 0.7 BTC"))
    return player.now, play


@pytest.mark.parametrize(
    ("account", "lots", "rule"),
    [
        ("taker", 100, "a holder's position shrinks"),  # its own side
        ("owner", 100, "a holder's position shrinks"),  # no position at all
        ("maker", 600_001, "a holder's position shrinks"),  # turned over
        ("other", 0, "some lots are taken"),
        ("maker", 700_001, "no more is taken than there is"),
    ],
)
def test_only_opposite_holders_give_up_no_more_than_they_have(account: str, lots: int, rule: str) -> None:
    now, play = _after_deleveraging()
    play.account(ACCOUNTS[account], now, Freshness.ANY)
    with pytest.raises(Mismatch, match=rule):
        play.run("holder", (ACCOUNTS[account], lots))


def test_all_lots_are_given_up() -> None:
    now, play = _after_deleveraging()
    play.account(ACCOUNTS["maker"], now, Freshness.ANY)
    play.run("holder", (ACCOUNTS["maker"], 600_000))
    with pytest.raises(Mismatch, match="all lots are taken"):
        play.run("open interest", None)


def test_nothing_a_prover_may_choose_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """But the lots themselves, those that are shown to be within or beyond capacity, where others would show it too,
    and the sign of no lots."""
    player, play = played(POOR)
    for line, account in (("backstop taker 0.25 BTC", "backstop"), ("deleverage taker 0.5 BTC", "deleveraging, full")):
        transaction = forged(player, line)
        play.account(ACCOUNTS["taker"], player.now, Freshness.SINCE_RESTART)
        play.account(BACKSTOP_ACCOUNT, player.now, Freshness.ANY)
        free = loose(monkeypatch, play, lambda play, name=account, tx=transaction: play.run(name, tx))
        names = {each.partition(": ")[2] for each in free}
        names -= {"lots that are taken +1", "lots that are taken -1", "magnitude +1"}
        assert names <= {"lots it can take -1", "lots it cannot take +1"}
    now, play = _after_deleveraging()
    play.account(ACCOUNTS["maker"], now, Freshness.ANY)
    free = loose(monkeypatch, play, lambda play: play.run("holder", (ACCOUNTS["maker"], 10)))
    assert [each.partition(": ")[2] for each in free] == ["lots that are taken +1", "lots that are taken -1"]
    assert play.memory.told[Tag.TAKING_LEFT, len(play.frames) - 1, 0] > 0
