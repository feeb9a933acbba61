"""What a council may do, and how long everybody knows before it happens."""

from __future__ import annotations

import pytest

from tests.contracts.bridge import (
    AHEAD,
    CANCEL_DELAY,
    COUNCIL,
    ENACTMENT_WINDOW,
    FORCED_DEADLINE,
    SHAPE,
    STRANGER,
    SUBMISSION_WINDOW,
    TIMELOCK,
    VERSION,
    Batch,
    Bridge,
    number_of,
)
from tests.contracts.machine import CONTRACTS, Machine, Reverted, compiled

RECIPIENT = 0xABC


@pytest.fixture
def bridge(machine: Machine) -> Bridge:
    return Bridge(machine=machine)


def refuse(bridge: Bridge, match: str, method: str, *arguments: int, sender: str = COUNCIL) -> None:
    """The rollup refuses this call by this name."""
    assert bridge.refusal(bridge.rollup, method, *arguments, sender=sender) == f"rollup: {match}"


def propose(bridge: Bridge, *arguments: int, method: str = "propose_reader") -> int:
    """A proposal of the council's, by its name."""
    return int.from_bytes(bridge.call(bridge.rollup, method, list(arguments), sender=COUNCIL), "big")


def test_the_delays_hold_each_other_up() -> None:
    """Read from the contracts' own text: what every promise in `terms` and in these tests rests on."""
    text = (CONTRACTS / "terms.vy").read_text()
    found: dict[str, int] = {}
    for line in text.splitlines():
        if ": constant(uint256) = " in line:
            name, value = line.split("#")[0].split(": constant(uint256) = ")
            found[name] = int(eval(value, {}, found))
    assert found["CANCEL_DELAY"] > found["SUBMISSION_WINDOW"] + found["AHEAD"]
    assert found["TIMELOCK"] > found["FORCED_DEADLINE"] + found["EXIT_WINDOW"]
    assert found["SUBMISSION_WINDOW"] < found["FORCED_DEADLINE"]
    ours = (AHEAD, SUBMISSION_WINDOW, CANCEL_DELAY, FORCED_DEADLINE, TIMELOCK, ENACTMENT_WINDOW)
    names = "AHEAD SUBMISSION_WINDOW CANCEL_DELAY FORCED_DEADLINE TIMELOCK ENACTMENT_WINDOW"
    assert ours == tuple(found[name] for name in names.split())


def test_only_the_council_pauses_and_proposes(bridge: Bridge) -> None:
    for method, arguments in (
        ("pause", (1, 1)), ("propose_reader", (1, 2, 3, 4)), ("propose_council", (5,)), ("withdraw_proposal", (1,)),
    ):  # fmt: skip
        refuse(bridge, "not the council", method, *arguments, sender=STRANGER)
    refuse(bridge, "council", "propose_council", 0)
    refuse(bridge, "not proposed", "withdraw_proposal", 1)


def test_a_pause_stops_deposits_and_batches_and_nothing_else(bridge: Bridge) -> None:
    bridge.settle(Batch([bridge.deposit()], [(RECIPIENT, 30)]))
    bridge.deposit()
    bridge.call(bridge.rollup, "pause", [1, 0], sender=COUNCIL)
    with pytest.raises(Reverted, match="custody: paused"):
        bridge.deposit()
    bridge.settle(Batch())
    bridge.call(bridge.rollup, "pause", [0, 1], sender=COUNCIL)
    bridge.deposit()
    with pytest.raises(Reverted, match="rollup: paused"):
        bridge.settle(Batch())
    bridge.call(bridge.rollup, "pause", [1, 1], sender=COUNCIL)
    bridge.call(bridge.custody, "claim", [RECIPIENT])
    bridge.call(bridge.custody, "announce_cancel", [2], sender="0x" + "a" * 40)
    forced = bridge.request()
    bridge.later(CANCEL_DELAY)
    bridge.call(bridge.custody, "finish_cancel", [2])
    bridge.call(bridge.rollup, "pause", [0, 0], sender=COUNCIL)
    bridge.settle(Batch(forced=[forced]))


def test_a_rollup_that_is_paused_for_too_long_can_be_frozen(bridge: Bridge) -> None:
    bridge.call(bridge.rollup, "pause", [1, 1], sender=COUNCIL)
    bridge.request()
    bridge.later(FORCED_DEADLINE + 1)
    bridge.call(bridge.rollup, "freeze", [], sender=STRANGER)
    bridge.call(bridge.rollup, "pause", [0, 0], sender=COUNCIL)  # it cannot be thawed
    with pytest.raises(Reverted, match="rollup: frozen"):
        bridge.settle(Batch())
    with pytest.raises(Reverted, match="custody: paused"):
        bridge.deposit()


def test_a_reader_waits_and_begins_with_its_batch(bridge: Bridge) -> None:
    old, new = bridge.reader, bridge.reader_for(VERSION, SHAPE)
    terms = (VERSION, SHAPE, number_of(new), 12)  # the head is at batch 9
    refuse(bridge, "not proposed", "enact_reader", *terms)
    propose(bridge, *terms)
    refuse(bridge, "proposed", "propose_reader", *terms)
    bridge.later(TIMELOCK - 1)
    refuse(bridge, "too early", "enact_reader", *terms)
    bridge.later(1)
    for place in range(4):  # nothing but what was announced
        other = [value + (place == index) for index, value in enumerate(terms)]
        refuse(bridge, "not proposed", "enact_reader", *other)
    bridge.call(bridge.rollup, "enact_reader", list(terms), sender=STRANGER)
    refuse(bridge, "not proposed", "enact_reader", *terms)
    for number in (10, 11, 12, 13):
        bridge.reader, other = (old, new) if number < 12 else (new, old)
        assert bridge.number(bridge.rollup, "reader_of", VERSION, SHAPE) == number_of(bridge.reader)
        with pytest.raises(Reverted, match="rollup: not the reader"):
            bridge.submit(bridge.values(Batch()), reader=other)
        bridge.settle(Batch())


def test_readers_follow_each_other_and_a_shape_is_added_and_retired(bridge: Bridge) -> None:
    first, second = (bridge.reader_for(VERSION, SHAPE + 1) for _ in range(2))
    steps = ((number_of(first), 0), (number_of(second), 11), (0, 12))
    for reader, from_batch in steps:
        propose(bridge, VERSION, SHAPE + 1, reader, from_batch)
    bridge.later(TIMELOCK)
    for reader, from_batch in steps:
        bridge.call(bridge.rollup, "enact_reader", [VERSION, SHAPE + 1, reader, from_batch])
        if reader:
            bridge.submit(bridge.values(Batch()), reader=first if bridge.head.batches == 9 else second)
            bridge.head = bridge.after(Batch())
    assert bridge.head.batches == 11
    assert bridge.number(bridge.rollup, "reader_of", VERSION, SHAPE + 1) == 0
    bridge.settle(Batch())  # the first shape is as it was


def test_a_council_is_followed_by_another(bridge: Bridge) -> None:
    proposal = propose(bridge, number_of(STRANGER), method="propose_council")
    withdrawn = propose(bridge, 99, method="propose_council")
    bridge.call(bridge.rollup, "withdraw_proposal", [withdrawn], sender=COUNCIL)
    bridge.later(TIMELOCK)
    refuse(bridge, "not proposed", "enact_council", 99)
    bridge.call(bridge.rollup, "enact_council", [number_of(STRANGER)])
    assert bridge.number(bridge.rollup, "ready_s", proposal) == 0
    refuse(bridge, "not the council", "pause", 1, 1)
    bridge.call(bridge.rollup, "pause", [1, 1], sender=STRANGER)


def test_what_was_announced_too_long_ago_is_forgotten(bridge: Bridge) -> None:
    propose(bridge, 99, method="propose_council")
    bridge.later(TIMELOCK + ENACTMENT_WINDOW)
    refuse(bridge, "too late", "enact_council", 99)
    propose(bridge, 99, method="propose_council")
    bridge.later(TIMELOCK + ENACTMENT_WINDOW - 1)
    bridge.call(bridge.rollup, "enact_council", [99])


def test_whoever_leaves_in_the_exit_window_is_out_before_an_upgrade(bridge: Bridge) -> None:
    """Asked for on the last day of the window, ignored by the operator: overdue before anything can be enacted."""
    terms = (VERSION, SHAPE, number_of(bridge.reader_for(VERSION, SHAPE)), 0)
    propose(bridge, *terms)
    bridge.later(TIMELOCK - FORCED_DEADLINE - 1)
    bridge.request()
    bridge.later(FORCED_DEADLINE + 1)
    refuse(bridge, "a request is overdue", "enact_reader", *terms)
    bridge.call(bridge.rollup, "freeze", [], sender=STRANGER)
    refuse(bridge, "frozen", "enact_reader", *terms)


@pytest.mark.parametrize(("place", "match"), [(2, "rollup: council"), (-1, "rollup: reader")])
def test_a_rollup_is_not_deployed_without_council_or_reader(bridge: Bridge, place: int, match: str) -> None:
    words = bridge.terms_of_rollup()
    words[place] = 0
    with pytest.raises(Reverted, match=f"^{match}$"):
        bridge.place(compiled("Rollup"), words)
