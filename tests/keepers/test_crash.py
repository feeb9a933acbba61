"""Scripted crashes: each way an account can be liquidated, told by its prices."""

from bulkhead.engine.event import Cancelled, Traded
from bulkhead.engine.order import Cause
from bulkhead.fixed import ONE, percent
from bulkhead.keepers.condition import Condition
from bulkhead.keepers.event import CollateralSold, ConditionChanged, LiquidationWaits, MarginCalled, ToppedUp
from bulkhead.keepers.story import story
from bulkhead.keepers.witness import Step, Witness
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, AssetTerms
from bulkhead.ledger.state import Kind, MarginRule, Mode
from bulkhead.reject import Reject
from bulkhead.rules.liquidation import reaches_target
from bulkhead.units import AssetId, Felt
from tests.keepers.world import DOLLAR, World, configuration, of_kind

MAKER, LONG, SHORT, PARENT, STRATEGY = 128, 192, 256, 320, 384


def crowd(**changes: object) -> World:
    """A rich maker, a rich short, a long with 1,000 USD, a backstop and an insurance fund."""
    world = World(configuration(**changes))
    world.backstop(50_000)
    world.insure(100_000)
    for account_id, dollars in ((MAKER, 100_000), (LONG, 1_000), (SHORT, 1_000_000)):
        world.open(account_id, dollars)
    world.tick()
    return world


def balance(world: World, account_id: int) -> int:
    return int(world.account(account_id).balance)


def test_a_partial_step_closes_the_fewest_lots_that_restore_the_target() -> None:
    world = crowd()
    world.trade(LONG, SHORT, 1, 15_000)
    world.place(MAKER, 1, 30_000, 954_000)
    events = world.tick({1: 955_000})
    (witness,) = of_kind(events, Witness)
    (part,) = witness.parts
    assert (witness.step, part.size, part.price) == (Step.BOOK, part.most, 954_000)
    health, target = world.health(LONG), world.config.liquidation_target
    assert reaches_target(health.value, int(health.maintenance), target)
    # One lot fewer would have missed it: value falls by what the lot cost beyond the index, plus its charges.
    assert not reaches_target(health.value, int(health.maintenance) * 10_001 // 10_000, target)
    assert [type(event) for event in of_kind(events, Traded, Witness)] == [Traded, Witness]
    conditions = [event.after for event in of_kind(events, ConditionChanged)]
    assert conditions == [Condition.BELOW_MAINTENANCE, Condition.BELOW_INITIAL]
    assert "had to hold at least" in story(witness) and "penalty" in story(witness)


def test_the_next_partial_step_waits_ten_seconds() -> None:
    world = crowd()
    world.trade(LONG, SHORT, 1, 15_000)
    world.place(MAKER, 1, 1_000, 954_000)  # too little to restore the account
    assert of_kind(world.tick({1: 955_000}), Witness)
    world.place(MAKER, 1, 1_000, 954_000)
    events = world.tick(after_ms=9_000)
    assert not of_kind(events, Witness)
    assert [event.reason for event in of_kind(events, LiquidationWaits)] == [Reject.COOLING_DOWN]
    assert of_kind(world.tick(after_ms=1_000), Witness)


def test_below_close_out_there_is_no_pause() -> None:
    world = crowd()
    world.trade(LONG, SHORT, 1, 15_000)
    world.place(MAKER, 1, 1_000, 954_000)
    assert of_kind(world.tick({1: 955_000}), Witness)
    events = world.tick({1: 940_000}, after_ms=1_000)
    assert of_kind(events, Witness) and not world.account(LONG).positions


def test_without_liquidity_a_partial_step_is_said_once_and_tried_again() -> None:
    world = crowd()
    world.trade(LONG, SHORT, 1, 15_000)
    world.place(MAKER, 1, 30_000, 900_000)  # beyond the zero price
    events = world.tick({1: 955_000})
    assert [event.reason for event in of_kind(events, LiquidationWaits)] == [Reject.NO_LIQUIDITY]
    assert not of_kind(world.tick(), LiquidationWaits, Witness)
    world.place(MAKER, 1, 30_000, 954_000)
    assert of_kind(world.tick(), Witness)


def test_the_whole_account_goes_through_the_book_below_close_out() -> None:
    world = crowd()
    world.trade(LONG, SHORT, 1, 10_000)
    world.trade(LONG, SHORT, 2, 5_000)
    world.place(MAKER, 1, 20_000, 945_000)
    world.place(MAKER, 2, 20_000, 945_000)
    events = world.tick({1: 950_000, 2: 950_000})
    assert [event.after for event in of_kind(events, ConditionChanged)][:1] == [Condition.BELOW_CLOSE_OUT]
    assert not world.account(LONG).positions
    steps = of_kind(events, Witness)
    assert [witness.step for witness in steps] == [Step.BOOK, Step.BOOK]
    assert balance(world, LONG) >= 0
    assert world.condition(LONG) is Condition.HEALTHY


def test_what_the_book_does_not_take_goes_to_the_backstop_at_the_zero_price() -> None:
    world = crowd()
    world.trade(LONG, SHORT, 1, 15_000)
    world.place(MAKER, 1, 4_000, 945_000)
    events = world.tick({1: 945_000})
    witnesses = of_kind(events, Witness)
    assert [witness.step for witness in witnesses] == [Step.BOOK, Step.BACKSTOP]
    assert int(world.account(BACKSTOP_ACCOUNT).size(1)) == 11_000
    assert witnesses[1].parts[0].price == witnesses[1].parts[0].zero
    assert 0 <= balance(world, LONG) < 20_000  # nothing but the rounding in its favour
    assert "backstop took the position" in story(witnesses[1])


def test_beyond_the_backstop_the_other_side_gives_up_lots_at_once() -> None:
    bare = World()
    for account_id, dollars in ((LONG, 1_000), (SHORT, 1_000_000), (448, 10_000)):
        bare.open(account_id, dollars)
    bare.tick()
    bare.trade(LONG, SHORT, 1, 10_000)
    bare.trade(LONG, 448, 1, 5_000)
    assert bare.venue.deleveraging_ranks(bare.config.markets[0].market_id) == {}
    events = bare.tick({1: 945_000})
    (witness,) = of_kind(events, Witness)
    assert witness.step is Step.DELEVERAGING
    assert {part.taker_id: part.size for part in witness.parts} == {SHORT: 10_000, 448: 5_000}
    assert not bare.state.markets[1].open_interest
    assert "gave up lots" in story(witness)


def test_the_fund_covers_a_debt_before_anyone_gives_up_lots() -> None:
    world = crowd()
    world.trade(LONG, SHORT, 1, 15_000)
    before = int(world.state.funds[1].insurance)
    (witness,) = of_kind(world.tick({1: 920_000}), Witness)  # 1,000 USD of money, 1,200 USD lost
    assert witness.before.is_bankrupt and witness.step is Step.BACKSTOP
    assert int(witness.covered) == before - int(world.state.funds[1].insurance) > 200 * DOLLAR
    assert int(witness.fund_left) == int(world.state.funds[1].insurance)
    assert balance(world, LONG) >= 0


def test_without_a_fund_the_other_side_is_closed_at_the_zero_price() -> None:
    world = World()
    for account_id, dollars in ((LONG, 1_000), (SHORT, 1_000_000)):
        world.open(account_id, dollars)
    world.tick()
    world.trade(LONG, SHORT, 1, 15_000)
    (witness,) = of_kind(world.tick({1: 900_000}), Witness)
    assert (witness.step, witness.covered) == (Step.DELEVERAGING, 0)
    assert witness.parts[0].price > 900_000  # better than the index: the winner bears the debt
    assert 0 <= balance(world, LONG) < 20_000


def test_margin_calls_are_made_once_per_crossing() -> None:
    world = crowd()
    world.trade(LONG, SHORT, 1, 15_000)
    levels = []
    for price in (979_000, 978_000, 977_900, 979_000, 978_000, 970_000, 972_000, 970_000, 984_000, 978_000):
        levels.append([event.level for event in of_kind(world.tick({1: price}), MarginCalled)])
    assert levels == [[], [66], [], [], [], [80], [], [], [], [66]]


def test_a_top_up_saves_an_isolated_position() -> None:
    world = crowd()
    world.open(PARENT, 2_000)
    world.choose(PARENT, 1, Mode.ISOLATED, 10, cap=500)
    world.trade(PARENT, SHORT, 1, 10_000)
    child = PARENT + 1
    events = world.tick({1: 925_000})
    (topped,) = of_kind(events, ToppedUp)
    assert topped.account_id == child and 0 < int(topped.amount) <= 500 * DOLLAR
    assert not of_kind(events, Witness)
    health = world.health(child)
    assert reaches_target(health.value, int(health.maintenance), world.config.top_up_target)


def test_an_isolated_child_dies_and_its_parent_keeps_the_rest() -> None:
    world = crowd()
    world.open(PARENT, 2_000)
    world.choose(PARENT, 1, Mode.ISOLATED, 10)
    world.trade(PARENT, SHORT, 1, 10_000)
    world.trade(PARENT, SHORT, 2, 5_000)
    world.place(PARENT, 2, 100, 900_000)
    world.place(PARENT, 1, 100, 890_000)
    before = world.account(PARENT)
    world.place(MAKER, 1, 30_000, 905_000)
    events = world.tick({1: 905_000})
    cancelled = of_kind(events, Cancelled)
    assert [(event.account_id, event.market_id, event.cause) for event in cancelled] == [(PARENT, 1, Cause.LIQUIDATED)]
    assert PARENT + 1 not in world.state.accounts
    after = world.account(PARENT)
    assert after.positions == before.positions
    assert after.balance >= before.balance  # swept: what was left of the child came back
    assert len(world.venue.sequencer.open_orders(PARENT)) == 1


def test_a_strategy_dies_alone() -> None:
    world = crowd()
    world.open(PARENT, 5_000)
    world.open(STRATEGY, 600, kind=Kind.STRATEGY, parent=PARENT)
    world.trade(PARENT, SHORT, 2, 10_000)
    world.trade(STRATEGY, SHORT, 1, 10_000)
    before = world.account(PARENT)
    world.tick({1: 945_000})
    assert not world.account(STRATEGY).positions
    assert world.account(PARENT) == before


def test_a_scenario_account_shrinks_by_equal_slices() -> None:
    world = crowd()
    world.open(PARENT, 4_000, rule=MarginRule.SCENARIO)
    world.trade(PARENT, SHORT, 1, 6_400)
    world.trade(SHORT, PARENT, 3, 1_600)
    world.place(MAKER, 3, -30_000, 1_001_000)
    events: list[object] = []
    price = 1_000_000
    while not of_kind(events, Witness):  # type: ignore[arg-type]
        price -= 10_000
        world.place(MAKER, 1, 30_000, price - 1_000)
        events = list(world.tick({1: price}))
    (witness,) = of_kind(events, Witness)  # type: ignore[arg-type]
    assert witness.grid is not None and 0 < witness.slices < 64
    left = world.account(PARENT)
    assert abs(int(left.size(1))) == 6_400 - -(-6_400 * witness.slices >> 6)
    assert abs(int(left.size(3))) == 1_600 - -(-1_600 * witness.slices >> 6)
    health = world.health(PARENT)
    assert reaches_target(health.value, int(health.maintenance), world.config.liquidation_target)
    assert "of 64" in story(witness)


def test_a_scenario_account_below_close_out_is_closed_whole() -> None:
    world = crowd()
    world.open(PARENT, 4_000, rule=MarginRule.SCENARIO)
    world.trade(PARENT, SHORT, 1, 6_400)
    world.trade(PARENT, SHORT, 3, 200)
    world.tick({1: 600_000})
    world.place(MAKER, 1, 1_000, 382_000)
    world.place(MAKER, 3, 100, 980_000)
    events = world.tick({1: 440_000})
    steps = [witness.step for witness in of_kind(events, Witness)]
    assert steps[0] is Step.BOOK and set(steps[1:]) == {Step.BACKSTOP}
    assert not world.account(PARENT).positions
    assert balance(world, PARENT) >= 0


def test_a_scenario_account_waits_when_one_leg_has_no_book() -> None:
    world = crowd()
    world.open(PARENT, 4_000, rule=MarginRule.SCENARIO)
    world.trade(PARENT, SHORT, 1, 5_000)
    world.trade(PARENT, SHORT, 2, 1_000)
    world.place(MAKER, 1, 30_000, 600_000)
    events: list[object] = []
    price = 1_000_000
    while world.condition(PARENT) < Condition.BELOW_MAINTENANCE:
        price -= 10_000
        events = list(world.tick({1: price}))
    waits = of_kind(events, LiquidationWaits)  # type: ignore[arg-type]
    assert [(event.reason, event.market_id) for event in waits] == [(Reject.NO_LIQUIDITY, 0)]


def test_nothing_is_liquidated_on_prices_from_before_a_restart() -> None:
    world = crowd()
    world.trade(LONG, SHORT, 1, 15_000)
    world.place(MAKER, 1, 30_000, 954_000)
    world.now = world.now + 5_000  # type: ignore[assignment]
    world.restart()
    assert not of_kind(world.clock(0), Witness)
    events = world.tick({1: 955_000}, after_ms=0)  # the same instant: not after the restart
    assert [event.reason for event in of_kind(events, LiquidationWaits)] == [Reject.PRICE_STALE]
    assert of_kind(world.tick(), Witness)


def test_an_account_with_a_stale_price_waits() -> None:
    world = crowd()
    world.trade(LONG, SHORT, 1, 10_000)
    world.trade(LONG, SHORT, 2, 5_000)
    world.place(MAKER, 1, 30_000, 950_000)
    world.prices[2] = 0  # refused: the market keeps its old price and grows stale
    events = world.tick({1: 910_000}, after_ms=61_000)
    assert [event.reason for event in of_kind(events, LiquidationWaits)] == [Reject.PRICE_STALE]
    world.prices[2] = DOLLAR << 32
    assert of_kind(world.tick(), Witness)


def test_other_collateral_is_sold_last() -> None:
    gold = AssetTerms(AssetId(2), "GOLD", Felt(2), DOLLAR, False, percent(20), 1 << 62, ONE, 60_000)
    base = configuration()
    world = World(base._replace(assets=(*base.assets, gold)))
    world.prices[66] = 1 << 32  # a dollar each
    world.backstop(50_000)
    for account_id, dollars in ((MAKER, 100_000), (LONG, 100), (SHORT, 1_000_000)):
        world.open(account_id, dollars)
    world.deposit(LONG, 1_000, asset_id=2)
    world.tick()
    world.trade(LONG, SHORT, 1, 10_000)
    events = world.tick({1: 925_000})
    kinds = [type(event) for event in of_kind(events, Witness, CollateralSold)]
    assert kinds[-1] is CollateralSold and Witness in kinds
    assert not world.account(LONG).positions and balance(world, LONG) >= 0
    assert dict(world.account(BACKSTOP_ACCOUNT).collateral)[AssetId(2)] > 0
