"""Custody: a queue of deposits that can be taken back, payments that never reach into it, and tokens that misbehave."""

from __future__ import annotations

import pytest

from tests.contracts.bridge import (
    AHEAD,
    CANCEL_DELAY,
    COUNCIL,
    DEPOSITORS,
    ESCAPE,
    FORCED_DEADLINE,
    STRANGER,
    SUBMISSION_WINDOW,
    Batch,
    Bridge,
    number_of,
)
from tests.contracts.machine import WORDLESS, Machine, Reverted, compiled, word

RECIPIENT = 0xABC
MINE, OTHER = DEPOSITORS[0], DEPOSITORS[1]


@pytest.fixture
def bridge(machine: Machine) -> Bridge:
    return Bridge(machine=machine)


def refuse(bridge: Bridge, match: str, method: str, *arguments: int, sender: str = MINE) -> None:
    """Custody refuses this call by this name, and no token moved."""
    before = bridge.balance(bridge.custody), bridge.balance(sender)
    assert bridge.refusal(bridge.custody, method, *arguments, sender=sender) == f"custody: {match}"
    assert (bridge.balance(bridge.custody), bridge.balance(sender)) == before


def test_a_deposit_names_a_signable_account_and_an_amount_in_range(bridge: Bridge) -> None:
    for account in (0, 1, 65, 2**32, 2**32 + 64, 2**255):
        refuse(bridge, "account", "deposit", account, 1)
    for amount in (0, 2**63, 2**64, 2**160):
        refuse(bridge, "amount", "deposit", 64, amount)
        refuse(bridge, "amount", "deposit_for_insurance", amount)
    bridge.call(bridge.custody, "deposit", [2**32 - 64, 1], sender=MINE)
    bridge.call(bridge.custody, "deposit_for_insurance", [9], sender=OTHER)
    words = bridge.call(bridge.custody, "deposit_of", [1]) + bridge.call(bridge.custody, "deposit_of", [2])
    expected = (2**32 - 64, 1, number_of(MINE), 0, 9, number_of(OTHER))
    assert words == b"".join(map(word, expected))
    bridge.settle(Batch([expected[:3], expected[3:]]))
    assert bridge.number(bridge.custody, "backing") == 10


def test_only_the_deployer_binds_and_only_once(bridge: Bridge) -> None:
    assert bridge.refusal(bridge.custody, "bind", 1) == "custody: bound"
    refuse(bridge, "not the deployer", "bind", 1, sender=STRANGER)


def test_custody_that_is_not_bound_takes_nothing(bridge: Bridge) -> None:
    custody = bridge.place(compiled("Custody"), [number_of(bridge.token)])
    assert bridge.refusal(custody, "deposit", 64, 1, sender=MINE) == "custody: not bound"
    assert bridge.refusal(custody, "bind", 0) == "custody: no rollup"
    bridge.call(custody, "bind", [number_of(bridge.rollup)])


def test_only_the_rollup_settles(bridge: Bridge) -> None:
    nothing = [64, 96, 0, 0]
    for sender in (MINE, COUNCIL, ESCAPE, STRANGER):
        refuse(bridge, "not the rollup", "settle", *nothing, sender=sender)


def test_the_queue_is_taken_in_order_and_in_full(bridge: Bridge) -> None:
    first, second = bridge.deposit(64, 10), bridge.deposit(128, 20, OTHER)
    for deposits, match in (
        ([second], "another account"),
        ([second, first], "another account"),
        ([(64, 11, first[2])], "another amount"),
        ([(64, 10, second[2])], "another depositor"),
        ([first, first], "another account"),
        ([first, second, second], "no such deposit"),
    ):
        with pytest.raises(Reverted, match=f"custody: {match}"):
            bridge.settle(Batch(deposits))
    bridge.settle(Batch([first]))
    with pytest.raises(Reverted, match="custody: another account"):
        bridge.settle(Batch([first]))  # twice
    bridge.settle(Batch([second]))
    assert bridge.number(bridge.custody, "passed") == 2


def test_a_cancelled_deposit_is_given_back_once_and_stepped_over(bridge: Bridge) -> None:
    bridge.deposit(64, 10)
    kept = bridge.deposit(128, 20, OTHER)
    before = bridge.balance(MINE)
    refuse(bridge, "not announced", "finish_cancel", 1)
    refuse(bridge, "not the depositor", "announce_cancel", 1, sender=OTHER)
    refuse(bridge, "no such deposit", "announce_cancel", 0)
    refuse(bridge, "no such deposit", "announce_cancel", 3)
    bridge.call(bridge.custody, "announce_cancel", [1], sender=MINE)
    refuse(bridge, "announced", "announce_cancel", 1)
    bridge.later(CANCEL_DELAY - 1)
    refuse(bridge, "too early", "finish_cancel", 1)
    bridge.later(1)
    bridge.call(bridge.custody, "finish_cancel", [1], sender=STRANGER)  # anybody may; the depositor is paid
    assert bridge.balance(MINE) == before + 10 and bridge.balance(STRANGER) == 0
    refuse(bridge, "no such deposit", "finish_cancel", 1)
    refuse(bridge, "no such deposit", "announce_cancel", 1)
    with pytest.raises(Reverted, match="custody: another account"):
        bridge.settle(Batch([(64, 10, number_of(MINE))]))
    bridge.settle(Batch([kept]))
    assert bridge.number(bridge.custody, "passed") == 2 and bridge.head.deposits == 6  # L2 counts what was taken
    assert bridge.balance(bridge.custody) == bridge.number(bridge.custody, "backing") == 20


def test_a_deposit_that_was_taken_is_not_given_back(bridge: Bridge) -> None:
    deposit = bridge.deposit(64, 10)
    bridge.call(bridge.custody, "announce_cancel", [1], sender=MINE)
    bridge.later(CANCEL_DELAY)  # it could be finished, but is not yet
    bridge.settle(Batch([deposit]))
    refuse(bridge, "no such deposit", "finish_cancel", 1)
    refuse(bridge, "no such deposit", "announce_cancel", 1)


def test_no_batch_is_spoiled_by_a_cancellation_announced_after_it_was_sealed(bridge: Bridge) -> None:
    """The last second in which a batch sealed before the announcement settles is before the first of the finish."""
    deposit = bridge.deposit(64, 10)
    announced_s = bridge.now_s
    bridge.call(bridge.custody, "announce_cancel", [1], sender=MINE)
    sealed = Batch([deposit], time_s=announced_s + AHEAD)
    bridge.later(AHEAD + SUBMISSION_WINDOW)
    refuse(bridge, "too early", "finish_cancel", 1)
    values = bridge.values(sealed)
    bridge.later(1)
    with pytest.raises(Reverted, match="rollup: too old"):
        bridge.submit(values)
    refuse(bridge, "too early", "finish_cancel", 1)
    bridge.at(bridge.now_s - 1)
    bridge.submit(values)


def test_thousands_of_cancelled_deposits_do_not_hold_up_those_behind(bridge: Bridge) -> None:
    for number in range(1, 71):
        bridge.deposit()
        bridge.call(bridge.custody, "announce_cancel", [number], sender=MINE)
    last = bridge.deposit(128, 20, OTHER)
    bridge.later(CANCEL_DELAY)
    for number in range(1, 71):
        bridge.call(bridge.custody, "finish_cancel", [number])
    with pytest.raises(Reverted, match="custody: step over first"):
        bridge.settle(Batch([last]))
    refuse(bridge, "not cancelled", "step_over", 71)
    refuse(bridge, "no such deposit", "step_over", 72)
    bridge.call(bridge.custody, "step_over", [38], sender=STRANGER)
    bridge.settle(Batch([last]))
    assert bridge.number(bridge.custody, "passed") == 71


def test_after_a_freeze_deposits_come_back_at_once_and_none_is_taken(bridge: Bridge) -> None:
    bridge.deposit(64, 10)
    bridge.request()
    bridge.later(FORCED_DEADLINE + 1)
    bridge.call(bridge.rollup, "freeze", [])
    refuse(bridge, "paused", "deposit", 64, 10)
    before = bridge.balance(MINE)
    bridge.call(bridge.custody, "finish_cancel", [1], sender=STRANGER)
    assert bridge.balance(MINE) == before + 10 and bridge.balance(bridge.custody) == 0


def test_claims_are_paid_once_to_their_recipient(bridge: Bridge) -> None:
    bridge.settle(Batch([bridge.deposit(64, 100)], [(RECIPIENT, 30), (0xDEF, 5), (RECIPIENT, 2)]))
    assert bridge.number(bridge.custody, "claimable", RECIPIENT) == 32
    bridge.call(bridge.custody, "claim", [RECIPIENT], sender=STRANGER)
    assert bridge.balance("0x" + f"{RECIPIENT:040x}") == 32
    refuse(bridge, "nothing to claim", "claim", RECIPIENT)
    refuse(bridge, "nothing to claim", "claim", number_of(STRANGER))
    assert bridge.balance(bridge.custody) == 68 == bridge.number(bridge.custody, "backing") + 5


@pytest.mark.parametrize(
    ("paid", "match"),
    [
        ((0, 1), "recipient"),
        ((RECIPIENT, 0), "amount"),
        ((RECIPIENT, 2**63), "amount"),
        ((RECIPIENT, 101), "more than accounts hold"),
    ],
)
def test_a_payment_has_a_recipient_and_comes_out_of_what_accounts_hold(
    bridge: Bridge, paid: tuple[int, int], match: str
) -> None:
    """Even a false proof could not reach the 50 in the queue, or the 10 that another can claim."""
    bridge.settle(Batch([bridge.deposit(64, 110)], [(0xDEF, 10)]))
    bridge.deposit(64, 50)
    with pytest.raises(Reverted, match=f"custody: {match}"):
        bridge.settle(Batch(paid=[paid]))
    bridge.settle(Batch(paid=[(RECIPIENT, 100)]))


def test_tokens_that_keep_or_charge_a_part_are_refused(bridge: Bridge) -> None:
    bridge.settle(Batch([bridge.deposit(64, 100)], [(RECIPIENT, 30)]))
    bridge.deposit(64, 20)
    bridge.call(bridge.custody, "announce_cancel", [2], sender=MINE)
    bridge.later(CANCEL_DELAY)
    bridge.call(bridge.token, "keep", [1])
    refuse(bridge, "the token kept a part", "deposit", 64, 5)
    bridge.call(bridge.token, "keep", [0])
    bridge.call(bridge.token, "charge", [1])
    refuse(bridge, "the token took another amount", "claim", RECIPIENT)
    refuse(bridge, "the token took another amount", "finish_cancel", 2)
    bridge.call(bridge.token, "charge", [0])
    bridge.call(bridge.custody, "claim", [RECIPIENT])
    bridge.call(bridge.custody, "finish_cancel", [2])
    assert bridge.balance(bridge.custody) == 70


def test_tokens_that_say_nothing_are_taken_and_those_that_say_no_are_not(machine: Machine) -> None:
    bridge = Bridge("testing/Silent", machine=machine)
    bridge.settle(Batch([bridge.deposit(64, 100)], [(RECIPIENT, 30)]))
    bridge.call(bridge.token, "refuse", [])
    refuse(bridge, "transfer", "deposit", 64, 5)
    refuse(bridge, "transfer", "claim", RECIPIENT)
    assert bridge.number(bridge.custody, "claimable", RECIPIENT) == 30


def test_a_token_that_calls_back_gets_nowhere(machine: Machine) -> None:
    """What anybody could do at that moment cannot be done in the middle of a transfer, and can after it."""
    bridge = Bridge("testing/Reentrant", machine=machine)
    bridge.settle(Batch([bridge.deposit(64, 100)], [(RECIPIENT, 30), (0xDEF, 10)]))
    bridge.deposit(64, 7)
    waiting = bridge.deposit(64, 20)
    bridge.call(bridge.custody, "announce_cancel", [2], sender=MINE)
    bridge.later(CANCEL_DELAY)
    doors: list[tuple[str, str, list[int], bytes | None]] = [
        (bridge.custody, "step_over", [0], None),
        (bridge.custody, "claim", [0xDEF], None),
        (bridge.custody, "finish_cancel", [2], None),
        (bridge.reader, "settle", *bridge.settling(bridge.values(Batch([waiting])))),
    ]
    for address, method, words, data in doors:
        calldata = bridge.calldata(address, method, words, data)
        held = bridge.balance(bridge.custody)
        bridge.call(bridge.token, "call_back", [number_of(address)], calldata)
        for entry, arguments in (("claim", [RECIPIENT]), ("deposit", [64, 1])):
            refusal = bridge.refusal(bridge.custody, entry, *arguments, sender=MINE)
            assert refusal == WORDLESS  # the lock has none
            assert bridge.balance(bridge.custody) == held and bridge.number(bridge.custody, "queued") == 3
        bridge.call(bridge.token, "call_back", [0], b"")
        bridge.call(address, method, words, data)
    bridge.call(bridge.custody, "claim", [RECIPIENT])
    assert bridge.balance(bridge.custody) == 100 + 7 + 20 - 10 - 7 - 30
