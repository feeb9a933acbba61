"""What must hold whatever is asked: each property named after its rule, on crowds rich and poor."""

from collections.abc import Iterator

import pytest

from bulkhead.engine import command as ask
from bulkhead.engine import event as said
from bulkhead.engine.order import TimeInForce
from bulkhead.ledger.invariants import violations
from bulkhead.reject import Reject
from tests.engine.crowd import Crowd

COMMANDS = 4_000
Step = tuple[ask.Command, list[said.Event]]


class Watched:
    """A crowd's commands and events, with the attributes each order was accepted with."""

    def __init__(self, seed: int, dollars: float) -> None:
        self.crowd = Crowd(seed, dollars)
        self.sequencer = self.crowd.floor.sequencer
        self.steps: list[Step] = []
        self.reducing: dict[int, bool] = {}
        for count in range(COMMANDS):
            command = self.crowd.command()
            before = self.sequencer.dump() if count % 7 == 0 else None
            events = self.sequencer.handle(command)
            self.steps.append((command, events))
            assert self.sequencer.faults() == []
            assert count % 50 or violations(self.sequencer.state) == []
            if before is not None and len(events) == 1 and isinstance(events[0], said.Rejected):
                after = self.sequencer.dump()
                assert after._replace(number=0, time_ms=0, seen=()) == before._replace(number=0, time_ms=0, seen=())
            for event in events:
                if isinstance(event, said.Accepted):
                    order = self.sequencer.order(event.order_id)
                    self.reducing[event.order_id] = order is not None and order.reduce_only

    def events(self) -> Iterator[said.Event]:
        for _, events in self.steps:
            yield from events


@pytest.fixture(scope="module", params=[(1, 1_000_000), (2, 0.02), (3, 0.006)], ids=["rich", "modest", "poor"])
def watched(request: pytest.FixtureRequest) -> Watched:
    return Watched(*request.param)


def test_the_crowd_met_what_it_was_sent_to_meet(watched: Watched) -> None:
    assert sum(isinstance(event, said.Traded) for event in watched.events()) > 20
    reasons = {event.reason for event in watched.events() if isinstance(event, said.Rejected)}
    refused = {event.reject for event in watched.events() if isinstance(event, said.Cancelled)}
    is_rich = watched.sequencer.state.accounts[128].balance > 10**9
    assert is_rich or Reject.INSUFFICIENT_MARGIN in reasons and refused & {Reject.INSUFFICIENT_MARGIN}


def test_an_order_that_left_never_comes_back(watched: Watched) -> None:
    gone: set[int] = set()
    for event in watched.events():
        match event:
            case said.Cancelled() | said.Expired():
                assert event.order_id not in gone
                gone.add(event.order_id)
            case said.Replaced():
                assert event.old_order_id not in gone
                gone.add(event.old_order_id)
            case said.Traded():
                assert not gone & {event.maker_order_id, event.taker_order_id}
            case said.Rested() | said.Triggered() | said.Reduced() | said.Accepted():
                assert event.order_id not in gone


def test_fill_or_kill_trades_all_or_nothing(watched: Watched) -> None:
    seen = 0
    for command, events in watched.steps:
        if not isinstance(command, ask.PlaceOrder) or command.terms.time_in_force is not TimeInForce.FOK:
            continue
        if command.terms.trigger is not None:
            continue
        accepted = [event for event in events if isinstance(event, said.Accepted)]
        if accepted:
            order_id = accepted[0].order_id
            fills = [event for event in events if isinstance(event, said.Traded) and event.taker_order_id == order_id]
            assert sum(int(event.size) for event in fills) == accepted[0].size
            seen += 1
    assert seen > 1


def test_post_only_never_takes(watched: Watched) -> None:
    makers: set[int] = set()
    for command, events in watched.steps:
        if isinstance(command, ask.PlaceOrder) and command.terms.post_only:
            makers |= {event.order_id for event in events[:2] if isinstance(event, said.Accepted)}
    assert makers
    assert not any(isinstance(event, said.Traded) and event.taker_order_id in makers for event in watched.events())


def test_reduce_only_never_grows_a_position(watched: Watched) -> None:
    held: dict[tuple[int, int], int] = {}
    seen = 0
    for event in watched.events():
        if not isinstance(event, said.Traded):
            continue
        sides = (
            (event.maker_order_id, event.maker_account_id, event.taker_side),
            (event.taker_order_id, event.taker_account_id, 1 - event.taker_side),
        )
        for order_id, account_id, side in sides:
            place = (account_id, event.market_id)
            before = held.get(place, 0)
            held[place] = after = before + (int(event.size) if side else -int(event.size))
            if watched.reducing[order_id]:
                assert abs(after) < abs(before) and after * before >= 0
                seen += 1
    assert seen > 5


def test_a_trade_is_at_the_makers_price_and_never_worse_than_the_takers(watched: Watched) -> None:
    prices: dict[int, tuple[int, int]] = {}
    for event in watched.events():
        if isinstance(event, said.Accepted):
            prices[event.order_id] = (event.side, int(event.price))
        elif isinstance(event, said.Traded):
            assert prices[event.maker_order_id][1] == event.price
            side, limit = prices[event.taker_order_id]
            assert event.price <= limit if side == 0 else event.price >= limit
            assert event.maker_account_id != event.taker_account_id


def test_every_event_has_the_next_number(watched: Watched) -> None:
    numbers = [event.number for event in watched.events()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_the_same_commands_give_the_same_events() -> None:
    first, second = Crowd(5, 0.02), Crowd(5, 0.02)
    for _ in range(1_000):
        command = first.command()
        assert command == second.command()
        assert first.floor.sequencer.handle(command) == second.floor.sequencer.handle(command)
    assert first.floor.sequencer.dump() == second.floor.sequencer.dump()
