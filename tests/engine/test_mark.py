"""Marks follow the book slowly and never far; samples are taken once a minute."""

from bulkhead.engine import event as said
from bulkhead.engine.mark import BASIS_SPAN_MS, impact_notional
from bulkhead.fixed import FRACTION_BITS
from bulkhead.rules.prices import BASIS_CLAMP
from tests.engine.floor import Floor

INDEX = 1000 << FRACTION_BITS


def test_without_a_book_the_mark_is_the_index() -> None:
    floor = Floor()
    assert floor.sequencer.mark(1) == INDEX
    floor.index(1010)
    assert floor.sequencer.mark(1) == 1010 << FRACTION_BITS


def test_the_mark_moves_with_the_average_basis_and_stays_within_half_a_percent() -> None:
    floor = Floor()
    floor.play("maker buy 10 @ 1003 => accepted 10; rests 10")
    floor.play("maker sell 10 @ 1005 => accepted 10; rests 10")
    floor.play(f"venue clock {BASIS_SPAN_MS} =>")
    half = floor.sequencer.mark(1)
    assert 1002 << FRACTION_BITS >= half > 1001 << FRACTION_BITS  # half way to a basis of 0.4 %
    floor.play("maker cancel_all => cancelled 10 requested; cancelled 10 requested")
    floor.play("maker buy 10 @ 1040 => accepted 10; rests 10")
    floor.play("maker sell 10 @ 1045 => accepted 10; rests 10")
    for _ in range(20):
        floor.play(f"venue clock {BASIS_SPAN_MS} =>")
    mark = floor.sequencer.mark(1)
    assert mark == INDEX + (INDEX * int(BASIS_CLAMP) >> FRACTION_BITS)
    assert [event for event in floor.events if isinstance(event, said.MarkChanged)][-1].mark_price == mark


def test_one_sample_a_minute_and_none_for_minutes_without_a_clock() -> None:
    floor = Floor()
    notional = int(impact_notional(floor.state.terms[1]))
    floor.open_account("deep", 1_000_000)
    floor.place("deep", 2 * notional // 1000, 1002)
    floor.place("deep", -2 * notional // 1000, 1004)
    floor.time_ms += -floor.time_ms % 60_000
    floor.play("venue clock 0 =>")
    before = len(floor.sequencer.samples(1))
    for step in (20_000, 20_000, 20_000, 180_000, 1):
        floor.play(f"venue clock {step} =>")
    samples = floor.sequencer.samples(1)
    assert len(samples) == before + 2
    assert samples[-1] == (2 << FRACTION_BITS) // 1000  # the impact bid is 0.2 % above the index
    assert floor.sequencer.take_samples(1) == samples
    assert floor.sequencer.samples(1) == ()


def test_a_side_too_thin_for_the_impact_notional_is_no_premium() -> None:
    floor = Floor()
    floor.play("maker buy 10 @ 1003 => accepted 10; rests 10")
    floor.play("venue clock 60000 =>")
    assert floor.sequencer.samples(1)[-1] == 0


def test_the_last_price_is_that_of_the_last_trade() -> None:
    floor = Floor()
    assert floor.sequencer.last(1) == 0
    floor.play("maker sell 10 @ 1001 => accepted 10; rests 10")
    floor.play("taker buy 10 @ 1002 => accepted 10; trades 10 @ 1001 maker taker")
    assert floor.sequencer.last(1) == 1001
    assert floor.sequencer.best_bid_ask(1) == (None, None)
