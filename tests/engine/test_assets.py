"""Markets that settle in different assets, and other collateral: through orders, previews and keepers."""

from __future__ import annotations

import pytest

from bulkhead.engine.arrange import MarginMode
from bulkhead.engine.book import BUY
from bulkhead.engine.command import PlaceOrder
from bulkhead.engine.event import Rejected, Traded
from bulkhead.engine.preview import ModePreview, Preview, preview, size_for
from bulkhead.fixed import ONE, percent
from bulkhead.keepers.event import MarginCalled
from bulkhead.keepers.statement import Statements
from bulkhead.keepers.witness import Witness
from bulkhead.ledger.accounts import health_of
from bulkhead.ledger.config import AssetTerms
from bulkhead.ledger.state import Kind, MarginRule
from bulkhead.ledger.tx import Deposit, Register
from bulkhead.reject import Reject
from bulkhead.units import AccountId, AssetId, Felt, Fraction, MarketId, Quote
from tests.keepers.world import DOLLAR, UNSIGNED, World, configuration, of_kind

MAKER, TRADER = 128, 192
EURO_MAKER, EURO_TRADER = 320, 384
EUR, GOLD = AssetId(2), AssetId(3)


def several() -> World:
    """Market 1 settles in euro, the others in dollars; gold counts 80 % of its dollar."""
    config = configuration()
    euro = AssetTerms(EUR, "EUR", Felt(2), DOLLAR, True, Fraction(0), 1 << 62, ONE, 60_000)
    gold = AssetTerms(GOLD, "GOLD", Felt(3), DOLLAR, False, percent(20), 1 << 62, ONE, 60_000)
    first, *others = config.markets
    markets = (first._replace(asset_id=EUR), *others)
    world = World(config._replace(assets=(*config.assets, euro, gold), markets=markets))
    world.prices[64 + GOLD] = 1 << 32
    for account_id in (MAKER, TRADER):
        world.open(account_id, 1_000 if account_id == TRADER else 1_000_000)
    for account_id in (EURO_MAKER, EURO_TRADER):
        key = Felt(1_000 + account_id)
        numbered = (AccountId(account_id), Kind.MAIN, MarginRule.LINEAR, key, 0, AccountId(0), EUR)
        world.submit(Register(world.now, *numbered, UNSIGNED))
        number = world.state.counters.deposits + 1
        amount = 1_000 if account_id == EURO_TRADER else 1_000_000
        world.submit(Deposit(world.now, number, AccountId(account_id), EUR, amount * DOLLAR))
    world.tick()
    return world


def cross(found: Preview) -> ModePreview:
    return next(one for one in found.modes if one.mode is MarginMode.CROSS)


def test_an_account_trades_only_what_settles_in_its_asset() -> None:
    world = several()
    for account_id, market_id in ((TRADER, 1), (EURO_TRADER, 2)):
        order = world.order(account_id, market_id, 100, DOLLAR)
        assert preview(world.venue.sequencer, order).reject is Reject.WRONG_ASSET
        (refused,) = of_kind(world.do(PlaceOrder(world.now, order)), Rejected)
        assert refused.reason is Reject.WRONG_ASSET
        asked = size_for(
            world.venue.sequencer, AccountId(account_id), MarketId(market_id), BUY, MarginMode.CROSS, loss=Quote(DOLLAR)
        )
        assert asked is Reject.WRONG_ASSET


def test_a_euro_market_is_previewed_traded_funded_and_liquidated_in_euro() -> None:
    world = several()
    dollars = world.state.funds[1]
    statements, start = Statements(world.state), len(world.events)
    world.place(EURO_MAKER, 1, -15_000, DOLLAR)
    order = world.order(EURO_TRADER, 1, 15_000, DOLLAR)
    foreseen = cross(preview(world.venue.sequencer, order))
    assert of_kind(world.do(PlaceOrder(world.now, order)), Traded)
    assert world.venue.sequencer.free_initial(EURO_TRADER) == foreseen.free
    assert foreseen.at_stake == 1_000 * DOLLAR - foreseen.fee
    assert [event.level for event in of_kind(world.tick({1: 968_000}), MarginCalled)] == [80]
    world.place(EURO_MAKER, 1, 30_000, 954_000)
    assert of_kind(world.tick({1: 955_000}), Witness)
    assert world.state.funds[1] == dollars and int(world.state.funds[EUR].insurance) > 0
    statements.heard(world.events[start:])
    (trader,) = [one for one in statements.close(world.state) if one.account_id == EURO_TRADER]
    assert trader.liquidation > Quote(0) and trader.profit < 0  # type: ignore[operator]


@pytest.mark.parametrize("ounces", [0, 2_000])
def test_other_collateral_is_at_stake_under_cross_and_not_in_a_pod(ounces: int) -> None:
    world = several()
    if ounces:
        world.deposit(TRADER, ounces, asset_id=GOLD)
        world.tick()
    world.place(MAKER, 2, -10_000, DOLLAR)
    order = world.order(TRADER, 2, 10_000, DOLLAR)
    found = preview(world.venue.sequencer, order)
    pod = next(one for one in found.modes if one.mode is MarginMode.ISOLATED)
    counted = ounces * DOLLAR * 8 // 10
    assert cross(found).collateral == (((GOLD, ounces * DOLLAR),) if ounces else ())
    assert 0 <= 1_000 * DOLLAR + counted - cross(found).fee - cross(found).at_stake <= 1
    assert pod.collateral == () and pod.at_stake == pod.margin
    price = cross(found).liquidation_price
    assert price is not None
    assert of_kind(world.do(PlaceOrder(world.now, order)), Traded)
    for at, is_maintained in ((int(price) + 1, True), (int(price), False)):
        world.state.risks[2] = world.state.risks[2]._replace(price=at)
        assert health_of(world.state, world.account(TRADER)).is_maintained is is_maintained
