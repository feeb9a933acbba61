"""Order types and rejects, as tables a trader can read."""

import pytest

from tests.engine.floor import Floor


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
    floor.open_account("second", 1_000, l1_owner=floor.ids["taker"])
    floor.play(
        """
        taker   sell 5 @ 1000               => accepted 5; rests 5
        taker   buy 5 @ 1000 stp=disabled   => accepted 5; cancelled 5 self_trade; rests 5
        second  sell 3 @ 1000               => accepted 3; trades 3 @ 1000 taker second
        second  sell 2 @ 1000 stp=client    => accepted 2; cancelled 2 self_trade; rests 2
        taker   buy 2 @ 1000 stp=account    => accepted 2; trades 2 @ 1000 second taker
        """
    )


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
