"""Conditional orders, take-profit and stop-loss, as tables a trader can read."""

from bulkhead.engine.order import Stage
from tests.engine.floor import Floor

LONG = """
    maker  sell 10 @ 1000                => accepted 10; rests 10
    taker  buy 10 @ 1000                 => accepted 10; trades 10 @ 1000 maker taker
"""


def test_a_stop_waits_for_its_price_and_then_takes() -> None:
    Floor().play(
        LONG
        + """
        other  buy 20 @ 985                               => accepted 20; rests 20
        taker  sell 10 @ 950 when=index<990 reduce_only   => accepted 10
        venue  index 991                                  =>
        venue  index 990                                  => triggered index; trades 10 @ 985 other taker
        """
    )


def test_a_condition_that_holds_already_fires_at_once() -> None:
    Floor().play(
        """
        maker  sell 10 @ 1000                   => accepted 10; rests 10
        taker  buy 10 @ 1005 when=index<1001    => accepted 10; triggered index; trades 10 @ 1000 maker taker
        taker  buy 10 @ 1001 when=last>1000,limit => accepted 10; triggered last; rests 10
        taker  buy 10 @ 1001 when=last>1001,limit post_only => accepted 10
        """
    )


def test_triggers_on_the_last_price_can_set_each_other_off() -> None:
    Floor().play(
        """
        maker  sell 5 @ 1000                    => accepted 5; rests 5
        maker  sell 5 @ 1001                    => accepted 5; rests 5
        maker  sell 5 @ 1002                    => accepted 5; rests 5
        taker  buy 5 @ 1010 when=last>1001      => accepted 5
        other  buy 5 @ 1010 when=last>1000      => accepted 5
        other  buy 5 @ 1000 ioc                 => accepted 5
               ; trades 5 @ 1000 maker other; triggered last; trades 5 @ 1001 maker other; triggered last
               ; trades 5 @ 1002 maker taker
        """
    )


def test_the_trigger_reached_first_fires_first_then_the_oldest() -> None:
    Floor().play(
        """
        maker  sell 20 @ 1000                    => accepted 20; rests 20
        taker  buy 1 @ 1005 when=index>1003      => accepted 1
        taker  buy 2 @ 1005 when=index>1002      => accepted 2
        taker  buy 3 @ 1005 when=index>1002      => accepted 3
        venue  index 1004                        => triggered index
               ; trades 2 @ 1000 maker taker; triggered index; trades 3 @ 1000 maker taker; triggered index
               ; trades 1 @ 1000 maker taker
        """
    )


def test_a_fired_order_is_judged_as_a_new_one() -> None:
    floor = Floor()
    floor.open_account("thin", 25)
    floor.play(
        """
        maker  sell 2000000 @ 1000                 => accepted 2000000; rests 2000000
        thin   buy 2000000 @ 1010 when=index>1005  => accepted 2000000
        venue  index 1006                          => triggered index; cancelled 2000000 insufficient_margin
        taker  buy 5 @ 1100 when=index>1010,limit  => accepted 5
        venue  index 1011                          => triggered index; cancelled 5 outside_price_band
        taker  buy 5 @ 1090 when=index<1010,limit reduce_only => rejected reduce_only_would_grow
        """
    )


def test_triggers_sleep_while_the_market_does_not_trade() -> None:
    Floor().play(
        """
        maker  sell 5 @ 1000                     => accepted 5; rests 5
        taker  buy 5 @ 1010 when=index>1005      => accepted 5
        venue  status cancel_only                => cancel_only
        venue  index 1006                        =>
        venue  status active                     => active; triggered index; trades 5 @ 1000 maker taker
        """
    )


def test_protection_grows_with_the_fills_of_its_order_and_one_side_cancels_the_other() -> None:
    floor = Floor()
    floor.play(
        """
        taker  buy 10 @ 1000 tp=index>1010 sl=index<990  => accepted 10; accepted 10; accepted 10; rests 10
        maker  sell 4 @ 1000                             => accepted 4; trades 4 @ 1000 taker maker
        """
    )
    lefts = {order.terms.kind.name: order.left for order in floor.sequencer.open_orders(floor.ids["taker"])}
    assert lefts == {"LIMIT": 6, "TPSL": 4}
    floor.play(
        """
        maker  sell 2 @ 1000                             => accepted 2; trades 2 @ 1000 taker maker
        other  buy 2 @ 995                               => accepted 2; rests 2
        venue  index 989                                 => triggered index
               ; cancelled 4 self_trade; trades 2 @ 995 other taker; cancelled 4 nothing_to_take
        venue  index 1010                                => triggered index; cancelled 4 nothing_to_take
        """
    )


def test_the_stop_goes_when_the_take_profit_has_traded_it_all() -> None:
    Floor().play(
        """
        maker  sell 10 @ 1000                                 => accepted 10; rests 10
        taker  buy 10 @ 1000 tp=index>1010,limit sl=index<990 => accepted 10
               ; accepted 10; accepted 10; trades 10 @ 1000 maker taker
        venue  index 1011                                     => triggered index; rests 10
        other  buy 4 @ 1010                                   => accepted 4; trades 4 @ 1010 taker other
        venue  index 989                                      => triggered index; cancelled 6 nothing_to_take
        other  buy 6 @ 1010                                   => accepted 6; trades 6 @ 1010 taker other
        """
    )


def test_a_partial_take_profit_leaves_the_stop_for_the_rest() -> None:
    floor = Floor()
    floor.play(
        """
        maker  sell 10 @ 1000                                 => accepted 10; rests 10
        taker  buy 10 @ 1000 tp=index>1010,limit sl=index<990 => accepted 10
               ; accepted 10; accepted 10; trades 10 @ 1000 maker taker
        venue  index 1011                                     => triggered index; rests 10
        other  buy 4 @ 1010                                   => accepted 4; trades 4 @ 1010 taker other
        """
    )
    stop = floor.sequencer.open_orders(floor.ids["taker"])[1]
    assert (stop.left, stop.stage) == (6, Stage.WAITING)
    floor.play(
        """
        other  buy 20 @ 985                                   => accepted 20; rests 20
        """
    )
    floor.index(990)
    assert floor.held("taker") == 6  # sold at no less than its signed 990, and nobody pays that
    assert floor.sequencer.open_orders(floor.ids["taker"])[0].left == 6


def test_protection_leaves_with_its_parent_and_sleeps_while_the_parent_lives() -> None:
    Floor().play(
        """
        taker  buy 10 @ 1000 id=a tp=index>1010     => accepted 10; accepted 10; rests 10
        taker  cancel a                             => cancelled 10 requested; cancelled 10 parent_gone
        taker  buy 10 @ 1000 id=b sl=index<990      => accepted 10; accepted 10; rests 10
        maker  sell 4 @ 1000                        => accepted 4; trades 4 @ 1000 taker maker
        other  buy 4 @ 999                          => accepted 4; rests 4
        taker  sell 4 @ 999 ioc                     => accepted 4
               ; cancelled 6 self_trade; trades 4 @ 999 other taker; cancelled 4 nothing_to_reduce
        """
    )
    Floor().play(
        """
        taker  buy 10 @ 995 id=b sl=index<990       => accepted 10; accepted 10; rests 10
        maker  sell 4 @ 995                         => accepted 4; trades 4 @ 995 taker maker
        other  buy 4 @ 1000                         => accepted 4; rests 4
        taker  sell 4 @ 1000 ioc                    => accepted 4; trades 4 @ 1000 other taker
        maker  sell 6 @ 995                         => accepted 6; trades 6 @ 995 taker maker
        other  buy 9 @ 990                          => accepted 9; rests 9
        venue  index 989                            => triggered index; trades 6 @ 990 other taker
        """
    )


def test_protection_of_a_position_closes_whatever_it_is() -> None:
    Floor().play(
        LONG
        + """
        taker  protect 0 id=p tp=index>1010 sl=index<990 => accepted 10000; accepted 10000
        maker  sell 5 @ 1000                             => accepted 5; rests 5
        taker  buy 5 @ 1000                              => accepted 5; trades 5 @ 1000 maker taker
        other  buy 20 @ 1012                             => accepted 20; rests 20
        venue  index 1011                                => triggered index
               ; trades 15 @ 1012 other taker; cancelled 0 other_side_filled
        taker  protect 0 tp=index>1030                   => rejected reduce_only_would_grow
        """
    )


def test_protection_placed_as_a_pair_is_cancelled_as_a_pair() -> None:
    Floor().play(
        LONG
        + """
        taker  protect 5 id=p tp=index>1010 sl=index<990 => accepted 5; accepted 5
        taker  protect 5 id=p tp=index>1010              => rejected duplicate
        taker  protect -1 tp=index>1010                  => rejected out_of_range
        taker  protect 5                                 => rejected trigger_invalid
        taker  dead_man 1000                             => armed
        venue  clock 1000                                =>
        taker  cancel p                                  => cancelled 5 requested; cancelled 5 requested
        """
    )


def test_protection_of_a_position_attached_to_an_order() -> None:
    floor = Floor()
    floor.play(LONG)
    floor.play(
        """
        maker  sell 5 @ 1001                             => accepted 5; rests 5
        taker  buy 5 @ 1001 protects=position sl=index<990 => accepted 5
               ; accepted 5; trades 5 @ 1001 maker taker
        """
    )
    stop = floor.sequencer.open_orders(floor.ids["taker"])[0]
    assert stop.is_whole_position


def test_protection_follows_the_position_into_the_isolated_child() -> None:
    floor = Floor()
    floor.play(
        """
        taker  isolate 10                            => done
        maker  sell 10 @ 1000                        => accepted 10; rests 10
        taker  buy 10 @ 1000 sl=index<995            => accepted 10; accepted 10; trades 10 @ 1000 maker taker
        """
    )
    child = floor.state.accounts[floor.ids["taker"] + 1]
    assert child.size(1) == 10
    floor.play(
        """
        taker  sell 50 @ 1010 reduce_only            => accepted 10; rests 10
        other  buy 20 @ 995                          => accepted 20; rests 20
        venue  index 994                             => triggered index
               ; trades 10 @ 995 other taker; cancelled 10 nothing_to_reduce
        """
    )
    assert floor.ids["taker"] + 1 not in floor.state.accounts
