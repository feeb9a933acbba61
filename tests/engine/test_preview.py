"""What a preview says is what then happens, in the mode the account has and in every mode it could choose."""

import random
from typing import Any

import pytest

from bulkhead.engine.arrange import MarginMode
from bulkhead.engine.book import BUY, SELL
from bulkhead.engine.command import PlaceOrder
from bulkhead.engine.event import Accepted, Cancelled, Rejected, Rested, Traded
from bulkhead.engine.order import Cause, Direction, Execution, OrderType, PriceSource, Terms, Trigger
from bulkhead.engine.preview import ModePreview, Preview, Sizing, preview, size_for
from bulkhead.engine.stress import Break
from bulkhead.engine.what_if import what_if
from bulkhead.fixed import quote_floor, requirement_quote_ceil
from bulkhead.ledger.accounts import account_for, health_of, liquidation_price, settled
from bulkhead.ledger.state import Kind, MarginRule, Mode
from bulkhead.ledger.tx import Transfer
from bulkhead.reject import Reject
from bulkhead.units import AccountId, BookPrice, MarketId, Quote, TimeS
from tests.keepers.test_worlds import TRADERS, crowd, digest
from tests.keepers.test_worlds import step as random_step
from tests.keepers.world import DOLLAR, UNSIGNED, USD, World, configuration, of_kind

TRADER, MAKER, STRATEGY = 192, 128, 256


def fresh(dollars: int = 1_000, rule: MarginRule = MarginRule.LINEAR) -> World:
    world = World()
    world.open(MAKER, 1_000_000)
    world.open(TRADER, dollars, rule=rule)
    world.tick()
    return world


def shown(found: Preview, mode: MarginMode) -> ModePreview:
    return next(one for one in found.modes if one.mode is mode)


def as_it_happened(world: World, account_id: int, market_id: int) -> tuple[Any, ...]:
    """Position, its liquidation price, and what its container is worth, read from the ledger."""
    state = world.state
    holder = account_for(state, account_id, MarketId(market_id))
    assert holder is not None
    account, _ = settled(state, holder)
    price = liquidation_price(state, account, MarketId(market_id)) if account.positions else None
    return account.size(market_id), price, max(0, quote_floor(health_of(state, account).value))


def foretold(mode: ModePreview) -> tuple[Any, ...]:
    return mode.size, mode.liquidation_price, mode.at_stake


@pytest.mark.parametrize("seed", range(3))
def test_a_preview_is_what_then_happens(seed: int) -> None:
    generator = random.Random(seed)
    world = crowd(generator)
    filled = refused = 0
    modes: set[MarginMode] = set()
    for _ in range(120):
        random_step(world, generator)
        market_id, trader = generator.choice((1, 2, 3)), generator.choice(TRADERS)
        index = world.prices[market_id] >> 32
        sign = generator.choice((1, -1))
        order = world.order(trader, market_id, sign * generator.randrange(100, 9_000), index + sign * index // 50)
        before = digest(world.state), world.venue.sequencer.dump()
        foreseen = preview(world.venue.sequencer, order)
        assert (digest(world.state), world.venue.sequencer.dump()) == before
        balance = world.account(trader).balance
        events = world.do(PlaceOrder(world.now, order))
        said = [event.reason for event in of_kind(events, Rejected)]
        (order_id,) = [event.order_id for event in of_kind(events, Accepted)] or [0]
        said += [
            event.reject
            for event in of_kind(events, Cancelled)
            if event.order_id == order_id and event.reject is not None
        ]
        assert said == ([] if foreseen.reject is None else [foreseen.reject])
        refused += bool(said)
        trades = [event for event in of_kind(events, Traded) if event.taker_order_id == order_id and order_id]
        if said or of_kind(events, Rested, Cancelled) or not trades:
            continue
        filled += 1
        current = next(one for one in foreseen.modes if one.is_current)
        assert sum(event.fees.taker for event in trades) == current.fee
        assert sum(event.fees.l1 for event in trades) == current.l1
        modes.add(current.mode)
        assert as_it_happened(world, trader, market_id) == foretold(current)
        assert world.venue.sequencer.free_initial(trader) == current.free
        if current.mode is MarginMode.ISOLATED:
            assert max(0, balance - world.account(trader).balance - current.fee) == current.margin
    assert filled > 10 and refused > 5
    assert modes == set(MarginMode)


def test_an_order_in_the_place_of_another_is_judged_without_it() -> None:
    """The old order's margin is free for the new one, in every mode, and the preview is what then happens."""
    world = fresh()
    old = world.order(TRADER, 1, 15_000, 990_000)
    world.do(PlaceOrder(world.now, old, Terms("old")))
    trigger = Trigger(PriceSource.MARK, Direction.UP, BookPrice(1_010_000), Execution.LIMIT)
    waits = Terms("waits", OrderType.CONDITIONAL, trigger=trigger)
    world.do(PlaceOrder(world.now, world.order(TRADER, 1, 1_000, 1_011_000), waits))
    new = world.order(TRADER, 1, 18_000, 985_000)
    before = world.venue.sequencer.dump()
    beside, instead = (preview(world.venue.sequencer, new, replaces=name) for name in ("", "old"))
    assert (beside.reject, instead.reject) == (Reject.INSUFFICIENT_MARGIN, None)
    assert [one.reject for one in instead.modes][:3] == [None, None, None]
    of_waiting = preview(world.venue.sequencer, new, replaces="waits")
    assert of_waiting.reject is Reject.INSUFFICIENT_MARGIN, "an order that waits had no margin to give back"
    too_much = preview(world.venue.sequencer, world.order(TRADER, 1, 30_000, 985_000), replaces="old")
    assert too_much.reject is Reject.INSUFFICIENT_MARGIN and too_much.modes
    for name, market_id in (("gone", 1), ("old", 2)):
        nothing = preview(world.venue.sequencer, world.order(TRADER, market_id, 100, 100_000), replaces=name)
        assert (nothing.reject, nothing.modes) == (Reject.UNKNOWN_ORDER, ())
    assert world.venue.sequencer.dump() == before

    current = next(one for one in instead.modes if one.is_current)
    assert not of_kind(world.do(PlaceOrder(world.now, new, Terms("new"), "old")), Rejected)
    world.open(MAKER + 256, 1_000_000)
    world.do(PlaceOrder(world.now, world.order(MAKER + 256, 1, -18_000, 985_000)))
    assert world.account(TRADER).size(MarketId(1)) == 18_000
    assert world.venue.sequencer.free_initial(TRADER) == current.free
    assert as_it_happened(world, TRADER, 1) == foretold(current)


def test_four_modes_side_by_side() -> None:
    world = fresh()
    found = preview(world.venue.sequencer, world.order(TRADER, 1, 5_000, 1_000_000))
    cross, isolated = shown(found, MarginMode.CROSS), shown(found, MarginMode.ISOLATED)
    strategy, scenario = shown(found, MarginMode.STRATEGY), shown(found, MarginMode.SCENARIO)
    assert cross.is_current and [one.is_current for one in found.modes] == [True, False, False, False]
    # Requirements round up, so five percent of 5,000 USD is 250 USD and a millionth.
    assert 0 <= cross.margin - 250 * DOLLAR <= 2 and isolated.margin == cross.margin
    assert cross.fee == 1 * DOLLAR and cross.l1 == 20_000  # a maker's: it would rest
    assert cross.at_stake == 1_000 * DOLLAR - cross.fee
    assert isolated.at_stake == isolated.margin and isolated.free == cross.free
    assert cross.liquidation_price is not None and isolated.liquidation_price is not None
    assert int(cross.liquidation_price) < int(isolated.liquidation_price)
    assert strategy.at_stake < cross.at_stake and strategy.reject is None
    assert scenario.reject is Reject.INSUFFICIENT_MARGIN and scenario.margin > cross.margin
    assert found.reject is None


def test_a_mode_in_which_there_is_nothing_to_reduce_refuses_to_reduce() -> None:
    """A position lies in one mode, from which it can be moved; a strategy that is made for the order holds nothing."""
    world = fresh(10_000)
    world.do(PlaceOrder(world.now, world.order(MAKER, 1, -5_000, 1_000_000)))
    world.do(PlaceOrder(world.now, world.order(TRADER, 1, 5_000, 1_000_000)))
    assert world.account(TRADER).size(MarketId(1)) == 5_000
    order, sequencer = world.order(TRADER, 1, -3_000, 1_000_000), world.venue.sequencer
    expected = dict.fromkeys(MarginMode) | {MarginMode.STRATEGY: Reject.REDUCE_ONLY_WOULD_GROW}
    for terms in (Terms(reduce_only=True), Terms()):
        found = preview(sequencer, order, terms)
        modes = what_if(sequencer, order, [], terms)
        assert not isinstance(modes, Reject)
        wanted = expected if terms.reduce_only else dict.fromkeys(MarginMode)
        assert {one.mode: one.reject for one in found.modes} == wanted == {one.mode: one.reject for one in modes.modes}


@pytest.mark.parametrize("seed", range(6))
def test_another_mode_is_as_it_would_be_if_it_were_chosen(seed: int) -> None:
    generator = random.Random(seed)
    dollars, size, leverage = generator.randrange(500, 3_000), generator.randrange(100, 6_000), generator.choice((0, 4))
    size, other = size * generator.choice((1, -1)), generator.randrange(100, 1_000)

    def world_of(rule: MarginRule = MarginRule.LINEAR) -> World:
        world = fresh(dollars, rule)
        if leverage:
            world.choose(TRADER, 1, Mode.CROSS, leverage)
        world.trade(TRADER, MAKER, 2, other)
        sign = 1 if size > 0 else -1
        world.place(MAKER, 1, -size, 1_000_000 + sign * 1_000)
        return world

    def order(world: World, account_id: int) -> Any:
        return world.order(account_id, 1, size, 1_000_000 + (1_000 if size > 0 else -1_000))

    world = world_of()
    found = preview(world.venue.sequencer, order(world, TRADER))
    for mode in (MarginMode.ISOLATED, MarginMode.STRATEGY, MarginMode.SCENARIO):
        twin = world_of(MarginRule.SCENARIO if mode is MarginMode.SCENARIO else MarginRule.LINEAR)
        foreseen = shown(found, mode)
        account_id = TRADER
        if mode is MarginMode.ISOLATED:
            twin.choose(TRADER, 1, Mode.ISOLATED, leverage)
        if mode is MarginMode.STRATEGY and foreseen.reject is None:
            account_id = STRATEGY
            twin.open(STRATEGY, kind=Kind.STRATEGY, parent=TRADER)
            if leverage:
                twin.choose(STRATEGY, 1, Mode.CROSS, leverage)
            needed = world.account(TRADER).balance - (found_free_balance(world, foreseen))
            expiry = TimeS(twin.now // 1000 + 86_400)
            twin.submit(
                Transfer(twin.now, AccountId(TRADER), AccountId(STRATEGY), USD, int(needed), expiry, 7, UNSIGNED)
            )
        if foreseen.reject is not None and mode is MarginMode.STRATEGY:
            continue
        events = twin.do(PlaceOrder(twin.now, order(twin, account_id)))
        reasons = [event.reason for event in of_kind(events, Rejected)]
        reasons += [event.reject for event in of_kind(events, Cancelled) if event.cause is Cause.REFUSED]
        assert reasons == ([] if foreseen.reject is None else [foreseen.reject])
        if not reasons:
            assert as_it_happened(twin, account_id, 1) == foretold(foreseen)
            assert sum(event.fees.taker for event in of_kind(events, Traded)) == foreseen.fee


def found_free_balance(world: World, foreseen: ModePreview) -> Quote:
    """What the parent keeps when a new strategy is funded: its free margin afterwards and what its positions ask."""
    account = world.account(TRADER)
    health = health_of(world.state, account)
    before = world.venue.sequencer.free_initial(TRADER)
    assert health.is_initial
    return account.balance - (before - foreseen.free)


def test_the_worst_stress_by_hand() -> None:
    world = fresh(10_000)
    found = preview(world.venue.sequencer, world.order(TRADER, 1, 5_000, 1_000_000))
    cross, isolated = shown(found, MarginMode.CROSS), shown(found, MarginMode.ISOLATED)
    worst = cross.worst[0]
    # 25 % of 5,000 USD, and 3,750 USD to close at a fee of 5 and a slippage of 5 basis points; one market, no breaks.
    assert worst.name == "all fall" and [one.kind for one in cross.worst] == [Break.NONE]
    assert abs(worst.move - 1_250 * DOLLAR) <= 10 and abs(worst.exit_costs - 3_750_000) <= 10
    assert worst.loss == cross.fee + worst.move + worst.exit_costs and worst.beyond == 0
    # Isolated, the position can lose its own collateral; the rest of the fall is a gap that others bear.
    alone = isolated.worst[0]
    assert alone.loss == isolated.fee + isolated.at_stake and alone.beyond > 900 * DOLLAR


def test_a_hedge_is_judged_with_its_correlation_broken() -> None:
    world = fresh(10_000)
    world.trade(MAKER, TRADER, 2, 5_000)  # short the second market
    found = preview(world.venue.sequencer, world.order(TRADER, 1, 5_000, 1_000_000))
    cross = shown(found, MarginMode.CROSS)
    by_kind = {one.kind: one for one in cross.worst}
    assert by_kind[Break.ALONE].loss > 1_000 * DOLLAR > by_kind[Break.NONE].loss
    assert cross.markets == (1, 2)


def test_a_position_elsewhere_is_carried_along_and_said_to_be() -> None:
    world = fresh(2_000)
    world.trade(TRADER, MAKER, 1, 1_000)
    found = preview(world.venue.sequencer, world.order(TRADER, 1, 1_000, 1_000_000))
    assert [one.is_moved for one in found.modes] == [False, True, False, False]
    assert shown(found, MarginMode.ISOLATED).size == 2_000
    assert shown(found, MarginMode.STRATEGY).size == 1_000
    world.choose(STRATEGY - 64, 2, Mode.ISOLATED)
    world.trade(TRADER, MAKER, 2, 1_000)
    found = preview(world.venue.sequencer, world.order(TRADER, 2, -1_000, 1_000_000))
    assert [one.is_moved for one in found.modes] == [True, False, False, True]
    assert shown(found, MarginMode.ISOLATED).size == 0


def test_an_order_that_is_refused_anyway_has_no_modes() -> None:
    world = fresh()
    found = preview(world.venue.sequencer, world.order(TRADER, 1, 1_000, 5_000_000))
    assert (found.reject, found.modes) == (Reject.OUTSIDE_PRICE_BAND, ())


@pytest.mark.parametrize("mode", list(MarginMode))
@pytest.mark.parametrize("side", [BUY, SELL])
def test_size_for_is_the_largest_within_the_loss(mode: MarginMode, side: int) -> None:
    world = fresh(5_000)
    sequencer, account_id, market_id = world.venue.sequencer, AccountId(TRADER), MarketId(1)
    for dollars in (1, 50, 400):
        limit = Quote(dollars * DOLLAR)
        found = size_for(sequencer, account_id, market_id, side, mode, loss=limit)
        assert isinstance(found, Sizing) and found.is_monotone and 0 < found.size and found.loss <= limit
        more = size_for(sequencer, account_id, market_id, side, mode, loss=Quote(limit + 1 * DOLLAR))
        assert isinstance(more, Sizing) and more.size > found.size
        assert more.loss > limit


def test_size_for_a_hedge_says_that_less_may_lose_more() -> None:
    world = fresh(5_000)
    world.trade(TRADER, MAKER, 1, 4_000)
    sequencer = world.venue.sequencer
    found = size_for(sequencer, AccountId(TRADER), MarketId(1), SELL, MarginMode.CROSS, loss=Quote(700 * DOLLAR))
    assert isinstance(found, Sizing) and found.size > 4_000 and not found.is_monotone


def test_size_for_no_loss_is_nothing() -> None:
    world = fresh()
    found = size_for(world.venue.sequencer, AccountId(TRADER), MarketId(1), BUY, MarginMode.CROSS, loss=Quote(0))
    assert isinstance(found, Sizing) and found.size == 0


@pytest.mark.parametrize(
    ("account_id", "market_id", "reason"),
    [
        (TRADER, 9, Reject.UNKNOWN_MARKET),
        (704, 1, Reject.UNKNOWN_ACCOUNT),
        (TRADER + 1, 1, Reject.ACCOUNT_ID_NOT_SIGNABLE),
        (TRADER, 1, Reject.PRICE_UNKNOWN),
    ],
)
def test_size_for_names_what_is_wrong(account_id: int, market_id: int, reason: Reject) -> None:
    world = World() if reason is Reject.PRICE_UNKNOWN else fresh()
    if reason is Reject.PRICE_UNKNOWN:
        world.open(TRADER, 1_000)
    else:
        world.choose(TRADER, 1, Mode.ISOLATED)
        world.trade(TRADER, MAKER, 1, 1_000)
    sequencer = world.venue.sequencer
    answer = size_for(sequencer, AccountId(account_id), MarketId(market_id), BUY, MarginMode.CROSS, loss=Quote(1))
    assert answer is reason


@pytest.mark.parametrize("maker_holds", [0, 2_500, 9_000])
def test_a_preview_asks_what_is_asked_at_the_open_interest_that_its_fill_leaves(maker_holds: int) -> None:
    """Initial fractions rise from 10,000 USD of open interest on; a maker who closes adds nothing to it."""
    config = configuration()
    levels = {"open_interest_lower": Quote(10_000 * DOLLAR), "open_interest_upper": Quote(40_000 * DOLLAR)}
    markets = tuple(terms._replace(**levels) for terms in config.markets)
    world = World(config._replace(markets=markets))
    for account_id in (MAKER, TRADER, 320):
        world.open(account_id, 100_000)
    world.tick()
    if maker_holds:
        world.trade(MAKER, 320, 1, maker_holds)
    for price in (1_001_000, 1_002_000):  # two orders of one maker: the first closes, what is left of the second opens
        world.place(MAKER, 1, -8_000, price)
    order = world.order(TRADER, 1, 16_000, 1_003_000)
    (foreseen,) = [one for one in preview(world.venue.sequencer, order).modes if one.is_current]
    before = health_of(world.state, world.account(TRADER)).initial
    world.do(PlaceOrder(world.now, order))
    assert world.state.markets[1].open_interest == 16_000 and int(world.state.markets[1].scale) > 0
    assert as_it_happened(world, TRADER, 1) == foretold(foreseen)
    assert world.venue.sequencer.free_initial(TRADER) == foreseen.free
    asked = health_of(world.state, world.account(TRADER)).initial
    assert foreseen.margin == requirement_quote_ceil(asked - before)
