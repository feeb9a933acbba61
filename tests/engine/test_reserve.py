"""Open orders in the initial margin: the worst side, isolated markets, and what may leave while orders are open."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkhead.engine import command as ask
from bulkhead.engine.command import PlaceOrder
from bulkhead.engine.event import Rested
from bulkhead.engine.reserve import worst
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.accounts import health_of, with_position
from bulkhead.ledger.state import MarginRule
from bulkhead.ledger.tx import AssetLeg, Move, Transfer, Withdrawal
from bulkhead.rules.terms import Position
from bulkhead.units import AccountId, FundingIndex, MarketId, Quote, Size
from tests.engine.floor import DOLLAR, NO_SIGNATURE, Floor
from tests.keepers.world import World, of_kind

MILLION = 1_000_000  # lots: 1,000 USD of notional at an index of 1000, of which 2 % are required


@given(held=st.integers(-100, 100), fills=st.lists(st.tuples(st.booleans(), st.integers(1, 50)), max_size=8))
def test_the_worst_side_bounds_every_order_in_which_open_orders_can_fill(
    held: int, fills: list[tuple[bool, int]]
) -> None:
    buys = sum(size for is_buy, size in fills if is_buy)
    sells = sum(size for is_buy, size in fills if not is_buy)
    bound, position = worst(held, buys, sells), held
    for is_buy, size in fills:
        position += size if is_buy else -size
        assert abs(position) <= bound


def free(floor: Floor, name: str) -> int:
    return int(floor.sequencer.free_initial(floor.ids[name]))


def test_only_the_worse_side_is_asked_for_and_fees_of_both() -> None:
    floor = Floor()
    start = free(floor, "maker")
    floor.place("maker", MILLION, 990)
    fee = MILLION * 990 // 1000 + 1
    one_side = start - free(floor, "maker") - fee
    assert 20 * DOLLAR <= one_side <= 20 * DOLLAR + 10  # 2 %, rounded up
    floor.place("maker", -MILLION, 1010)
    other_fee = MILLION * 1010 // 1000 + 1
    assert start - free(floor, "maker") == one_side + fee + other_fee
    floor.play("maker cancel_all => cancelled 1000000 requested; cancelled 1000000 requested")
    assert free(floor, "maker") == start
    assert floor.sequencer.desk.reserve.totals == {}


def test_required_is_value_less_what_is_free() -> None:
    floor = Floor()
    floor.place("maker", MILLION, 990)
    required = int(floor.sequencer.reserved(floor.ids["maker"]))
    assert required == (1_000 * DOLLAR - free(floor, "maker") << 2 * FRACTION_BITS) - (-required % (1 << 64))


def test_an_isolated_market_reserves_in_the_parent_at_the_signed_leverage() -> None:
    floor = Floor()
    floor.play("taker isolate 10 => done")
    start = free(floor, "taker")
    floor.place("taker", MILLION, 1000)
    reserved = start - free(floor, "taker") - (MILLION + 1)
    assert 100 * DOLLAR <= reserved <= 100 * DOLLAR + 10
    floor.place("maker", -MILLION, 1000)
    assert floor.held("taker") == MILLION
    assert int(floor.state.accounts[floor.ids["taker"]].balance) <= 900 * DOLLAR  # the margin went to the child
    before = free(floor, "taker")
    floor.play("taker sell 1000000 @ 1010 => accepted 1000000; rests 1000000")  # closing reserves only its fee
    assert before - free(floor, "taker") == MILLION * 1010 // 1000 + 1


def test_a_scenario_account_is_judged_by_its_own_rule() -> None:
    floor = Floor()
    floor.open_account("desk", 100, rule=MarginRule.SCENARIO)
    start = free(floor, "desk")
    floor.place("desk", MILLION // 10, 1000)
    assert free(floor, "desk") < start
    floor.play("desk buy 100000000 @ 1000 => rejected insufficient_margin")


@pytest.mark.parametrize("hedge", [0, -5_000, 5_000])
def test_orders_of_a_scenario_account_are_asked_for_at_the_worst_of_all_their_fills(hedge: int) -> None:
    world = World()
    for account_id in (128, 192):
        world.open(account_id, 10_000_000, rule=MarginRule.SCENARIO if account_id == 192 else MarginRule.LINEAR)
    world.open(256, 10_000_000)
    world.tick()
    for market_id in (1, 2, 3):
        world.trade(128, 256, market_id, 900_000)  # so that a share of open interest counts, but little
    world.trade(192, 128, 1, 5_000)
    if hedge:
        world.trade(192, 128, 2, hedge) if hedge > 0 else world.trade(128, 192, 2, -hedge)
    fees = 0
    for market_id, size in ((1, 4_000), (1, -4_000), (2, 3_000), (2, -9_000), (3, 2_000)):
        order = world.order(192, market_id, size, 990_000 if size > 0 else 1_010_000)
        fees += int(order.fee_amount)
        assert of_kind(world.do(PlaceOrder(world.now, order)), Rested)
    asked = int(world.venue.sequencer.reserved(AccountId(192))) - (fees << 2 * FRACTION_BITS)
    account = world.account(192)
    worst_fills = 0
    for changes in product((0, 4_000, -4_000), (0, 3_000, -9_000), (0, 2_000)):
        after = account
        for market_id, change in enumerate(changes, 1):
            size = Size(int(account.size(market_id)) + change)
            after = with_position(after, Position(MarketId(market_id), size, Quote(0), FundingIndex(0)))
        worst_fills = max(worst_fills, int(health_of(world.state, after).initial))
    assert worst_fills <= asked <= worst_fills * 102 // 100


def test_a_reduce_only_order_reserves_nothing() -> None:
    floor = Floor()
    floor.play("maker sell 1000 @ 1000 => accepted 1000; rests 1000")
    floor.play("taker buy 1000 @ 1000 => accepted 1000; trades 1000 @ 1000 maker taker")
    start = free(floor, "taker")
    floor.play("taker sell 1000 @ 1010 reduce_only => accepted 1000; rests 1000")
    assert free(floor, "taker") == start


def submit(floor: Floor, transaction: object) -> str:
    events = floor.send(ask.Submit(floor.time_ms, transaction))
    return "; ".join(filter(None, map(floor.speak, events)))


def test_what_open_orders_count_on_does_not_leave() -> None:
    floor = Floor()
    maker, taker = floor.ids["maker"], floor.ids["taker"]
    floor.place("maker", 40 * MILLION, 990)  # asks 800 USD and 39.6 of fees
    expiry = floor.time_ms // 1000 + 20 * 86_400
    withdrawal = Withdrawal(0, maker, 1, 200 * DOLLAR, 1, expiry, 1, NO_SIGNATURE)
    assert submit(floor, withdrawal) == "rejected insufficient_margin"
    assert submit(floor, replace(withdrawal, amount=150 * DOLLAR)) == "done"
    transfer = Transfer(0, maker, taker, 1, 20 * DOLLAR, expiry, 2, NO_SIGNATURE)
    assert submit(floor, transfer) == "rejected insufficient_margin"
    assert submit(floor, replace(transfer, source=taker, target=maker)) == "done"
    move = Move(0, maker, (AssetLeg(maker, taker, 1, 100 * DOLLAR),), (), (), expiry, 1, NO_SIGNATURE)
    assert submit(floor, move) in ("rejected wrong_owner", "rejected insufficient_margin")
    floor.play("maker cancel_all => cancelled 40000000 requested")
    assert submit(floor, replace(transfer, salt=3)) == "done"


def test_the_ledgers_reason_comes_before_the_engines() -> None:
    floor = Floor()
    floor.place("maker", MILLION, 990)
    withdrawal = Withdrawal(0, floor.ids["maker"], 1, 2_000 * DOLLAR, 1, 1, 1, NO_SIGNATURE)
    assert submit(floor, withdrawal) == "rejected expired"
