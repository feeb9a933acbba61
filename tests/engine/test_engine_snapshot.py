"""A restored engine goes on exactly where the old one was, and what reaches the ledger from outside."""

from bulkhead.codec import Codec
from bulkhead.engine import command as ask
from bulkhead.engine import event as said
from bulkhead.engine.command import Command
from bulkhead.engine.event import Event
from bulkhead.engine.sequencer import Sequencer
from bulkhead.engine.snapshot import Snapshot
from bulkhead.ledger.state import Mode, Status
from bulkhead.ledger.tx import TopUp
from tests.engine.floor import Floor


def restored(floor: Floor) -> Floor:
    codec = Codec([Snapshot])
    taken = codec.decode(codec.encode(floor.sequencer.dump()))
    floor.sequencer = Sequencer.load(floor.state, floor.authority, taken)
    assert floor.sequencer.dump() == taken
    return floor


def test_orders_keep_their_place_and_switches_their_deadline() -> None:
    floor = Floor()
    floor.play(
        """
        maker  sell 5 @ 1001 id=a       => accepted 5; rests 5
        other  sell 5 @ 1001            => accepted 5; rests 5
        maker  sell 5 @ 1000 days=3     => accepted 5; rests 5
        taker  buy 7 @ 1001             => accepted 7; trades 5 @ 1000 maker taker; trades 2 @ 1001 maker taker
        taker  sell 9 @ 900 when=index<990 reduce_only => accepted 7
        other  dead_man 5000            => armed
        taker  cap 5                    => capped 5
        """
    )
    reserved = floor.sequencer.reserved(floor.ids["maker"])
    restored(floor)
    assert floor.sequencer.reserved(floor.ids["maker"]) == reserved
    assert floor.sequencer.leverage_cap(floor.ids["taker"], 1) == 5
    assert floor.sequencer.last(1) == 1001
    floor.play(
        """
        maker  buy 1 @ 999 id=a         => rejected duplicate
        taker  buy 4 @ 1001             => accepted 4; trades 3 @ 1001 maker taker; trades 1 @ 1001 other taker
        venue  clock 5000               => cancelled 4 dead_man
        maker  buy 9 @ 985              => accepted 9; rests 9
        venue  index 989                => triggered index; trades 7 @ 985 maker taker
        """
    )


def test_time_is_restored_to_the_second() -> None:
    floor = Floor()
    order = floor.signed("maker", 5, 1000)
    floor.play("venue clock 86400000 =>")
    restored(floor)
    (event,) = floor.send(ask.PlaceOrder(floor.time_ms, order))
    assert floor.speak(event) == "rejected expired"


def test_only_transactions_from_outside_are_submitted() -> None:
    floor = Floor()
    (event,) = floor.send(ask.Submit(floor.time_ms, TopUp(floor.time_ms, 128)))
    assert floor.speak(event) == "rejected wrong_kind"
    (event,) = floor.send(ask.RestartNode(floor.time_ms))
    assert isinstance(event, said.Restarted)
    (event,) = floor.send(ask.SetStatus(floor.time_ms, 60, Status.OFF))
    assert floor.speak(event) == "rejected unknown_market"
    assert floor.configure("maker", Mode.ISOLATED, 101)[0].reason.name == "LEVERAGE_OUT_OF_RANGE"


def test_every_command_and_event_has_a_canonical_form() -> None:
    floor = Floor()
    sent: list[Command] = []
    handle = floor.sequencer.handle

    def send(command: Command) -> list[Event]:
        sent.append(command)
        floor.events += handle(command)
        return []

    floor.send = send  # type: ignore[method-assign]
    floor.run("maker sell 5 @ 1000 id=a".split())
    floor.run("taker buy 5 @ 1000 tp=index>1010 sl=index<990".split())
    floor.run("venue clock 1000".split())
    floor.send(ask.SealBatch(floor.time_ms))
    commands, events = Codec(list(Command.__args__)), Codec(list(Event.__args__))
    for command in sent:
        assert commands.decode(commands.encode(command)) == command
    for event in floor.events:
        assert events.decode(events.encode(event)) == event
