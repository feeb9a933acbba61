"""Numbers at and beyond every limit: a named reject and the same state, never a crash or a wrapped number."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from bulkhead.ledger import tx
from bulkhead.ledger.apply import apply
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.fill import in_range
from bulkhead.ledger.invariants import violations
from bulkhead.ledger.state import Account, State, put_account, put_market
from bulkhead.limits import FUNDING_INDEX_LIMIT, NOTIONAL_LIMIT, QUOTE_LIMIT, SIZE_LIMIT
from bulkhead.reject import Reject
from bulkhead.rules.terms import Position
from tests.ledger.world import MAKER, OWNER, TAKER, World, copy_of
from tests.play import Player, digest

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))
POWERS = (16, 31, 32, 40, 50, 58, 63, 64, 128, 251, 256)
EXTREMES = [-1, 0, *(sign * 2**power + off for power in POWERS for off in (-1, 0) for sign in (1, -1))]


def extremes(value: Any) -> list[Any]:
    """The same value with one of its numbers replaced by an extreme one, for each number and each extreme."""
    if isinstance(value, IntEnum | str):
        return []
    if isinstance(value, int):
        return list(EXTREMES)
    if isinstance(value, tuple):
        parts: list[Any] = list(value)
        build = type(value) if hasattr(value, "_fields") else lambda *all_parts: tuple(all_parts)
    else:
        parts = [getattr(value, name) for name in value.__dataclass_fields__]
        build = type(value)
    found = []
    for place, part in enumerate(parts):
        for other in extremes(part):
            found.append(build(*parts[:place], other, *parts[place + 1 :]))
    return found


def first_of_each_kind() -> dict[str, tuple[Player, State, tx.Transaction]]:
    """The first accepted transaction of every kind in the scripts, and the state before it."""
    found: dict[str, tuple[Player, State, tx.Transaction]] = {}
    for path in SCRIPTS:
        lines = path.read_text().splitlines()
        words = [word for text in lines if text.startswith("venue ") for word in text.split()[1:]]
        player = Player(dict(word.split("=", 1) for word in words))
        for text in lines:
            if text.startswith("venue "):
                continue
            before = copy_of(player.state)
            count = len(player.receipts)
            player.play(text)
            if len(player.receipts) > count and player.receipts[-1].is_ok:
                verb = text.split()[0]
                if verb != "again" and player.receipts[-1].kind not in found:
                    found[player.receipts[-1].kind] = (player, before, player.last[verb])
    return found


KINDS = first_of_each_kind()


def test_the_scripts_have_every_kind_of_transaction() -> None:
    assert sorted(KINDS) == sorted(kind.__name__ for kind in tx.Transaction.__args__)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("verify", [True, False])
def test_every_number_of_a_transaction_may_be_extreme(kind: str, verify: bool) -> None:
    player, before, transaction = KINDS[kind]
    authority = player.authority if verify else type(player.authority)(player.config, verify=False)
    state = copy_of(before)
    was = digest(state)
    assert apply(copy_of(before), transaction, authority).is_ok
    for other in extremes(transaction):
        receipt = apply(state, other, authority)
        if receipt.reject is not None:
            assert digest(state) == was
        else:
            assert violations(state) == []
            state = copy_of(before)


def test_a_funding_index_stops_at_its_width() -> None:
    """It would take 2^31 hours; the market keeps its index and says so."""
    world = World()
    for index, step in ((FUNDING_INDEX_LIMIT - 1, 1 << 20), (1 - FUNDING_INDEX_LIMIT, -(1 << 21))):
        hour = world.now + 3_600_000
        world.must(tx.OracleTick(hour, world._reports(hour)))
        put_market(world.state, world.state.markets[1]._replace(funding_index=index))
        receipt = world.apply(tx.FundingTick(world.now, ((1, (step << 10,) * 60),)))
        assert receipt.reject is Reject.FUNDING_STEP_TOO_LARGE


def test_an_index_price_may_not_push_a_notional_out_of_its_width() -> None:
    world = World(richness=10**15)
    size, price = 1_000_000_000, 50_000
    orders = world.order(MAKER, 1, -size, price), world.order(TAKER, 1, size, price)
    world.must(tx.Trade(world.now, 1, *orders, size, price, 0, 0))
    market = world.state.markets[1]
    highest = ((NOTIONAL_LIMIT << 32) - 1) // market.open_interest >> 32
    put_market(world.state, market._replace(price=highest << 32))
    assert world.apply(world.tick({1: highest, 2: 30_000, 3: 50_000})).is_ok
    receipt = world.must(world.tick({1: highest + 1, 2: 30_000, 3: 50_000}))
    assert receipt.detail.refused == ((1, Reject.OUT_OF_RANGE),)
    assert world.apply(world.tick({1: highest, 2: 1 << 32, 3: 50_000})).reject is Reject.OUT_OF_RANGE


@pytest.mark.parametrize(
    "changes",
    [
        {"balance": QUOTE_LIMIT},
        {"balance": -QUOTE_LIMIT},
        {"positions": (Position(1, SIZE_LIMIT, 0, 0),)},
        {"positions": (Position(1, -SIZE_LIMIT, 0, 0),)},
        {"positions": (Position(1, 5, QUOTE_LIMIT, 0),)},
    ],
)
def test_an_account_outside_its_widths_is_seen(changes: dict[str, Any]) -> None:
    account: Account = World().state.accounts[TAKER]
    assert in_range(account, 1)
    assert not in_range(account._replace(**changes), 1)


def poor(world: World, account_id: int, **changes: Any) -> None:
    """Change a leaf past the rules, to stand at a limit no script can reach."""
    put_account(world.state, world.state.accounts[account_id]._replace(**changes))


def applied(world: World, transaction: tx.Transaction) -> Reject | None:
    """Without the world's checks, which a leaf changed past the rules breaks."""
    return apply(world.state, transaction, world.authority).reject


def test_a_balance_stops_at_its_width() -> None:
    world = World()
    number = world.state.counters.deposits + 1
    poor(world, TAKER, balance=QUOTE_LIMIT - 5)
    assert applied(world, tx.Deposit(world.now, number, TAKER, 1, 5)) is Reject.OUT_OF_RANGE
    assert applied(world, tx.Deposit(world.now, number, TAKER, 1, 4)) is None
    trade = world.a_trade(3, 0, 1, 1_000, 500)  # the taker sells and is paid
    assert applied(world, trade) is Reject.OUT_OF_RANGE


def test_a_balance_stops_at_its_width_when_a_position_only_shrinks() -> None:
    world = World()
    world.must(world.a_trade(3, 0, 1, 1_001, 501))  # the taker buys
    poor(world, TAKER, balance=QUOTE_LIMIT - 5)
    assert applied(world, world.a_trade(3, 0, 1, 1_000, 500)) is Reject.OUT_OF_RANGE


def test_an_isolated_parent_stops_at_its_width() -> None:
    world = World()
    world.must(world.a_configure(3, 0, 1, 0, 1))
    world.must(world.a_trade(0, 3, 1, 1_001, 501))
    assert world.state.accounts[TAKER + 1].size(1) == -1_001
    poor(world, TAKER, balance=QUOTE_LIMIT - 5)
    assert applied(world, world.a_trade(0, 3, 1, 1_001, 500)) is Reject.OUT_OF_RANGE


def test_open_interest_stops_at_its_width() -> None:
    """At a price of 2^-32 a lot, sizes and not notionals are the bound."""
    world = World(richness=10**15)
    put_market(world.state, world.state.markets[1]._replace(price=1))
    trade = tx.Trade(
        world.now, 1, world.order(MAKER, 1, -(NOTIONAL_LIMIT >> 1), 1), world.order(TAKER, 1, NOTIONAL_LIMIT >> 1, 1),
        NOTIONAL_LIMIT >> 1, 1, 0, 0,
    )  # fmt: skip
    poor(world, TAKER, balance=QUOTE_LIMIT >> 1)
    for account_id, size in ((OWNER, SIZE_LIMIT - (NOTIONAL_LIMIT >> 2)), (TAKER, 0), (MAKER, 0)):
        if size:
            poor(world, account_id, positions=(Position(1, size, 0, 0),))
    put_market(world.state, world.state.markets[1]._replace(open_interest=SIZE_LIMIT - (NOTIONAL_LIMIT >> 2)))
    draft = Draft(world.state)
    assert draft.market(1).open_interest < SIZE_LIMIT
    assert applied(world, trade) is Reject.OUT_OF_RANGE


def test_a_position_that_moves_stops_at_the_widths_of_both_accounts() -> None:
    world = World()
    world.must(world.a_trade(0, 1, 1, 1_000, 501))  # maker and owner
    signed = {"time_ms": world.now, "account_id": OWNER, "assets": (), "choices": (), "nonce": 1}
    held = world.state.accounts[OWNER].size(1)
    leg = tx.PositionLeg(OWNER, OWNER + 64, 1, held)
    message = tx.Move(**signed, positions=(leg,), expiration_s=world.now // 1000 + 9, signature=(1, 1))
    poor(world, OWNER, balance=QUOTE_LIMIT - 1 if held > 0 else 1 - QUOTE_LIMIT)
    assert applied(world, message) is Reject.OUT_OF_RANGE
    poor(world, OWNER, balance=0)
    poor(world, OWNER + 64, balance=1 - QUOTE_LIMIT if held > 0 else QUOTE_LIMIT - 1)
    assert applied(world, message) is Reject.OUT_OF_RANGE
