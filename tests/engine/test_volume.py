"""Thirty days of volume decide the fee tier; a rebate is paid from the taker's fee."""

from bulkhead.engine import event as said
from bulkhead.engine.volume import DAY_MS, Volumes
from bulkhead.fixed import fraction
from bulkhead.rules.fees import FeeTier
from bulkhead.units import Fraction
from tests.engine.floor import Floor, config

SCHEDULE = (
    FeeTier(0, fraction(2, 10_000), fraction(5, 10_000)),
    FeeTier(1_000_000, Fraction(-int(fraction(9, 10_000))), fraction(4, 10_000)),
)


def test_a_day_counts_until_it_is_thirty_days_old() -> None:
    volumes = Volumes(SCHEDULE)
    volumes.roll(100 * DAY_MS)
    volumes.add(1, 600_000)
    volumes.roll(101 * DAY_MS + 5)
    volumes.add(1, 400_000)
    assert volumes.tier(1) == SCHEDULE[1]
    volumes.roll(129 * DAY_MS)
    assert volumes.tier(1) == SCHEDULE[1]
    volumes.roll(130 * DAY_MS)
    assert (volumes.tier(1), volumes.totals[1]) == (SCHEDULE[0], 400_000)
    volumes.roll(131 * DAY_MS)
    assert (volumes.totals, volumes.days, volumes.tier(2)) == ({}, {}, SCHEDULE[0])


def test_fees_follow_the_tier_and_a_rebate_is_never_minted() -> None:
    floor = Floor(venue=config()._replace(fees=SCHEDULE))
    floor.play("maker sell 2000 @ 1000 => accepted 2000; rests 2000")
    floor.play("taker buy 1000 @ 1000 => accepted 1000; trades 1000 @ 1000 maker taker")
    fees = [event.fees for event in floor.events if isinstance(event, said.Traded)][-1]
    assert (fees.maker, fees.taker) == (201, 501)  # rates and fees are rounded up
    floor.play("other buy 1000 @ 1000 => accepted 1000; trades 1000 @ 1000 maker other")
    fees = [event.fees for event in floor.events if isinstance(event, said.Traded)][-1]
    assert (fees.maker, fees.taker) == (-501, 501)  # earned 900, but the taker paid only 501
    assert fees.l1 + fees.venue == 0


def test_profit_is_told_with_the_trade_that_realises_it() -> None:
    floor = Floor()
    floor.play("maker sell 100 @ 1000 => accepted 100; rests 100")
    floor.play("taker buy 100 @ 1000 => accepted 100; trades 100 @ 1000 maker taker")
    floor.play("other buy 40 @ 1010 => accepted 40; rests 40")
    floor.play("taker sell 40 @ 1005 => accepted 40; trades 40 @ 1010 other taker")
    event = [event for event in floor.events if isinstance(event, said.Traded)][-1]
    assert (event.maker_profit, event.taker_profit) == (0, 400)
