"""Order types and rejects, as tables a trader can read."""

import sys
from types import FrameType

import pytest

from bulkhead.engine import command as ask
from bulkhead.engine.order import Direction, Execution, Leg, PriceSource, Terms, TimeInForce, Trigger
from bulkhead.ledger.orders import key_of, list_max
from bulkhead.ledger.tx import Move, PositionLeg
from bulkhead.limits import ORDERS_PER_ACCOUNT_MAX
from bulkhead.reject import Reject
from tests.engine.floor import NO_SIGNATURE, Floor, config


def test_limit_orders_trade_at_the_makers_price_oldest_first() -> None:
    Floor().play(
        """
        maker  sell 10 @ 1001           => accepted 10; rests 10
        other  sell 10 @ 1001           => accepted 10; rests 10
        other  sell 10 @ 1000           => accepted 10; rests 10
        taker  buy  25 @ 1002           => accepted 25
               ; trades 10 @ 1000 other taker; trades 10 @ 1001 maker taker; trades 5 @ 1001 other taker
        taker  buy  10 @ 1001           => accepted 10; trades 5 @ 1001 other taker; rests 5
        maker  sell 5 @ 1001            => accepted 5; trades 5 @ 1001 taker maker
        """
    )


def test_market_ioc_and_fill_or_kill_never_rest() -> None:
    Floor().play(
        """
        taker  buy 10 @ 1050 market     => rejected no_liquidity
        taker  buy 10 @ 1000 ioc        => accepted 10; cancelled 10 nothing_to_take
        maker  sell 4 @ 1000            => accepted 4; rests 4
        taker  buy 10 @ 1000 fok        => rejected fill_or_kill_unfilled
        taker  buy 10 @ 1000 ioc        => accepted 10; trades 4 @ 1000 maker taker; cancelled 6 nothing_to_take
        maker  sell 4 @ 1000            => accepted 4; rests 4
        taker  buy 4 @ 1000 fok         => accepted 4; trades 4 @ 1000 maker taker
        maker  sell 4 @ 1040            => accepted 4; rests 4
        taker  buy 6 @ 1200 market      => accepted 6; trades 4 @ 1040 maker taker; cancelled 2 nothing_to_take
        """
    )


def test_a_market_order_is_held_within_the_price_band() -> None:
    floor = Floor()
    floor.play("maker sell 4 @ 1050 => accepted 4; rests 4")
    floor.index(950)
    floor.play("taker buy 4 @ 2000 market => rejected no_liquidity")
    floor.play("taker buy 4 @ 1060 => rejected outside_price_band")


def test_fill_or_kill_looks_past_orders_that_would_not_trade() -> None:
    Floor().play(
        """
        taker  sell 5 @ 999             => accepted 5; rests 5
        maker  sell 5 @ 1000            => accepted 5; rests 5
        taker  buy 10 @ 1000 fok        => rejected fill_or_kill_unfilled   # his own five do not count
        taker  buy 5 @ 1000 fok         => accepted 5; cancelled 5 self_trade; trades 5 @ 1000 maker taker
        """
    )


def test_fill_or_kill_rehearses_margin() -> None:
    floor = Floor()
    floor.play("maker sell 1000000 @ 1000 => accepted 1000000; rests 1000000")
    floor.open_account("thin", 19)  # 1,000 USD of notional needs 20 at 2 %
    floor.play("thin buy 1000000 @ 1000 fok => rejected fill_or_kill_unfilled")
    floor.play("thin buy 1000000 @ 1000 ioc => rejected insufficient_margin")


def test_post_only_never_takes() -> None:
    Floor().play(
        """
        maker  sell 5 @ 1000 post_only  => accepted 5; rests 5
        taker  buy 5 @ 1000 post_only   => rejected post_only_would_trade
        taker  buy 5 @ 999 post_only    => accepted 5; rests 5
        taker  buy 5 @ 999 post_only ioc => rejected post_only_would_trade
        """
    )


def test_reduce_only_is_cut_to_the_position_and_follows_it() -> None:
    Floor().play(
        """
        maker  sell 10 @ 1000             => accepted 10; rests 10
        taker  sell 5 @ 1001 reduce_only  => rejected reduce_only_would_grow
        taker  buy 10 @ 1000              => accepted 10; trades 10 @ 1000 maker taker
        taker  buy 5 @ 999 reduce_only    => rejected reduce_only_would_grow
        taker  sell 50 @ 1010 reduce_only => accepted 10; rests 10
        taker  sell 8 @ 1011 reduce_only  => accepted 8; rests 8
        maker  buy 4 @ 1000               => accepted 4; rests 4
        taker  sell 4 @ 1000              => accepted 4; trades 4 @ 1000 maker taker; reduced to 6; reduced to 6
        maker  buy 3 @ 1010               => accepted 3; trades 3 @ 1010 taker maker; reduced to 3
        maker  buy 9 @ 1011               => accepted 9
               ; trades 3 @ 1010 taker maker; cancelled 3 nothing_to_reduce; rests 6
        """
    )


def test_replace_is_atomic() -> None:
    Floor().play(
        """
        taker  buy 5 @ 990 id=a               => accepted 5; rests 5
        taker  buy 5 @ 991 id=b replaces=a    => replaced 5; accepted 5; rests 5
        taker  buy 5 @ 991 replaces=a         => rejected unknown_order
        taker  buy 5 @ 900 replaces=b         => rejected outside_price_band
        taker  buy 5 @ 991 id=b               => rejected duplicate          # b is still there
        other  buy 5 @ 991 replaces=b         => rejected unknown_order      # another's order is no order
        maker  sell 5 @ 991                   => accepted 5; trades 5 @ 991 taker maker
        taker  buy 5 @ 991 replaces=b         => rejected unknown_order
        taker  sell 5 @ 1000 id=c             => accepted 5; rests 5
        taker  buy 5 @ 1000 post_only replaces=c id=d => replaced 5; accepted 5; rests 5
        """
    )


def test_what_waits_is_nobody_that_a_post_only_order_in_its_place_would_meet() -> None:
    Floor().play(
        """
        maker  sell 5 @ 1000                         => accepted 5; rests 5
        taker  sell 9 @ 990 when=index>1005,limit id=a => accepted 9
        taker  buy 5 @ 1000 post_only replaces=a     => rejected post_only_would_trade
        taker  buy 5 @ 1000 replaces=a               => replaced 9; accepted 5; trades 5 @ 1000 maker taker
        """
    )


def test_replace_frees_the_margin_of_the_old_order() -> None:
    floor = Floor()
    floor.open_account("thin", 25)
    floor.play(
        """
        thin buy 1000000 @ 1000 id=a               => accepted 1000000; rests 1000000
        thin buy 1000000 @ 999                     => rejected insufficient_margin
        thin buy 1000000 @ 999 id=b replaces=a     => replaced 1000000; accepted 1000000; rests 1000000
        thin buy 2000000 @ 999 replaces=b          => rejected insufficient_margin
        thin sell 1000000 @ 1010                   => accepted 1000000
               ; rests 1000000   # the other side is no new risk
        thin sell 1000000 @ 1010                   => rejected insufficient_margin
        thin cancel b                              => cancelled 1000000 requested
        """
    )


def test_self_trade_cancels_the_resting_order() -> None:
    floor = Floor("maker taker")
    floor.open_account("second", 1_000, owner_key=floor.ids["taker"])
    floor.play(
        """
        taker   sell 5 @ 1000               => accepted 5; rests 5
        taker   buy 5 @ 1000 stp=disabled   => accepted 5; cancelled 5 self_trade; rests 5
        second  sell 3 @ 1000               => accepted 3; trades 3 @ 1000 taker second
        second  sell 2 @ 1000 stp=client    => accepted 2; cancelled 2 self_trade; rests 2
        taker   buy 2 @ 1000 stp=account    => accepted 2; trades 2 @ 1000 second taker
        """
    )


def test_nobody_clears_the_orders_of_a_stranger_by_naming_his_owner() -> None:
    floor = Floor("maker taker")
    floor.open_account("attacker", 1_000, l1_owner=floor.ids["maker"])
    floor.play(
        """
        maker     sell 5 @ 1000                    => accepted 5; rests 5
        taker     sell 5 @ 1001                    => accepted 5; rests 5
        attacker  buy 1 @ 1000 stp=client          => accepted 1; cancelled 1 self_trade
        attacker  buy 6 @ 1001 stp=client fok      => rejected fill_or_kill_unfilled
        attacker  buy 1 @ 1000 stp=account         => accepted 1; trades 1 @ 1000 maker attacker
        taker     buy 4 @ 1000 stp=client          => accepted 4; trades 4 @ 1000 maker taker
        """
    )


def test_a_full_table_of_filled_orders_stops_the_taker_and_leaves_the_book() -> None:
    floor = Floor("maker taker other", venue=config()._replace(filled_orders_max=2))
    floor.play(
        """
        maker  sell 5 @ 1000 id=old    => accepted 5; rests 5
        taker  buy 1 @ 1000            => accepted 1; trades 1 @ 1000 maker taker
        maker  sell 5 @ 1001           => accepted 5; rests 5
        other  buy 9 @ 1001            => accepted 9; cancelled 9 order_table_full
        maker  cancel old              => cancelled 4 requested
        taker  buy 9 @ 1001            => accepted 9; cancelled 9 order_table_full
        """
    )
    assert len(floor.sequencer.book(1)) == 1


def fill_list_of(floor: Floor, key: int) -> None:
    """As many other live entries in a key's list of filled orders as it takes."""
    for other in range(1, list_max(floor.state.config.filled_orders_max) + 1):
        floor.state.filled.put(key ^ other, 1, 1 << 39)


def test_a_maker_whose_list_of_filled_orders_is_full_makes_way() -> None:
    """Nobody can fill it before others of its list expire: kept, it would stand before everybody else's orders."""
    floor = Floor("maker taker other")
    floor.play(
        """
        maker  sell 5 @ 1000           => accepted 5; rests 5
        other  sell 5 @ 1001           => accepted 5; rests 5
        """
    )
    [first, _] = floor.sequencer.desk.orders.values()
    fill_list_of(floor, key_of(first.order_hash))
    floor.play(
        """
        taker  buy 5 @ 1001            => accepted 5; cancelled 5 order_list_full
               ; trades 5 @ 1001 other taker
        """
    )


def test_a_taker_whose_list_of_filled_orders_is_full_is_stopped_and_leaves_the_book() -> None:
    """The same order on another floor says what its key will be."""
    keys = []
    for _ in range(2):
        floor = Floor("maker taker other")
        floor.play("maker sell 5 @ 1000 => accepted 5; rests 5")
        if not keys:
            floor.play("taker buy 5 @ 1000 => accepted 5; trades 5 @ 1000 maker taker")
            keys = [key for key, _, _ in floor.state.filled]
    [maker] = floor.sequencer.desk.orders.values()
    [key] = {*keys} - {key_of(maker.order_hash)}
    fill_list_of(floor, key)
    floor.play("taker buy 5 @ 1000 => accepted 5; cancelled 5 order_list_full")
    floor.play("other buy 5 @ 1000 => accepted 5; trades 5 @ 1000 maker other")


def test_market_statuses() -> None:
    Floor().play(
        """
        maker  sell 10 @ 1000 id=s         => accepted 10; rests 10
        taker  buy 5 @ 1000                => accepted 5; trades 5 @ 1000 maker taker
        taker  buy 5 @ 990                 => accepted 5; rests 5
        taker  sell 9 @ 1005               => accepted 9; rests 9
        venue  status post_only            => post_only
        taker  buy 5 @ 991                 => rejected market_post_only
        taker  buy 5 @ 991 post_only       => accepted 5; rests 5
        venue  status cancel_only          => cancel_only
        taker  buy 5 @ 991                 => rejected market_cancel_only
        venue  status reduce_only          => reduce_only
               ; cancelled 5 nothing_to_reduce; cancelled 5 nothing_to_reduce; reduced to 5
               ; cancelled 5 nothing_to_reduce
        taker  buy 5 @ 991                 => rejected market_reduce_only
        maker  buy 5 @ 1005                => accepted 5; trades 5 @ 1005 taker maker
        venue  status active               => active
        maker  sell 10 @ 1000 id=t         => accepted 10; rests 10
        venue  status off                  => off; cancelled 10 market_closed
        maker  sell 10 @ 1000              => rejected market_off
        maker  cancel t                    => rejected unknown_order
        """
    )


def test_orders_expire_fourteen_days_before_their_signature() -> None:
    Floor().play(
        """
        maker  sell 5 @ 1000 days=1      => accepted 5; rests 5
        maker  sell 5 @ 1000 days=2      => accepted 5; rests 5
        venue  clock 86399000            =>
        venue  clock 1000                => expired 5
        taker  buy 10 @ 1000             => accepted 10; trades 5 @ 1000 maker taker; rests 5
        taker  buy 1 @ 1000 days=0       => rejected expired
        taker  buy 1 @ 1000 days=91      => rejected expiry_too_far
        """
    )


def test_the_dead_mans_switch_fires_unless_renewed() -> None:
    Floor().play(
        """
        maker  sell 5 @ 1000             => accepted 5; rests 5
        maker  dead_man 5000             => armed
        venue  clock 4000                =>
        maker  dead_man 5000             => armed
        venue  clock 4000                =>
        venue  clock 1000                => cancelled 5 dead_man
        maker  sell 5 @ 1000             => accepted 5; rests 5
        maker  dead_man 5000             => armed
        maker  dead_man 0                => disarmed
        venue  clock 9000                =>
        maker  dead_man -1               => rejected out_of_range
        """
    )


def test_cancelling() -> None:
    Floor().play(
        """
        maker  sell 5 @ 1000 id=a        => accepted 5; rests 5
        maker  sell 6 @ 1001 id=b        => accepted 6; rests 6
        taker  cancel a                  => rejected unknown_order
        maker  cancel a                  => cancelled 5 requested
        maker  cancel a                  => rejected unknown_order
        maker  cancel_all                => cancelled 6 requested
        maker  cancel_all                =>
        """
    )


@pytest.mark.parametrize("leverage", [1, 5, 50])
def test_a_leverage_cap_only_lowers(leverage: int) -> None:
    floor = Floor()
    floor.open_account("thin", 25)
    floor.play(f"thin cap {leverage} => capped {leverage}")
    size = 23_000 * leverage
    floor.play(f"thin buy {size} @ 1000 id=a => accepted {size}; rests {size}")
    floor.play("thin cancel_all => " + f"cancelled {size} requested")
    more = 25_100 * leverage
    floor.play(f"thin buy {more} @ 1000 => rejected insufficient_margin")


def test_a_leverage_cap_is_refused_where_it_would_not_lower() -> None:
    Floor().play(
        """
        maker  cap 51                    => rejected leverage_out_of_range
        maker  cap 101                   => rejected leverage_out_of_range
        maker  cap 0                     => capped 0
        maker  isolate 10                => done
        maker  cap 5                     => rejected mode_not_available
        maker  buy 5 @ 990               => accepted 5; rests 5
        maker  isolate 5                 => rejected orders_open
        """
    )


def test_names_are_bounded_whatever_carries_them() -> None:
    floor = Floor("maker taker")
    floor.place("maker", -5, 1000)
    floor.place("taker", 5, 1000)
    leg = Leg(floor.signed("taker", -5, 1040), Trigger(PriceSource.MARK, Direction.UP, 1040, Execution.MARKET))
    account_id = floor.ids["taker"]
    for length, expected in ((129, [Reject.OUT_OF_RANGE]), (128, [])):
        events = floor.send(ask.PlaceProtection(floor.time_ms, account_id, 1, "x" * length, 0, leg, None))
        assert [event.reason for event in events if hasattr(event, "reason")] == expected
    for count, answers in ((ORDERS_PER_ACCOUNT_MAX, ORDERS_PER_ACCOUNT_MAX), (ORDERS_PER_ACCOUNT_MAX + 1, 1)):
        for named in ({"order_ids": tuple(range(100, 100 + count))}, {"external_ids": ("y",) * count}):
            assert len(floor.send(ask.MassCancel(floor.time_ms, account_id, **named))) == answers


def steps_of_a_refused_fill_or_kill(makers: int) -> int:
    """Function calls that a fill-or-kill order costs which meets so many makers, and is one lot too large to bear."""
    floor = Floor(" ".join(f"maker{place}" for place in range(makers)), dollars=1)
    floor.open_account("taker", makers * 22 / 1e6)  # two percent of a thousand for each lot is not quite enough
    for place in range(makers):
        floor.place(f"maker{place}", -1, 1001)
    count = 0

    def called(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(called)
    events = floor.place("taker", makers, 1001, Terms(time_in_force=TimeInForce.FOK))
    sys.setprofile(None)
    assert [event.reason for event in events] == [Reject.FILL_OR_KILL_UNFILLED]
    return count


def test_a_refused_fill_or_kill_order_costs_its_fills_and_not_their_square() -> None:
    few, many = steps_of_a_refused_fill_or_kill(30), steps_of_a_refused_fill_or_kill(120)
    assert 3 * few < many < 5 * few


def test_a_move_makes_only_its_own_reduce_only_orders_follow() -> None:
    floor = Floor("maker taker other")
    floor.open_account("second", 1_000, owner_key=floor.ids["taker"])
    floor.play(
        """
        maker  sell 20 @ 1000                   => accepted 20; rests 20
        taker  buy 10 @ 1000                    => accepted 10; trades 10 @ 1000 maker taker
        other  buy 10 @ 1000                    => accepted 10; trades 10 @ 1000 maker other
        taker  sell 10 @ 1010 reduce_only       => accepted 10; rests 10
        taker  protect 0 sl=mark<900            => accepted 10000
        other  sell 10 @ 1010 reduce_only       => accepted 10; rests 10
        """
    )
    for nonce, size, said in ((1, 4, "reduced to 6"), (2, 6, "cancelled 6 nothing_to_reduce; cancelled 10000")):
        leg = PositionLeg(floor.ids["taker"], floor.ids["second"], 1, size)
        expiration_s = floor.time_ms // 1000 + 60
        move = Move(0, floor.ids["taker"], (), (leg,), (), expiration_s, nonce, NO_SIGNATURE)
        events = floor.send(ask.Submit(floor.time_ms, move))
        assert "; ".join(floor.speak(event) for event in events).startswith(f"done; {said}")
        floor.check()
    assert len(floor.sequencer.open_orders(floor.ids["other"])) == 1
