"""Registrations and configurations in the circuit beside the ledger, and what a prover may not do with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.play import Play
from bulkhead.circuit.play_ticks import TAKERS
from bulkhead.circuit.programs import register_name
from bulkhead.circuit.venue import venue_of
from bulkhead.ledger import tx
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.state import Choice, Kind, Mode
from bulkhead.limits import LEVERAGE_MAX
from bulkhead.signing import Signature, public_key
from tests.circuit.batches import Recorder, Sealed, agrees, play_all
from tests.circuit.liars import Step, escapes, outcome, unnoticed
from tests.parse import ACCOUNTS, KEYS

UNSIGNED = Signature(1, 1)
OWNER, MAKER = ACCOUNTS["owner"], ACCOUNTS["maker"]
START = """
register owner                                         ok
register maker                                         ok
deposit  owner 1000                                    ok
deposit  maker 100000                                  ok
tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5           ok
"""
REGISTERED = """
register stranger                                      ok
register backstop                                      ok
register strategy strategy of owner key=owner signer=owner ok
register other set.l1_owner=0                          ok
register taker set.account_id=4294967232               ok      # the last one that signs
register depositor set.l1_owner=1461501637330902918203684832716283019655932542975 ok
"""
STRATEGY = "register strategy strategy of owner key=owner signer=owner ok\n"
CONFIGURED = """
configure owner BTC isolated 10x cap 100 nonce=5       ok
configure strategy self cross cap 50 signer=owner      ok
configure strategy self cross cap 60 signer=owner      ok
configure strategy self cross signer=owner             ok      # forgotten
configure strategy BTC cross 100x signer=owner         ok
trade     maker sell owner 0.1 BTC @ 50000             ok
configure owner BTC isolated 20x                       ok
configure owner BTC isolated 10x                       ok      # asks the child for more
configure owner BTC cross 10x                          positions_open
trade     maker sell owner 0.8 ETH @ 3000              ok
configure owner ETH cross 5x                           ok      # asks the account for more
configure owner ETH cross 4x                           insufficient_margin
wait      61s
configure owner ETH cross 10x                          ok      # asks less: no price is needed
configure owner ETH cross                              ok
configure owner XRP isolated                           ok
configure owner XRP cross nonce=4294967295             ok      # the last one
configure owner XRP cross 5x                           bad_nonce
"""


def test_registrations_are_shown() -> None:
    assert Sealed(REGISTERED, START).problems() == []


def test_configurations_are_shown() -> None:
    assert Sealed(CONFIGURED, START + STRATEGY).problems() == []


def test_funding_is_settled_by_a_configuration() -> None:
    """Of the account and of its child, whatever is chosen."""
    start = (
        START
        + STRATEGY
        + """
configure owner BTC isolated 10x                       ok
deposit   strategy 1000                                ok
trade     maker sell owner 0.1 BTC @ 50000             ok
trade     maker sell owner 0.1 ETH @ 3000              ok
trade     maker sell strategy 0.1 ETH @ 3000 taker.key=owner taker.signer=owner ok
wait      3600s
tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5           ok
funding   BTC 0.9% ETH 0.8%                            ok
"""
    )
    batch = Sealed("configure owner BTC isolated 11x ok\nconfigure strategy self cross cap 3 signer=owner ok", start)
    before, after = (state.accounts[OWNER + 1].balance for state in (batch.before, batch.after))
    assert before != after
    agrees(batch.before, batch.after, batch.transactions)


def _play(script: str) -> Recorder:
    player = Recorder()
    play_all(player, START + script)
    return player


def _registration(**changes: Any) -> tx.Register:
    owner = public_key(KEYS["stranger"])
    account = ACCOUNTS["stranger"]
    register = tx.Register(_play("").now, account, Kind.MAIN, 1, owner, 0xABC, 0, 1, UNSIGNED)
    return replace(register, **changes)


def _strategy(**changes: Any) -> tx.Register:
    asked = {"kind": Kind.STRATEGY, "parent_id": OWNER, "owner_key": public_key(KEYS["owner"])}
    return _registration(**(asked | changes))


@pytest.mark.parametrize(
    ("rule", "register"),
    [
        ("the account's number is free", _registration(account_id=OWNER)),
        ("the account's number is one that signs", _registration(account_id=ACCOUNTS["stranger"] + 1)),
        ("an account's number", _registration(account_id=1 << 32)),
        ("the account's number is not zero", _registration(account_id=0)),
        ("the backstop's number is the backstop's", _registration(account_id=64)),
        ("an owner's address on L1", _registration(l1_owner=1 << 160)),
        ("an owner's address on L1", _registration(l1_owner=-1)),
        ("time does not fall", _registration(time_ms=5)),
        ("a strategy's parent has the same owner", _strategy(owner_key=public_key(KEYS["stranger"]))),
        ("a kind of account", _strategy(parent_id=ACCOUNTS["other"])),  # there is none: its head is zero
        ("an account's number", _strategy(parent_id=1 << 32)),
        ("the backstop's number is the backstop's", _strategy(account_id=64)),
        ("the account's number is free", _strategy(account_id=MAKER)),
        ("the backstop's key", _registration(kind=Kind.BACKSTOP, account_id=64)),
    ],
)
def test_a_forged_registration_is_refused_by_name(rule: str, register: tx.Register) -> None:
    with pytest.raises(Mismatch, match=re.escape(rule)):
        outcome(_play("").state, [(register_name(register.kind), register)])


def test_strategies_do_not_nest() -> None:
    state = _play(STRATEGY).state
    nested = _strategy(parent_id=ACCOUNTS["strategy"])
    with pytest.raises(Mismatch, match="a strategy's parent is a main account"):
        outcome(state, [("register, strategy", nested)])


def test_the_owner_of_the_account_signs() -> None:
    player = _play("")
    register = _strategy()
    key = register.owner_key
    taken = outcome(player.state, [("register, strategy", register)]).signed
    assert taken == [(key, Authority(player.config).register_hash(register))]


def test_no_lie_in_a_registration_goes_unnoticed() -> None:
    """All that is written is signed, but for the time."""
    state = _play("").state
    backstop = _registration(kind=Kind.BACKSTOP, account_id=64, owner_key=state.config.backstop_key)
    for register in (_registration(), _strategy(), backstop):
        assert unnoticed(state, [(register_name(register.kind), register)]) == {"the time"}


# --- configurations ---------------------------------------------------------------------------------------------------


def _configuration(player: Recorder, who: str, choice: Choice, **changes: Any) -> tx.Configure:
    account = player.state.accounts[ACCOUNTS[who]]
    expiry_s = player.now // 1000 + 60
    configure = tx.Configure(player.now, account.account_id, choice, expiry_s, account.nonce + 1, UNSIGNED)
    return replace(configure, **changes)


class Noting(Play):
    """A play that notes what it runs."""

    def run(self, name: str, case: Any) -> None:
        self.__dict__.setdefault("steps", []).append((name, case))
        super().run(name, case)


def _steps(player: Recorder, configure: tx.Configure) -> list[Step]:
    """The programs that a configuration runs, whether or not the last one refuses it."""
    play = Noting(player.state, venue_of(player.config))
    with suppress(Mismatch):
        TAKERS[tx.Configure](play, configure)
    steps: list[Step] = play.__dict__["steps"]
    return steps


HELD = """
configure owner BTC isolated 10x                       ok
trade     maker sell owner 0.1 BTC @ 50000             ok
configure owner ETH cross 20x                          ok
trade     maker sell owner 0.8 ETH @ 3000              ok
configure owner BTC isolated 20x                       ok
"""
CROSS, ISOLATED = Mode.CROSS, Mode.ISOLATED


@pytest.mark.parametrize(
    ("rule", "who", "choice", "changes"),
    [
        ("the leverage is in range", "maker", (3, CROSS, LEVERAGE_MAX + 1, 0), {}),
        ("the leverage is in range", "maker", (3, CROSS, -1, 0), {}),
        ("the cap is in range", "maker", (3, CROSS, 1, 1 << 63), {}),
        ("the cap is in range", "maker", (3, CROSS, 1, -1), {}),
        ("a mode", "maker", (3, 3, 1, 0), {}),
        ("a mode", "maker", (3, 0, 1, 0), {}),
        ("a market's number", "maker", (1 << 16, CROSS, 1, 0), {}),
        ("the message has not expired", "maker", (3, CROSS, 1, 0), {"expiration_s": 1_700_000_000 - 1}),
        ("an expiry", "maker", (3, CROSS, 1, 0), {"expiration_s": 1 << 40}),
        ("the nonce rises", "maker", (3, CROSS, 1, 0), {"nonce": 0}),
        ("the nonce rises", "owner", (3, CROSS, 1, 0), {"nonce": 2}),
        ("a nonce", "maker", (3, CROSS, 1, 0), {"nonce": 1 << 32}),
        ("a main account or a strategy", "backstop", (3, CROSS, 1, 0), {}),
        ("only a strategy chooses for itself", "maker", (0, CROSS, 0, 5), {}),
        ("a choice for itself has no mode", "strategy", (0, ISOLATED, 0, 5), {}),
        ("a choice for itself has no leverage", "strategy", (0, CROSS, 5, 5), {}),
        ("no position is open where the mode changes", "owner", (1, CROSS, 10, 0), {}),  # in the child
        ("no position is open where the mode changes", "owner", (2, ISOLATED, 20, 0), {}),  # in the account
        ("what more is asked is there", "owner", (1, ISOLATED, 5, 0), {}),  # of the child
        ("what more is asked is there", "owner", (2, CROSS, 3, 0), {}),
    ],
)
def test_a_forged_configuration_is_refused_by_name(
    rule: str, who: str, choice: Sequence[int], changes: dict[str, int]
) -> None:
    player = _play(STRATEGY + "register backstop ok\n" + HELD)
    configure = _configuration(player, who, Choice(*choice), **changes)
    with pytest.raises(Mismatch, match=re.escape(rule)):
        outcome(player.state, _steps(player, configure))


@pytest.mark.parametrize("choice", [(1, ISOLATED, 10, 0), (2, CROSS, 19, 0)])
def test_more_is_asked_at_fresh_prices_only(choice: Sequence[int]) -> None:
    player = _play(HELD)
    fresh = _steps(player, _configuration(player, "owner", Choice(*choice)))
    outcome(player.state, fresh)
    play_all(player, "wait 61s")
    stale = _steps(player, _configuration(player, "owner", Choice(*choice)))
    with pytest.raises(Mismatch, match="more is asked at fresh prices"):
        outcome(player.state, stale)


def test_a_program_for_another_case_is_refused() -> None:
    """Neither a child nor a market can be left out."""
    player = _play(STRATEGY + HELD)
    *before, (name, configure) = _steps(player, _configuration(player, "owner", Choice(1, ISOLATED, 20, 0)))
    assert name == "configure, child"
    with pytest.raises(Mismatch, match="there is no child"):
        outcome(player.state, [before[0], ("configure", configure)])
    itself = _steps(player, _configuration(player, "strategy", Choice(0, CROSS, 0, 5)))
    assert itself[-1][0] == "configure, itself"
    with pytest.raises(Mismatch, match="it is a choice for a market"):
        outcome(player.state, [itself[0], ("configure", itself[-1][1])])


def test_a_market_that_is_not_there_has_no_terms() -> None:
    player = _play("")
    known, other = (
        outcome(player.state, _steps(player, _configuration(player, "maker", Choice(market, CROSS, 1, 0))))
        for market in (5, 6)
    )
    assert other.unanswered and not known.unanswered


def test_health_of_another_account_or_time_is_not_taken() -> None:
    """The account's frame is asked about this account, just before, at this time."""
    player = _play("")
    *_, (name, configure) = _steps(player, _configuration(player, "maker", Choice(3, CROSS, 1, 0)))
    (frame, (_, now_ms)), *_ = _steps(player, configure)
    for case, rule in (((OWNER, now_ms), "this account is judged"), ((MAKER, now_ms - 1), "it is judged at this time")):
        with pytest.raises(Mismatch, match=rule):
            outcome(player.state, [(frame, case), (name, configure)])


def test_the_owner_signs_what_is_chosen() -> None:
    player = _play(HELD)
    configure = _configuration(player, "owner", Choice(1, ISOLATED, 20, 7), nonce=9)
    key = player.state.accounts[OWNER].owner_key
    taken = outcome(player.state, _steps(player, configure)).signed
    assert taken == [(key, Authority(player.config).configure_hash(configure, key))]


@pytest.mark.parametrize(
    ("who", "choice"),
    [("owner", (1, ISOLATED, 10, 7)), ("owner", (2, CROSS, 19, 0)), ("maker", (1, CROSS, 0, 0)),
     ("strategy", (0, CROSS, 0, 5))],
)  # fmt: skip
def test_no_lie_in_a_configuration_goes_unnoticed(who: str, choice: Sequence[int]) -> None:
    """All that is written is signed, but for the time."""
    player = _play(STRATEGY + HELD)
    steps = _steps(player, _configuration(player, who, Choice(*choice)))
    assert unnoticed(player.state, steps) == set()


@pytest.mark.parametrize(
    "choice",
    [
        (1, ISOLATED, 5, 0),  # more than the child has
        (2, CROSS, 3, 0),  # more than the account has
        (1, CROSS, 20, 0),  # the child holds a position
        (2, ISOLATED, 20, 0),  # the account does
    ],
)
def test_no_lie_makes_a_refused_choice_acceptable(choice: Sequence[int]) -> None:
    player = _play(HELD)
    assert escapes(player.state, _steps(player, _configuration(player, "owner", Choice(*choice)))) == set()


def test_no_lie_makes_stale_prices_acceptable() -> None:
    player = _play(HELD + "wait 61s\n")
    for choice in (Choice(1, ISOLATED, 10, 0), Choice(2, CROSS, 19, 0)):
        assert escapes(player.state, _steps(player, _configuration(player, "owner", choice))) == set()
