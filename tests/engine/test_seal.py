"""A seal ends a batch: a command like any other, so that batches are the same wherever a journal is replayed."""

import pytest

from bulkhead.engine import command as ask
from bulkhead.engine import event as said
from bulkhead.ledger.batch import Sealer, close
from bulkhead.ledger.tx import Deposit, Trade
from bulkhead.limits import EXPIRY_GRACE_S
from bulkhead.reject import Reject
from tests.engine.floor import Floor


def test_a_seal_counts_batches_and_leaves_books_and_accounts_alone() -> None:
    floor = Floor()
    floor.play("maker sell 5 @ 1000 => accepted 5; rests 5")
    before, accounts = floor.sequencer.dump(), dict(floor.state.accounts)
    assert floor.state.changed
    for number in (1, 2):
        (event,) = floor.send(ask.SealBatch(floor.time_ms))
        assert isinstance(event, said.BatchSealed) and event.batch == number == floor.state.counters.batches
        assert floor.state.changed == {}
    assert floor.sequencer.dump()._replace(number=before.number) == before
    assert floor.state.accounts == accounts
    floor.play("taker buy 5 @ 1000 => accepted 5; trades 5 @ 1000 maker taker")
    assert set(floor.state.changed) == {floor.ids["maker"], floor.ids["taker"]}


def test_a_seal_from_the_past_ends_no_batch() -> None:
    floor = Floor()
    (event,) = floor.send(ask.SealBatch(floor.time_ms - 1))
    assert isinstance(event, said.Rejected) and event.reason is Reject.CLOCK_WENT_BACK
    assert floor.state.counters.batches == 0


@pytest.mark.parametrize("is_known", [False, True])
def test_a_seal_forgets_orders_that_expired_by_the_ledgers_time(*, is_known: bool) -> None:
    """The ledger's clock moves with its transactions, and what no transaction was late enough for is kept."""
    floor = Floor()
    floor.play("maker sell 5 @ 1000 => accepted 5; rests 5")
    floor.play("taker buy 5 @ 1000 => accepted 5; trades 5 @ 1000 maker taker")
    longest_s = max(expiry_s for _, _, expiry_s in floor.state.filled) - floor.time_ms // 1000
    floor.time_ms += (longest_s + EXPIRY_GRACE_S) * 1000
    if is_known:
        deposit = Deposit(floor.time_ms, floor.state.counters.deposits + 1, floor.ids["maker"], 1, 1)
        floor.send(ask.Submit(floor.time_ms, deposit))
    floor.send(ask.SealBatch(floor.time_ms))
    assert len(floor.state.filled) == (0 if is_known else 2)


def test_accepted_transactions_are_kept_for_whoever_asks() -> None:
    floor = Floor()
    assert floor.state.applied is None
    floor.state.applied = []
    floor.play("maker sell 5 @ 1000 => accepted 5; rests 5")
    floor.play("taker buy 5 @ 1000 => accepted 5; trades 5 @ 1000 maker taker")
    refused = Deposit(floor.time_ms, 10**6, floor.ids["maker"], 1, 1)
    floor.send(ask.Submit(floor.time_ms, refused))
    assert [type(each) for each in floor.state.applied] == [Trade]


def test_there_is_one_way_to_end_a_batch() -> None:
    """A seal in the engine and the sealer of the ledger leave the same state."""
    one, other = Floor(), Floor()
    sealer = Sealer(other.state)
    for floor in (one, other):
        floor.state.changed.clear()
        floor.play("maker sell 5 @ 1000 => accepted 5; rests 5")
        floor.play("taker buy 5 @ 1000 => accepted 5; trades 5 @ 1000 maker taker")
    assert set(one.state.changed) == set(other.state.changed) != set()
    one.send(ask.SealBatch(one.time_ms))
    sealer.seal([])
    assert (one.state.counters, tuple(one.state.filled), one.state.changed) == (
        other.state.counters,
        tuple(other.state.filled),
        other.state.changed,
    )
    assert close(one.state) == ()
