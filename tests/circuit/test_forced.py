"""Forced requests in proofs: done where they can be, and never said to fail where they could not."""

from __future__ import annotations

import pytest

from bulkhead.circuit import capacity
from bulkhead.circuit.accounts import Freshness
from bulkhead.circuit.batch import SMALL, circuit_of
from bulkhead.circuit.forced import SETTLED, Case, Failure
from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.play import Play
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.trace import trace
from bulkhead.circuit.venue import NotProvable
from bulkhead.ledger.batch import PaidOut
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.tx import ForcedClose, ForcedWithdrawal
from stark.air.check import check
from tests.circuit.attacks import forged, loose, played
from tests.circuit.batches import Sealed, agrees
from tests.parse import ACCOUNTS

HOLDERS = """
register maker                              ok
register owner                              ok
register taker                              ok
register stranger                           ok
deposit  maker 1000000                      ok
deposit  owner 5000                         ok
deposit  taker 1000                         ok
deposit  stranger 700                       ok
configure taker ETH isolated 10x            ok
tick     BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5    ok
trade    maker sell owner 1 BTC @ 50000     ok
trade    maker sell taker 1 ETH @ 3000      ok
"""
TICK = "wait 1s\ntick BTC 50000 ok\n"
START = "register backstop ok\ndeposit backstop 400 ok\n" + HOLDERS.lstrip() + TICK
RICH = START + "deposit backstop 9000 ok\n"
FALL = "tick BTC 48900 ok\nwait 1s\ntick BTC 48900 ok\n"
STALE = START + "wait 61s\ntick BTC 30000 ok\n"  # the tick refuses a feed, whose price is too old by then
SICK = START + "deposit owner 500 ok\ntrade maker sell owner 4 BTC @ 50000 ok\n" + FALL


def _program(why: Failure) -> str:
    return f"forced request fails, {why}"


def test_requests_done_and_failed_are_proven() -> None:
    sealed = Sealed(
        "force-withdraw stranger 100 ok\nforce-withdraw owner 4900 failed:insufficient_margin\n"
        "force-close owner BTC ok",
        START,
    )
    assert sealed.problems() == []
    assert sealed.batch.statement.withdrawals == (PaidOut(0xABC, 1, 100_000_000),)
    assert sealed.batch.statement.forced == (0, 3)


@pytest.mark.parametrize(
    ("start", "script"),
    [
        (RICH, "force-close owner BTC ok"),  # the backstop takes all
        (START, "force-close owner BTC ok"),  # it takes a part
        (HOLDERS + TICK, "force-close owner BTC ok"),  # there is none
        (START.replace("deposit backstop 400 ok\n", ""), "force-close taker/ETH ETH ok"),  # it takes nothing
        (RICH, "force-close maker BTC ok\nforce-close taker/ETH ETH ok"),
        (START + "trade backstop sell owner 0.005 BTC @ 50000 maker.key=operator ok\n", "force-close owner BTC ok"),
        (START, "force-withdraw stranger 700 ok"),
        (STALE, "force-withdraw stranger 700 ok"),  # nothing held, so no price is asked for
        (START, "force-withdraw stranger 701 failed:insufficient_balance"),
        (START, "force-withdraw other 1 failed:unknown_account\nforce-close other BTC failed:unknown_account"),
        (START, "force-withdraw backstop 1 failed:wrong_kind\nforce-close backstop BTC failed:wrong_kind"),
        (START, "force-withdraw owner 1 sender=5 failed:wrong_owner"),
        (START, "force-close owner BTC sender=5 failed:wrong_owner"),
        (START, "force-withdraw owner 0 failed:amount_not_positive"),
        (START, "force-withdraw owner 1 raw.amount=2^63 failed:out_of_range"),
        (START, "force-withdraw taker/ETH 1 failed:account_id_not_signable"),
        (START, "force-withdraw owner 4000 failed:insufficient_margin\nforce-withdraw owner 1 failed:profit_locked"),
        (STALE, "force-withdraw owner 1 failed:price_stale"),
        (STALE, "force-close owner BTC failed:price_stale"),
        (START, "force-close owner ETH failed:no_such_position\nforce-close owner 40 failed:no_such_position"),
        (START + "wait 1s\ntick BTC 30000 ok", "force-close owner BTC failed:price_stale"),  # the move is refused
        (SICK, "force-close owner BTC failed:not_healthier"),
    ],
)  # fmt: skip
def test_what_the_ledger_says_leads_to_its_state(start: str, script: str) -> None:
    """With a funding tick before, so that it shows when funding is settled."""
    batch = Sealed(_ready(script), start)
    assert any(isinstance(each, ForcedWithdrawal | ForcedClose) for each in batch.transactions)
    agrees(batch.before, batch.after, batch.transactions)


def _ready(script: str) -> str:
    """The script's requests were included a moment before the last tick."""
    lines = script.splitlines()
    return "\n".join(line if "ago=" in line else line.replace(" failed", " ago=1 failed") for line in lines)


def test_funding_is_settled_with_a_request_that_fails() -> None:
    start = START + "wait 1h\n".replace("1h", "3600s") + "tick BTC 50000 ETH 3000 ok\nfunding BTC 0.01% ok\n"
    batch = Sealed("force-withdraw owner 4900 failed:insufficient_margin", start)
    agrees(batch.before, batch.after, batch.transactions)
    owner = ACCOUNTS["owner"]
    assert batch.after.accounts[owner].balance < batch.before.accounts[owner].balance


def _asked(text: str, start: str = START) -> tuple[Play, Case]:
    player, play = played(start)
    transaction = forged(player, text)
    assert isinstance(transaction, ForcedWithdrawal | ForcedClose)
    return play, Case(transaction, 1)


RULES = {
    Failure.ABSENT: "there is no such account",
    Failure.BACKSTOP: "its owner cannot ask for it",
    Failure.STRANGER: "another owns it on L1",
    Failure.AMOUNT: "none can be withdrawn of such an amount",
    Failure.CHILD: "its owner cannot ask for it",
    Failure.STALE: "its price is stale",
    Failure.MARGIN: "the initial requirement or the profit lock would be broken",
    Failure.CUSTODY: "custody holds less",
    Failure.FLAT: "there is no such position",
    Failure.EARLY: "its price was known when it was asked",
    Failure.UNHEALTHY: "it would not be healthy",
}
CLOSES = (Failure.FLAT, Failure.EARLY, Failure.UNHEALTHY)


@pytest.mark.parametrize("why", list(Failure))
def test_what_can_be_done_does_not_fail(why: Failure) -> None:
    """The owner holds a bitcoin and could withdraw nothing of it, but a hundredth of a cent once it is covered."""
    start = START + "deposit owner 9000 ok\n"
    play, case = _asked("force-close owner BTC" if why in CLOSES else "force-withdraw owner 1", start)
    if why in SETTLED:
        play.account(ACCOUNTS["owner"], int(case.tx.time_ms))
    with pytest.raises(Mismatch, match=RULES[why]):
        play.run(_program(why), case)


@pytest.mark.parametrize(
    ("why", "text"),
    [(why, "force-close owner BTC") for why in (Failure.MARGIN, Failure.CUSTODY, Failure.AMOUNT, Failure.CHILD)]
    + [(why, "force-withdraw owner 1") for why in CLOSES],
)
def test_each_kind_of_request_fails_for_its_own_reasons(why: Failure, text: str) -> None:
    play, case = _asked(text)
    if why in SETTLED:
        play.account(ACCOUNTS["owner"], int(case.tx.time_ms))
    with pytest.raises(Mismatch, match="is asked for"):
        play.run(_program(why), case)


def test_a_price_of_something_not_held_is_no_reason() -> None:
    play, case = _asked("force-withdraw owner 1 ago=1", STALE)
    play.account(ACCOUNTS["owner"], int(case.tx.time_ms))
    with pytest.raises(Mismatch, match="the account holds something there"):
        play.run(_program(Failure.STALE), case._replace(market=2))


@pytest.mark.parametrize(
    ("start", "text", "rule"),
    [
        (START, "force-withdraw stranger 701", "the initial requirement stays"),
        (START + "wait 61s", "force-withdraw stranger 1 ago=61001", "the last tick is young"),
        (START + "wait 61s", "force-close owner BTC ago=61001", "the last tick is young"),
        (START, "force-withdraw owner 1", "the profit lock holds"),
        (START, "force-withdraw stranger 1 sender=5", "the owner on L1 asks"),
        (START, "force-withdraw backstop 1", "not the backstop"),
        (START, "force-withdraw stranger 0", "an amount is positive"),
        (START, "force-withdraw taker/ETH 1", "an account that signs"),
        (STALE, "force-withdraw owner 1", "value leaves at fresh prices"),
        (START, "force-withdraw stranger 1 ago=0", "the last tick is younger than the request"),
        (START, "force-close owner BTC", "a withdrawal is asked for"),
    ],
)
def test_what_fails_is_not_paid(start: str, text: str, rule: str) -> None:
    play, case = _asked(text, start)
    play.account(int(case.tx.account_id), int(case.tx.time_ms))
    with pytest.raises(Mismatch, match=rule):
        play.run("forced withdrawal", case)


@pytest.mark.parametrize(
    ("start", "text", "rule"),
    [
        (START, "force-close owner BTC sender=5", "the owner on L1 asks"),
        (START, "force-close backstop BTC", "not the backstop"),
        (START, "force-close owner ETH", "there is a position"),
        (STALE, "force-close owner BTC", "prices are fresh"),
        (START + "wait 1s\ntick BTC 30000 ok", "force-close owner BTC", "its price is younger than the request"),
        (SICK, "force-close owner BTC", "healthy or healthier"),
        (START, "force-withdraw owner 1", "a close is asked for"),
        (HOLDERS + TICK, "force-close owner BTC ago=0", "the last tick is younger than the request"),
    ],
)
def test_what_fails_is_not_closed(start: str, text: str, rule: str) -> None:
    play, case = _asked(text, start)
    play.account(int(case.tx.account_id), int(case.tx.time_ms))
    if "register backstop" in start:
        play.account(BACKSTOP_ACCOUNT, int(case.tx.time_ms), Freshness.ANY)
    with pytest.raises(Mismatch, match=rule):
        play.run("forced close, backstop" if "register backstop" in start else "forced close, holders", case)


@pytest.mark.parametrize(
    ("claimed", "rule"), [(1_000_000, "its initial requirement is covered"), (0, "initial requirement would not be")]
)
def test_the_backstop_takes_what_it_can_and_no_more(monkeypatch: pytest.MonkeyPatch, claimed: int, rule: str) -> None:
    """All of it, though its margin is short; or nothing, though it could take a part."""
    play, case = _asked("force-close owner BTC")
    monkeypatch.setattr(capacity, "capacity", lambda *_: claimed)
    monkeypatch.setattr("bulkhead.circuit.forced.capacity", lambda *_: claimed)
    with pytest.raises(Mismatch, match=rule):
        play.take(0, case.tx)


def test_holders_are_not_asked_while_there_is_a_backstop() -> None:
    play, case = _asked("force-close owner BTC")
    play.account(ACCOUNTS["owner"], int(case.tx.time_ms))
    with pytest.raises(Mismatch, match="there is no backstop"):
        play.run("forced close, holders", case)


def test_requests_that_the_queue_cannot_carry_are_named() -> None:
    play, case = _asked("force-withdraw owner 1 9")
    with pytest.raises(NotProvable, match="knows the settlement asset alone"):
        play.take(0, case.tx)


def test_nothing_a_prover_may_choose_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """But the sign of no lots, and the lots shown to be within or beyond capacity, where others would show it too."""
    for start, text, name in (
        (START, "force-close owner BTC", "forced close, backstop"),
        (START, "force-withdraw stranger 100", "forced withdrawal"),
        (START, "force-withdraw owner 4000", _program(Failure.MARGIN)),
        (SICK, "force-close owner BTC", _program(Failure.UNHEALTHY)),
    ):
        play, case = _asked(text, start)
        play.account(int(case.tx.account_id), int(case.tx.time_ms))
        if name.startswith("forced close"):
            play.account(BACKSTOP_ACCOUNT, int(case.tx.time_ms), Freshness.ANY)
        free = loose(monkeypatch, play, lambda play, name=name, case=case: play.run(name, case))
        free_anyway = {"lots it can take -1", "lots it cannot take +1", "is_zero +1", "is_zero -1", "magnitude +1"}
        free_anyway |= {"check_allowed -1", "_fails_to_leave -1"}  # where both reasons hold
        names = {each.partition(f"{name}: ")[2] for each in free}
        assert names <= free_anyway, name
        assert play.memory.told.get((Tag.TAKING_LEFT, len(play.frames), 0), 1) >= 0


def test_requests_are_taken_in_the_order_of_the_queue() -> None:
    """The statement lends the request of each number once: another order of the same requests finds no lender."""
    sealed = Sealed("force-withdraw stranger 1 ok\nforce-withdraw stranger 2 ok", START)
    one, two = sealed.transactions
    swapped = trace(sealed.before, sealed.after, [two, one], SMALL)
    problems = check(circuit_of(sealed.before.config, SMALL), sealed.tables().public, swapped.traces)
    assert any("message" in str(each) for each in problems)
