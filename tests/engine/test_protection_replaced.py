"""Take-profit and stop-loss that take the place of others in the same step: the position is never without."""

from bulkhead.engine.command import PlaceProtection
from bulkhead.engine.order import Leg, OrderType, Stage
from bulkhead.engine.sequencer import Sequencer
from bulkhead.limits import ORDERS_PER_ACCOUNT_MAX
from bulkhead.reject import Reject
from tests.engine.floor import Floor, assert_ok, trigger_of

PROTECTED = """
    maker  sell 10 @ 1000                => accepted 10; rests 10
    taker  buy 10 @ 1000                 => accepted 10; trades 10 @ 1000 maker taker
    taker  protect 0 id=p tp=index>1010 sl=index<990 => accepted 10000; accepted 10000
"""


def test_protection_takes_the_place_of_protection_and_the_position_is_never_without() -> None:
    Floor().play(
        PROTECTED
        + """
        taker  protect 0 id=q replaces=p tp=index>1020 sl=index<995
               => accepted 10000; accepted 10000; replaced 10000; replaced 10000
        other  buy 20 @ 995                              => accepted 20; rests 20
        venue  index 1011                                =>
        taker  protect 0 id=r replaces=q sl=index<995    => accepted 10000; replaced 10000; replaced 10000
        venue  index 994                                 => triggered index
               ; trades 10 @ 995 other taker
        """
    )


def test_what_is_refused_leaves_the_old_protection_whole() -> None:
    floor = Floor()
    floor.play(
        PROTECTED
        + """
        taker  buy 1 @ 990 id=plain                      => accepted 1; rests 1
        taker  protect 0 replaces=gone sl=index<995      => rejected unknown_order
        other  protect 0 replaces=p sl=index<995         => rejected unknown_order      # another's is none
        taker  protect 0 replaces=plain sl=index<995     => rejected wrong_kind
        taker  sell 5 @ 1005 replaces=p                  => rejected wrong_kind         # half of it would be left
        taker  protect 0 id=p replaces=p sl=index<995    => rejected duplicate
        taker  protect 0 replaces=p                      => rejected trigger_invalid
        taker  protect -1 replaces=p sl=index<995        => rejected out_of_range
        """
    )
    taker = floor.ids["taker"]
    leg = Leg(floor.signed("taker", 10_000, 995), trigger_of("index<995"))  # on the side of the position
    refused = floor.send(PlaceProtection(floor.time_ms, taker, 1, "q", 0, None, leg, "p"))
    assert [event.reason for event in refused] == [Reject.REDUCE_ONLY_WOULD_GROW]
    elsewhere = Leg(floor.signed("taker", -10_000, 995, 2), trigger_of("index<995"))
    refused = floor.send(PlaceProtection(floor.time_ms, taker, 2, "q", 0, None, elsewhere, "p"))
    assert [event.reason for event in refused] == [Reject.UNKNOWN_ORDER]
    standing = [order for order in floor.sequencer.open_orders(taker) if order.terms.kind is OrderType.TPSL]
    assert [order.stage for order in standing] == [Stage.WAITING, Stage.WAITING]
    floor.play(
        """
        other  buy 20 @ 990                              => accepted 20; rests 20
        venue  index 990                                 => triggered index; cancelled 1 self_trade
               ; trades 10 @ 990 other taker; cancelled 0 other_side_filled
        """
    )


def test_the_other_side_of_a_pair_has_its_number_for_a_name() -> None:
    floor = Floor()
    floor.play(PROTECTED)
    profit, stop = floor.sequencer.open_orders(floor.ids["taker"])
    assert (profit.terms.external_id, stop.terms.external_id) == ("p", "")
    floor.play(
        f"""
        other  cancel {stop.order_id}                    => rejected unknown_order
        taker  protect 0 replaces=0{stop.order_id} sl=index<995 => rejected unknown_order
        taker  protect 0 replaces={profit.order_id} sl=index<995 => rejected unknown_order   # it has a name
        taker  protect 0 replaces={'9' * 40} sl=index<995 => rejected unknown_order
        taker  protect 0 replaces={stop.order_id} sl=index<995
               => accepted 10000; replaced 10000; replaced 10000
        taker  cancel {stop.order_id + 1}                => cancelled 10000 requested
        """
    )


def test_a_take_profit_that_rests_leaves_the_book_for_what_takes_its_place() -> None:
    Floor().play(
        """
        maker  sell 10 @ 1000                => accepted 10; rests 10
        taker  buy 10 @ 1000                 => accepted 10; trades 10 @ 1000 maker taker
        taker  protect 0 id=p tp=index>1010,limit sl=index<990 => accepted 10000; accepted 10000
        venue  index 1010                                => triggered index; rests 10
        taker  protect 0 id=q replaces=p tp=index>1020,limit sl=index<995
               => accepted 10000; accepted 10000; replaced 10; replaced 10000
        other  buy 5 @ 1010                              => accepted 5; rests 5
        venue  index 1000                                =>
        """
    )


def test_a_condition_that_holds_already_fires_when_the_old_protection_is_gone() -> None:
    Floor().play(
        PROTECTED
        + """
        other  buy 20 @ 1000                             => accepted 20; rests 20
        taker  protect 0 id=q replaces=p sl=index<1000   => accepted 10000; replaced 10000; replaced 10000
               ; triggered index; trades 10 @ 1000 other taker
        """
    )


def test_an_order_that_still_fills_keeps_protecting_what_it_brings() -> None:
    floor = Floor()
    floor.play(
        """
        taker  buy 10 @ 1000 protects=position sl=index<990 => accepted 10; accepted 10; rests 10
        """
    )
    sleeping = floor.sequencer.open_orders(floor.ids["taker"])[1].order_id
    floor.play(
        f"""
        taker  protect 0 replaces={sleeping} sl=index<995  => rejected unknown_order
        maker  sell 4 @ 1000                               => accepted 4; trades 4 @ 1000 taker maker
        taker  protect 4 replaces={sleeping} sl=index<995  => rejected orders_open
        taker  protect 0 id=q replaces={sleeping} sl=index<995 => accepted 10000; replaced 10
        other  buy 4 @ 1001                                => accepted 4; rests 4
        taker  sell 4 @ 1001 ioc                           => accepted 4; trades 4 @ 1001 other taker
        maker  sell 6 @ 1000                               => accepted 6; trades 6 @ 1000 taker maker
        other  buy 20 @ 995                                => accepted 20; rests 20
        venue  index 995                                   => triggered index; trades 6 @ 995 other taker
        """
    )


def test_protection_of_a_part_is_not_replaced_while_its_order_may_fill() -> None:
    floor = Floor()
    floor.play(
        """
        taker  buy 10 @ 1000 id=a sl=index<990             => accepted 10; accepted 10; rests 10
        maker  sell 4 @ 1000                               => accepted 4; trades 4 @ 1000 taker maker
        """
    )
    stop = floor.sequencer.open_orders(floor.ids["taker"])[1].order_id
    floor.play(
        f"""
        taker  protect 4 replaces={stop} sl=index<995      => rejected orders_open
        taker  cancel a                                    => cancelled 6 requested
        taker  protect 4 replaces={stop} sl=index<995      => accepted 4; replaced 4
        """
    )


def test_a_full_account_may_still_replace_its_protection() -> None:
    floor = Floor()
    floor.play(PROTECTED)
    for place in range(ORDERS_PER_ACCOUNT_MAX - 2):
        assert_ok(floor.place("taker", 1, 960 + place % 30))
    floor.play(
        """
        taker  protect 0 id=more sl=index<995            => rejected too_many_orders
        taker  protect 0 id=q replaces=p tp=index>1020 sl=index<995
               => accepted 10000; accepted 10000; replaced 10000; replaced 10000
        """
    )


def test_a_snapshot_keeps_whose_place_was_taken() -> None:
    """What an order brought belongs to what took its place, also after a restart."""
    floor = Floor()
    floor.play(
        """
        taker  buy 10 @ 1000 protects=position sl=index<990 => accepted 10; accepted 10; rests 10
        maker  sell 4 @ 1000                               => accepted 4; trades 4 @ 1000 taker maker
        """
    )
    stop = floor.sequencer.open_orders(floor.ids["taker"])[1].order_id
    floor.play(f"taker protect 0 id=q replaces={stop} sl=index<995 => accepted 10000; replaced 10")
    taken = floor.sequencer.dump()
    floor.sequencer = Sequencer.load(floor.state, floor.authority, taken)
    assert floor.sequencer.dump() == taken
    floor.play(
        """
        other  buy 4 @ 1001                                => accepted 4; rests 4
        taker  sell 4 @ 1001 ioc                           => accepted 4; trades 4 @ 1001 other taker
        maker  sell 6 @ 1000                               => accepted 6; trades 6 @ 1000 taker maker
        other  buy 20 @ 995                                => accepted 20; rests 20
        venue  index 995                                   => triggered index; trades 6 @ 995 other taker
        """
    )
