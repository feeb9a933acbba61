"""What a what-if says of a price is what the ledger then finds: the order is really sent, the index really moved."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bulkhead.engine.arrange import MarginMode
from bulkhead.engine.command import PlaceOrder
from bulkhead.engine.event import Cancelled, Rejected
from bulkhead.engine.order import Cause
from bulkhead.engine.preview import preview
from bulkhead.engine.stress import moved_price
from bulkhead.engine.what_if import MOVES_MAX, ModeWhatIf, Point, Prices, WhatIf, what_if
from bulkhead.fixed import ONE, quote_floor, requirement_quote_ceil
from bulkhead.keepers.condition import Condition
from bulkhead.keepers.event import ConditionChanged, ToppedUp
from bulkhead.keepers.witness import Witness
from bulkhead.ledger.accounts import health_of, settled
from bulkhead.ledger.state import Kind, MarginRule, Mode
from bulkhead.ledger.tx import Transfer
from bulkhead.limits import PRICE_LIMIT
from bulkhead.reject import Reject
from bulkhead.rules.terms import Health
from bulkhead.units import AccountId, MarketId, Price, TimeS
from tests.keepers.test_worlds import digest
from tests.keepers.world import DOLLAR, UNSIGNED, USD, World, of_kind

TRADER, MAKER, STRATEGY = 192, 128, 256
PERCENT = int(ONE) // 100


def start(dollars: int, other: int, leverage: int, cap: int, is_scenario: bool | None = None) -> World:
    """A trader with a plain position in market 2, and an isolated one in market 3.

    A scenario account has no isolated positions, so where scenario margin is compared there is none (`is_scenario`
    says whether the account has it).
    """
    world = World()
    for account_id in (MAKER, 640, 704):
        world.open(account_id, 10_000_000)
    world.open(TRADER, dollars, rule=MarginRule.SCENARIO if is_scenario else MarginRule.LINEAR)
    world.tick()
    if is_scenario is None:
        world.choose(TRADER, 3, Mode.ISOLATED, 5, cap)
        world.trade(TRADER, MAKER, 3, 500)
    world.trade(TRADER, MAKER, 2, other) if other > 0 else world.trade(MAKER, TRADER, 2, -other)
    if leverage:
        world.choose(TRADER, 1, Mode.CROSS, leverage)
    return world


def shown(found: WhatIf | Reject, mode: MarginMode) -> ModeWhatIf:
    assert isinstance(found, WhatIf)
    return next(one for one in found.modes if one.mode is mode)


def at(world: World, moves: list[dict[int, int]]) -> list[Prices]:
    """Prices after moves by shares of what they are."""
    markets = world.state.markets
    return [
        {MarketId(market_id): moved_price(markets[market_id].price, share) for market_id, share in move.items()}
        for move in moves
    ]


def choose(world: World, mode: MarginMode, leverage: int, funded: int) -> int:
    """Put the trader into a mode by the same transactions that he would sign; which account signs the order."""
    if mode is MarginMode.ISOLATED:
        world.choose(TRADER, 1, Mode.ISOLATED, leverage)
    if mode is not MarginMode.STRATEGY:
        return TRADER
    world.open(STRATEGY, kind=Kind.STRATEGY, parent=TRADER)
    if leverage:
        world.choose(STRATEGY, 1, Mode.CROSS, leverage)
    expiry = TimeS(world.now // 1000 + 86_400)
    world.submit(Transfer(world.now, AccountId(TRADER), AccountId(STRATEGY), USD, funded, expiry, 7, UNSIGNED))
    return STRATEGY


def found_at(world: World, events: list[Any], account_id: int) -> tuple[Health, bool, bool]:
    """Health of an account when the tick came, before any step against it; whether it was to be liquidated, or closed.

    A step carries the health it began with; an account that nothing was done to still has it. Of both is taken what
    liquidated children had left and returned in the same tick.
    """
    witnesses = of_kind(events, Witness)
    steps = [event for event in witnesses if event.account.account_id == account_id]
    account = world.state.accounts.get(account_id)
    assert steps or account is not None
    health = steps[0].before if steps else health_of(world.state, settled(world.state, account)[0])
    for event in witnesses[: witnesses.index(steps[0])] if steps else witnesses:
        if event.parent_id == account_id and event.account.account_id not in world.state.accounts:
            returned = max(0, quote_floor(event.after.value))
            health = health._replace(value=health.value - (returned << 32))
    worst = max(
        [event.after for event in of_kind(events, ConditionChanged) if event.account_id == account_id],
        default=Condition.HEALTHY,
    )
    is_down = worst >= Condition.BELOW_MAINTENANCE
    return health, is_down, worst >= Condition.BELOW_CLOSE_OUT


def as_found(world: World, events: list[Any], foreseen: ModeWhatIf, real_id: dict[int, int]) -> Point:
    """The point that the ledger's own numbers make, account by account."""
    equity = maintenance = total = left = 0
    down, closed = [], []
    for one in foreseen.accounts:
        health, is_down, is_closed = found_at(world, events, real_id.get(one.account_id, one.account_id))
        value = int(quote_floor(health.value))
        if one.is_container:
            equity, maintenance = value, int(requirement_quote_ceil(health.maintenance))
        total += max(0, value)
        left += 0 if is_down else max(0, value)
        down += [one.account_id] if is_down else []
        closed += [one.account_id] if is_closed else []
    return Point(equity, maintenance, total, left, tuple(down), tuple(closed))  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", list(MarginMode))
@pytest.mark.parametrize("seed", range(8))
def test_a_what_if_is_what_the_ledger_then_finds(mode: MarginMode, seed: int) -> None:
    """Twin venues: one is only asked, in the other the order is sent in the mode and the index moved."""
    draw = random.Random(seed)
    dollars, size, leverage = draw.randrange(900, 2_500), draw.randrange(500, 6_000), draw.choice((0, 0, 4))
    other, cap = draw.choice((-1, 1)) * draw.randrange(100, 1_500), draw.choice((0, 0, 40))
    rules = (False, True) if mode is MarginMode.SCENARIO else (None, None)
    if mode is MarginMode.SCENARIO:  # asks 35 % of what is not hedged, and more of a large share of what is open
        dollars = draw.randrange(36, 50) * (size + abs(other)) // 100
    moves = [
        {market_id: draw.randrange(-45, 20) * PERCENT for market_id in (1, 2, 3)} for _ in range(4)
    ]
    others_open = draw.randrange(1, 1_000_000)  # of others, so that the trader's share of open interest counts or not
    seen: set[bool] = set()
    for move in moves:
        asked, real = (start(dollars, other, leverage, cap, one) for one in rules)
        for world in (asked, real):
            world.trade(640, 704, 1, others_open)
            world.place(MAKER, 1, -size, 1_001_000)
        order = asked.order(TRADER, 1, size, 1_001_000)
        before = digest(asked.state), asked.venue.sequencer.dump()
        foreseen = shown(what_if(asked.venue.sequencer, order, at(asked, moves)), mode)
        assert (digest(asked.state), asked.venue.sequencer.dump()) == before
        if foreseen.reject is not None and mode is MarginMode.STRATEGY:
            assert foreseen.reject is Reject.INSUFFICIENT_MARGIN
            continue
        funded = 0
        if mode is MarginMode.STRATEGY:
            funded = int(foreseen.now.equity) + size * 1_000 + int(preview(asked.venue.sequencer, order).modes[0].fee)
        account_id = choose(real, mode, leverage, funded)
        sent = real.do(PlaceOrder(real.now, real.order(account_id, 1, size, 1_001_000)))
        reasons = [event.reason for event in of_kind(sent, Rejected)]
        reasons += [event.reject for event in of_kind(sent, Cancelled) if event.cause is Cause.REFUSED]
        assert reasons == ([] if foreseen.reject is None else [foreseen.reject])
        if reasons:
            continue
        place = moves.index(move)
        [prices] = at(real, [move])
        real.prices.update({market_id: int(price) for market_id, price in prices.items()})
        events = real.tick()
        assert {market_id: int(real.state.markets[market_id].price) for market_id in prices} == prices
        real_id = {int(foreseen.container_id): STRATEGY} if mode is MarginMode.STRATEGY else {}
        found = as_found(real, events, foreseen, real_id)
        assert found == foreseen.points[place]
        if of_kind(events, ToppedUp):
            assert cap
        seen.add(bool(found.down))
    assert len(seen) > 0 or foreseen.reject is not None


def test_the_moves_tried_above_reach_every_outcome() -> None:
    """Those seeds are worth something: among them are accounts that live, are liquidated in part, and are closed."""
    world = start(1_500, 500, 0, 0)
    order = world.order(TRADER, 1, 5_000, 1_000_000)
    found = what_if(world.venue.sequencer, order, at(world, [{1: -share * PERCENT} for share in (0, 3, 10, 20, 40)]))
    isolated, cross = shown(found, MarginMode.ISOLATED), shown(found, MarginMode.CROSS)
    child = TRADER + 1
    assert isolated.container_id == child and cross.container_id == TRADER
    assert [point.down for point in isolated.points] == [(), (child,), (child,), (child,), (child,)]
    assert [point.closed for point in isolated.points] == [(), (), (child,), (child,), (child,)]
    assert [point.down for point in cross.points] == [(), (), (), (), (TRADER,)]
    # Market 3's child is another compartment: nothing that happens in market 1 touches it.
    assert [one.account_id for one in isolated.accounts] == [TRADER, child, TRADER + 3]
    # Isolated, a fall by 10 % or by 40 % leaves the owner the same; cross it takes all but that other child.
    assert isolated.points[2].owner_left == isolated.points[4].owner_left > cross.points[4].owner_left
    assert 0 <= cross.points[4].owner_left - 100 * DOLLAR <= 1
    assert isolated.now == isolated.points[0]


def test_what_else_goes_down_is_named() -> None:
    world = start(1_500, 500, 0, 0)
    order = world.order(TRADER, 1, 5_000, 1_000_000)
    move = dict.fromkeys((1, 2, 3), -30 * PERCENT)
    found = what_if(world.venue.sequencer, order, at(world, [move]))
    assert shown(found, MarginMode.CROSS).points[0].down == (TRADER, TRADER + 3)
    assert shown(found, MarginMode.ISOLATED).points[0].down == (TRADER + 1, TRADER + 3)
    assert shown(found, MarginMode.CROSS).accounts[0].markets == (1, 2)


def test_every_account_of_the_owner_is_seen_and_nobody_elses() -> None:
    world = start(3_000, 500, 0, 0)
    world.open(STRATEGY, 800, kind=Kind.STRATEGY, parent=TRADER)
    world.trade(MAKER, STRATEGY, 1, 4_000)  # short what the order would buy
    prices = [{MarketId(1): Price(1_250_000 << 32)}]
    for signer, containers in ((TRADER, (TRADER, TRADER + 1)), (STRATEGY, (TRADER, STRATEGY + 1))):
        found = what_if(world.venue.sequencer, world.order(signer, 1, 500, 1_000_000), prices)
        cross, isolated = shown(found, MarginMode.CROSS), shown(found, MarginMode.ISOLATED)
        assert (cross.container_id, isolated.container_id) == containers
        ids = {one.account_id for one in cross.accounts}
        assert {TRADER, TRADER + 3, STRATEGY} <= ids and MAKER not in ids
        # A rise liquidates the short strategy, whoever signs; the long that is looked at gains beside it.
        assert cross.points[0].down == (STRATEGY,) and cross.points[0].equity > cross.now.equity
        fee = int(preview(world.venue.sequencer, world.order(signer, 1, 500, 1_000_000)).modes[0].fee)
        before = {one: int(quote_floor(world.health(one).value)) for one in (TRADER, TRADER + 3, STRATEGY)}
        gains = {TRADER: 125 * DOLLAR - fee, TRADER + 3: 0, STRATEGY: -1_000 * DOLLAR}
        assert before[STRATEGY] + gains[STRATEGY] < 0  # its debt is not its owner's
        assert cross.points[0].owner_equity == sum(max(0, before[one] + gains[one]) for one in before)


def test_leverage_is_as_if_it_were_signed() -> None:
    worlds = [start(2_500, 500, leverage, 0) for leverage in (0, 4)]
    move = at(worlds[0], [{1: -15 * PERCENT}])
    asked, signed = (
        what_if(world.venue.sequencer, world.order(TRADER, 1, 3_000, 1_000_000), move, leverage=leverage)
        for world, leverage in zip(worlds, (4, 0), strict=True)
    )
    plain = what_if(worlds[0].venue.sequencer, worlds[0].order(TRADER, 1, 3_000, 1_000_000), move)
    for mode in MarginMode:
        one, other = shown(asked, mode), shown(signed, mode)
        assert one.points == other.points and (one.reject, one.accounts) == (other.reject, other.accounts)
    assert shown(asked, MarginMode.ISOLATED).points[0].down == () != shown(plain, MarginMode.ISOLATED).points[0].down
    columns = [
        preview(world.venue.sequencer, world.order(TRADER, 1, 3_000, 1_000_000), leverage=leverage).modes
        for world, leverage in zip(worlds, (4, 0), strict=True)
    ]
    assert columns[0] == columns[1]


def test_close_out_comes_after_liquidation_and_is_where_the_ledger_closes_the_whole() -> None:
    world = start(2_500, 500, 0, 0)
    order = world.order(TRADER, 1, 3_000, 1_000_000)
    for mode in preview(world.venue.sequencer, order).modes[:3]:
        if mode.liquidation_price is None or mode.close_out_price is None:
            continue
        assert mode.close_out_price < mode.liquidation_price
        for price, is_closed in ((mode.close_out_price, True), (mode.liquidation_price, False)):
            prices = [{MarketId(1): price}, {MarketId(1): Price(int(price) + 1)}]
            below = what_if(world.venue.sequencer, order, prices)
            inside, outside = shown(below, mode.mode).points
            container = shown(below, mode.mode).container_id
            assert (container in (inside.closed if is_closed else inside.down)) is True
            assert (container in (outside.closed if is_closed else outside.down)) is False


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ([{MarketId(9): Price(1)}], Reject.UNKNOWN_MARKET),
        ([{MarketId(1): Price(1)}] * (MOVES_MAX + 1), Reject.OUT_OF_RANGE),
        ([{MarketId(1): Price(PRICE_LIMIT)}], Reject.OUT_OF_RANGE),
        ([{}, {MarketId(1): Price(0)}], Reject.OUT_OF_RANGE),
    ],
)
def test_prices_that_cannot_be_are_refused(prices: list[Prices], reason: Reject) -> None:
    world = start(1_000, 100, 0, 0)
    order = world.order(TRADER, 1, 100, 1_000_000)
    assert what_if(world.venue.sequencer, order, prices) is reason
    least = what_if(world.venue.sequencer, order, [{MarketId(1): Price(1)}] * MOVES_MAX)
    assert isinstance(least, WhatIf) and len(least.modes[0].points) == MOVES_MAX


def test_an_order_refused_for_anything_but_margin_has_no_modes_and_without_a_price_nothing_moves() -> None:
    world = start(1_000, 100, 0, 0)
    prices = [{MarketId(1): Price(1 << 32)}]
    found = what_if(world.venue.sequencer, world.order(TRADER, 1, 100, 5_000_000), prices)
    assert isinstance(found, WhatIf) and (found.reject, found.modes) == (Reject.OUTSIDE_PRICE_BAND, ())
    young = World()
    young.open(TRADER, 1_000)
    order = young.order(TRADER, 1, 100, 1_000_000)
    assert what_if(young.venue.sequencer, order, prices) is Reject.PRICE_UNKNOWN
