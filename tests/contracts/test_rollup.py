"""The rollup: what a statement says of L1 is compared with L1, and forced requests end in a batch or a freeze."""

from __future__ import annotations

import pytest

from stark.keccak import keccak256
from stark.prime import PRIME
from tests.contracts.bridge import (
    AHEAD,
    CLOSE,
    COUNCIL,
    DAY,
    DEPOSITORS,
    ESCAPE,
    FEE,
    FORCED_DEADLINE,
    OWNERS,
    SHAPE,
    START_S,
    STRANGER,
    SUBMISSION_WINDOW,
    VERSION,
    WITHDRAWAL,
    Batch,
    Bridge,
    number_of,
)
from tests.contracts.machine import SENDER, Machine, Reverted, compiled, word

RECIPIENT, OTHER = 0xABC, 0xDEF
# S is made of these, which is proven.
NOT_COMPARED = ("accounts", "orders", "markets", "money", "oracle", "counters")


@pytest.fixture
def bridge(machine: Machine) -> Bridge:
    return Bridge(machine=machine)


def full(bridge: Bridge) -> Batch:
    """A batch with something in each list, and room left in each."""
    deposits = [bridge.deposit(64, 100), bridge.deposit(128, 50, DEPOSITORS[1])]
    forced = [bridge.request(), bridge.request(CLOSE, 129, 3, OWNERS[1])]
    bridge.later(60)
    return Batch(deposits, [(RECIPIENT, 30), (OTHER, 40)], forced)


HEAD = [
    ({"state_before": 999}, "rollup: another state"),
    ({"version": VERSION + 1}, "reader: version"),
    ({"shape": SHAPE + 1}, "reader: shape"),
    ({"batches_before": 8}, "rollup: batch number"),
    ({"batches_before": 10}, "rollup: batch number"),
    ({"deposits_before": 4}, "rollup: deposits before"),
    ({"withdrawals_before": 5}, "rollup: withdrawals before"),
    ({"forced_before": 6}, "rollup: forced before"),
    ({"transactions_before": 7}, "rollup: transactions before"),
    ({"fresh_after_ms_before": 1}, "rollup: fresh after, before"),
    ({"time_ms_before": 1}, "rollup: time before"),
    ({"deposits_after": 6}, "rollup: deposits after"),
    ({"deposits_after": PRIME - 1}, "rollup: deposits after"),
    ({"withdrawals_after": 9}, "rollup: withdrawals after"),
    ({"forced_after": 7}, "rollup: forced after"),
    ({"transactions_after": 7}, "rollup: transactions after"),
    ({"transactions_after": 2**20 + 9}, "rollup: transactions after"),
    ({"time_ms_after": 1}, "rollup: time after"),
    ({"time_ms_after": 2**50}, "rollup: time after"),
    ({"now_s": 0}, "rollup: now"),
    ({"fresh_after_ms_after": 2**50}, "rollup: fresh after"),
    ({"fresh_after_ms_after": START_S * 1000 - 6}, "rollup: fresh after"),
]
LISTED = [
    ({"deposit_account_1": 192}, "custody: another account"),
    ({"deposit_amount_1": 51}, "custody: another amount"),
    ({"deposit_amount_1": 50 + 2**64}, "custody: another amount"),
    ({"deposit_depositor_1": 5}, "custody: another depositor"),
    ({"deposit_depositor_1": 2**160}, "reader: address"),
    ({"deposit_used_2": 1, "deposits_after": 8}, "custody: no such deposit"),
    ({"paid_recipient_1": 0}, "custody: recipient"),
    ({"paid_recipient_1": 2**160}, "reader: address"),
    ({"paid_amount_1": 0}, "custody: amount"),
    ({"paid_amount_1": 2**63}, "custody: amount"),
    ({"paid_amount_1": 121}, "custody: more than accounts hold"),
    ({"paid_used_2": 1, "withdrawals_after": 9}, "custody: recipient"),
    ({"forced_kind_1": WITHDRAWAL}, "rollup: another kind of request"),
    ({"forced_account_1": 64}, "rollup: another account"),
    ({"forced_subject_1": 4}, "rollup: another amount or market"),
    ({"forced_sender_1": number_of(OWNERS[0])}, "rollup: another sender"),
    ({"forced_sender_1": 2**160}, "reader: address"),
    ({"forced_included_ms_1": 1}, "rollup: another time of inclusion"),
    ({"forced_used_2": 1, "forced_after": 10}, "rollup: no such request"),
]


@pytest.mark.parametrize(("values", "match"), HEAD + LISTED)
def test_a_statement_that_differs_from_l1_is_refused_by_name(
    bridge: Bridge, values: dict[str, int], match: str
) -> None:
    honest = bridge.values(full(bridge))
    said = [bridge.number(bridge.rollup, name) for name in ("state", "batches", "requested")]
    with pytest.raises(Reverted) as refused:
        bridge.submit(honest | values)
    assert str(refused.value) == match
    assert said == [bridge.number(bridge.rollup, name) for name in ("state", "batches", "requested")]
    bridge.submit(honest)
    assert bridge.number(bridge.rollup, "state") == honest["state_after"]


def test_every_element_is_compared_or_bound_by_the_state(bridge: Bridge) -> None:
    """No name is missing above: an element is spoiled there, or S is made of it, or is S itself."""
    spoiled = {name.rstrip("0123456789") for values, _ in HEAD + LISTED for name in values}
    for name in bridge.values(full(bridge)):
        family = name.rstrip("0123456789")
        assert family in spoiled or family.startswith(NOT_COMPARED) or family == "state_after", name


def test_what_is_just_within_its_bound_settles(bridge: Bridge) -> None:
    """A restart in the last millisecond; as many transactions as a batch may count; then none at all."""
    values = bridge.values(Batch(transactions=2**20))
    values["fresh_after_ms_after"] = values["time_ms_after"]
    bridge.submit(values)
    bridge.head = bridge.after(Batch(transactions=2**20))._replace(fresh_after_ms=values["time_ms_after"])
    bridge.settle(Batch(transactions=0))


def test_a_batch_settles_once_and_in_its_turn(bridge: Bridge) -> None:
    first = bridge.values(full(bridge))
    bridge.head = bridge.after(Batch())
    with pytest.raises(Reverted, match="rollup: another state"):
        bridge.submit(bridge.values(Batch()))  # before the first
    bridge.submit(first)
    with pytest.raises(Reverted, match="rollup: another state"):
        bridge.submit(first)


def test_what_is_not_proven_is_not_read(bridge: Bridge) -> None:
    """A verifier that answers no."""
    no = bridge.machine.deploy(bytes.fromhex("600a600c600039600a6000f3600060005260206000f3"))
    reader = bridge.reader_for(VERSION, SHAPE, no)
    with pytest.raises(Reverted, match="reader: not proven"):
        bridge.submit(bridge.values(Batch()), reader=reader)


def test_only_the_pinned_reader_settles(bridge: Bridge) -> None:
    for version, shape in ((VERSION, SHAPE), (VERSION, SHAPE + 1), (VERSION + 1, SHAPE)):
        stranger = bridge.reader_for(version, shape)
        with pytest.raises(Reverted, match="rollup: not the reader"):
            bridge.submit(bridge.values(Batch()), reader=stranger)
    head = [VERSION, SHAPE, number_of(STRANGER), *range(16)]
    lists = [32 * (len(head) + 3 + place) for place in range(3)]
    for sender in (STRANGER, COUNCIL, ESCAPE, SENDER):
        assert bridge.refusal(bridge.rollup, "settle", *head, *lists, 0, 0, 0, sender=sender) == (
            "rollup: not the reader"
        )


def test_a_batch_is_of_the_days_before_its_block(bridge: Bridge) -> None:
    bridge.later(10 * DAY)
    for time_s, match in (
        (bridge.now_s + AHEAD + 1, "rollup: ahead of its time"),
        (bridge.now_s - SUBMISSION_WINDOW - 1, "rollup: too old"),
    ):
        with pytest.raises(Reverted, match=match):
            bridge.settle(Batch(time_s=time_s))
    bridge.settle(Batch(time_s=bridge.now_s - SUBMISSION_WINDOW))
    bridge.settle(Batch(time_s=bridge.now_s + AHEAD))
    with pytest.raises(Reverted, match="rollup: time after"):
        bridge.settle(Batch(time_s=bridge.now_s + AHEAD - 1))


def test_a_request_names_what_a_circuit_can_say(bridge: Bridge) -> None:
    for method, arguments, match in (
        ("request_withdrawal", (0, 1), "account"), ("request_withdrawal", (65, 1), "account"),
        ("request_withdrawal", (2**32, 1), "account"), ("request_withdrawal", (64, 0), "amount"),
        ("request_withdrawal", (64, 2**63), "amount"), ("request_close", (0, 1), "account"),
        ("request_close", (2**32, 1), "account"), ("request_close", (64, 0), "market"),
        ("request_close", (64, 64), "market"),
    ):  # fmt: skip
        refusal = bridge.refusal(bridge.rollup, method, *arguments, sender=OWNERS[0], value=FEE)
        assert refusal == f"rollup: {match}"
    for value in (0, FEE - 1, FEE + 1):
        refusal = bridge.refusal(bridge.rollup, "request_withdrawal", 64, 1, sender=OWNERS[0], value=value)
        assert refusal == "rollup: fee"
    asked = [bridge.request(WITHDRAWAL, 2**32 - 64, 2**63 - 1), bridge.request(CLOSE, 2**32 - 1, 63, OWNERS[2])]
    for place, request in enumerate(asked):
        answer = bridge.call(bridge.rollup, "request_of", [8 + place])
        assert answer == b"".join(map(word, request))
    bridge.settle(Batch(forced=asked))


def test_requests_are_processed_in_order_each_once(bridge: Bridge) -> None:
    first, second = bridge.request(), bridge.request(subject=6)
    for forced in ([second], [second, first], [first, first], [first, second, second]):
        with pytest.raises(Reverted, match="rollup: another amount|rollup: no such request"):
            bridge.settle(Batch(forced=forced))
    bridge.settle(Batch(forced=[first]))
    with pytest.raises(Reverted, match="rollup: another amount"):
        bridge.settle(Batch(forced=[first]))
    bridge.settle(Batch(forced=[second]))


def test_fees_go_to_whoever_settles(bridge: Bridge) -> None:
    forced = [bridge.request(), bridge.request()]
    bridge.settle(Batch(forced=forced), sender=STRANGER)
    before = bridge.machine.wei(STRANGER)
    assert bridge.refusal(bridge.rollup, "collect", sender=COUNCIL) == "rollup: nothing to collect"
    bridge.call(bridge.rollup, "collect", [], sender=STRANGER)
    assert bridge.machine.wei(STRANGER) == before + 2 * FEE and bridge.machine.wei(bridge.rollup) == 0
    assert bridge.refusal(bridge.rollup, "collect", sender=STRANGER) == "rollup: nothing to collect"


def test_an_overdue_request_lets_anybody_freeze(bridge: Bridge) -> None:
    refuse = bridge.refusal(bridge.rollup, "freeze", sender=STRANGER)
    assert refuse == "rollup: nothing is overdue"
    first = bridge.request()
    bridge.later(DAY)
    second = bridge.request()
    bridge.later(FORCED_DEADLINE - DAY)
    assert bridge.refusal(bridge.rollup, "freeze") == "rollup: nothing is overdue"
    bridge.settle(Batch(forced=[first]))
    bridge.later(DAY)
    assert bridge.number(bridge.rollup, "is_overdue") == 0
    bridge.later(1)
    assert bridge.number(bridge.rollup, "is_overdue") == 1
    bridge.call(bridge.rollup, "freeze", [], sender=STRANGER)
    assert bridge.number(bridge.rollup, "frozen") == 1
    assert bridge.refusal(bridge.rollup, "freeze", sender=STRANGER) == "rollup: frozen"
    with pytest.raises(Reverted, match="rollup: frozen"):
        bridge.settle(Batch(forced=[second]))
    assert bridge.refusal(bridge.rollup, "request_close", 64, 1, sender=OWNERS[0], value=FEE) == "rollup: frozen"


def test_after_a_freeze_fees_go_back_and_claims_go_on(bridge: Bridge) -> None:
    first, second = bridge.request(owner=OWNERS[1]), bridge.request(owner=OWNERS[2])
    bridge.settle(Batch([bridge.deposit()], [(RECIPIENT, 30)], [first]))
    assert bridge.refusal(bridge.rollup, "return_fee", 9) == "rollup: not frozen"
    bridge.later(FORCED_DEADLINE + 1)
    bridge.call(bridge.rollup, "freeze", [])
    bridge.call(bridge.custody, "claim", [RECIPIENT])
    before = bridge.machine.wei(OWNERS[2])
    bridge.call(bridge.rollup, "return_fee", [9], sender=STRANGER)
    assert bridge.machine.wei(OWNERS[2]) == before + FEE and second.sender == number_of(OWNERS[2])
    for number in (0, 8, 9, 10):  # none, processed, returned, none
        assert bridge.refusal(bridge.rollup, "return_fee", number) == "rollup: no such request"
    bridge.call(bridge.rollup, "collect", [])
    assert bridge.machine.wei(bridge.rollup) == 0


def test_who_calls_back_when_paid_is_paid_once(bridge: Bridge) -> None:
    """A sender of requests whose fees come back, and a settler who collects: each asks for more while being paid."""
    greedy = bridge.place(compiled("testing/Greedy"), [])

    def relay(address: str, method: str, *words: int, data: bytes | None = None, value: int = 0) -> None:
        calldata = bridge.calldata(address, method, words, data)
        bridge.call(greedy, "relay", [number_of(address)], calldata, value=value)

    def when_paid(method: str, *words: int) -> None:
        calldata = bridge.selectors[bridge.rollup][method] + b"".join(map(word, words))
        bridge.call(greedy, "call_back", [number_of(bridge.rollup)], calldata)

    forced = [bridge.request(), bridge.request()]
    words, packed = bridge.settling(bridge.values(Batch(forced=forced)))
    relay(bridge.reader, "settle", *words, data=packed)
    for _ in range(2):
        relay(bridge.rollup, "request_withdrawal", 64, 5, value=FEE)
    when_paid("collect")
    relay(bridge.rollup, "collect")
    assert bridge.machine.wei(greedy) == 2 * FEE == bridge.machine.wei(bridge.rollup)
    bridge.later(FORCED_DEADLINE + 1)
    bridge.call(bridge.rollup, "freeze", [])
    when_paid("return_fee", 11)
    bridge.call(bridge.rollup, "return_fee", [10])
    assert bridge.machine.wei(greedy) == 3 * FEE and bridge.machine.wei(bridge.rollup) == FEE
    assert bridge.number(greedy, "was_paid") == 2 and bridge.number(greedy, "got_through") == 0
    bridge.call(bridge.rollup, "return_fee", [11])  # what did not get through then does now


def test_the_escape_owes_what_accounts_held_after_a_freeze_and_no_more(bridge: Bridge) -> None:
    bridge.settle(Batch([bridge.deposit(64, 100)], [(OTHER, 10)]))
    bridge.deposit(64, 7)
    payment = [32, 1, RECIPIENT, 90]
    assert bridge.refusal(bridge.rollup, "release", *payment, sender=ESCAPE) == "rollup: not frozen"
    bridge.request()
    bridge.later(FORCED_DEADLINE + 1)
    bridge.call(bridge.rollup, "freeze", [])
    for sender in (STRANGER, COUNCIL, SENDER):
        assert bridge.refusal(bridge.rollup, "release", *payment, sender=sender) == "rollup: not the escape"
    assert bridge.refusal(bridge.rollup, "release", 32, 1, RECIPIENT, 91, sender=ESCAPE) == (
        "custody: more than accounts hold"
    )
    bridge.call(bridge.rollup, "release", payment, sender=ESCAPE)
    bridge.call(bridge.custody, "claim", [RECIPIENT])
    assert bridge.balance(bridge.custody) == 10 + 7


def test_followers_are_told() -> None:
    bridge = Bridge()
    request = bridge.request(CLOSE, 65, 9, OWNERS[1])
    (heard,) = bridge.evm.result.logs
    signature = b"Requested(uint256,uint256,address,uint256,uint256,uint256)"
    topics = [keccak256(signature), word(8), word(65), word(number_of(OWNERS[1]))]
    assert heard.topics == ["0x" + topic.hex() for topic in topics]
    assert heard.data[1] == b"".join(map(word, (CLOSE, 9, request.included_ms)))
    bridge.settle(Batch(forced=[request]))
    settled = keccak256(b"Settled(uint256,uint256,address,uint256,uint256,uint256,uint256,uint256)")
    listed, heard = bridge.evm.result.logs
    named = keccak256(b"Listed(address,uint256[1])"), word(number_of(bridge.rollup))
    assert listed.topics == ["0x" + each.hex() for each in named]
    assert listed.data[1] == b"".join(map(word, bridge.layout.digests(Batch().changed)))
    assert heard.topics == ["0x" + topic.hex() for topic in (settled, word(10), word(number_of(bridge.reader)))]
    head = bridge.head
    expected = (head.state, head.time_ms, head.deposits, head.withdrawals, head.forced, head.transactions)
    assert heard.data[1] == b"".join(map(word, expected))


def test_a_forced_request_stays_below_90_000_gas(bridge: Bridge) -> None:
    """This machine counts what the deployment touched as warm: four slots and a write, which are added in full."""
    bridge.request()
    assert bridge.gas + 4 * 2100 + 2900 < 90_000
