"""Single accounts: realised profit, liquidation prices, what views see, what memory forgets."""

from __future__ import annotations

import pytest

from bulkhead.ledger import authority as authority_module
from bulkhead.ledger.accounts import account_for, account_of, health_of, liquidation_price, realised, settled, with_fill
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.invariants import violations
from bulkhead.ledger.state import Account, Kind, MarginRule
from bulkhead.ledger.trade import check_order, trade
from bulkhead.reject import Reject
from tests.ledger.world import MAKER, OWNER, SCENARIO, TAKER, World
from tests.play import Player

EMPTY = Account(128, Kind.MAIN, MarginRule.LINEAR, 1, 2, 0, 1, 1_000_000)


def test_realised_profit_is_the_close_against_its_part_of_the_cost() -> None:
    long = with_fill(EMPTY, 1, 1_000, 100, 0)
    assert realised(EMPTY, 1, 500, 100) == 0
    assert realised(long, 1, 500, 120) == 0  # adds
    assert realised(long, 1, -400, 120) == 400 * 20
    assert realised(long, 1, -1_500, 120) == 1_000 * 20  # closes 1,000 of them, opens the rest
    short = with_fill(EMPTY, 1, -1_000, 100, 0)
    assert realised(short, 1, 250, 120) == -250 * 20


def test_cost_follows_the_position() -> None:
    held = with_fill(with_fill(EMPTY, 1, 1_000, 100, 0), 1, 1_000, 110, 0)
    assert held.position(1).cost == 210_000
    assert with_fill(held, 1, -500, 300, 0).position(1).cost == 157_500
    assert with_fill(held, 1, -2_000, 300, 0).positions == ()
    assert with_fill(held, 1, -2_500, 300, 0).position(1) == (1, -500, -150_000, 0)
    assert with_fill(held, 1, -2_500, 300, 0).balance == 1_000_000 - 210_000 + 750_000


@pytest.mark.parametrize("who", [TAKER, MAKER, SCENARIO])
def test_a_liquidation_price_is_the_edge_of_maintenance(who: int) -> None:
    """One step of 2^-32 further in the account's favour it is maintained; the same seen from a draft."""
    world = World()
    world.must(world.a_trade(0, 3, 1, 900_000, 500))
    world.must(world.a_trade(0, 4, 1, 100_000, 500))
    world.must(world.a_trade(0, 3, 2, 10_000, 500))
    account, _ = settled(world.state, world.state.accounts[who])
    side = 1 if account.size(1) > 0 else -1
    price = liquidation_price(world.state, account, 1)
    draft = Draft(world.state)
    assert liquidation_price(draft, account, 1) == price
    assert draft.markets == {}
    for at, maintained in ((price, False), (price + side, True)):
        draft = Draft(world.state)
        draft.put_market(draft.market(1)._replace(price=at))
        assert health_of(draft, account).is_maintained is maintained


def test_a_draft_in_a_draft_keeps_what_it_sees() -> None:
    """A preview on top of a draft asks at the draft's prices, not at the state's."""
    world = World()
    world.must(world.a_trade(0, 3, 1, 900_000, 500))
    world.must(world.a_trade(0, 3, 2, 900_000, 500))
    account = world.state.accounts[TAKER]
    draft = Draft(world.state)
    draft.put_market(draft.market(2)._replace(price=draft.market(2).price * 9 // 10))
    assert liquidation_price(draft, account, 1) != liquidation_price(world.state, account, 1)


def test_a_signable_account_is_routed_to_its_child() -> None:
    world = World()
    assert account_for(world.state, 999, 1) is None
    assert account_for(world.state, TAKER, 1) is world.state.accounts[TAKER]
    world.must(world.a_configure(3, 0, 1, 0, 1))
    empty = account_for(world.state, TAKER, 1)
    assert (empty.account_id, empty.kind, empty.parent_id) == (TAKER + 1, Kind.CHILD, TAKER)
    assert account_of(world.state, TAKER + 1) is None
    world.must(world.a_trade(0, 3, 1, 1_000, 500))
    assert account_for(Draft(world.state), TAKER, 1) is world.state.accounts[TAKER + 1]


def test_an_order_alone_is_checked_as_in_a_trade() -> None:
    world = World()
    order = world.order(OWNER, 1, 100, 50_000)
    draft = Draft(world.state)
    draft.time_ms = world.now
    assert check_order(draft, order, 1, (150, 50_000, 0), world.authority) is None
    assert check_order(draft, order, 1, (151, 50_000, 0), world.authority) is Reject.ORDER_OVERFILLED
    assert check_order(draft, order, 2, (100, 50_000, 0), world.authority) is Reject.UNKNOWN_MARKET
    assert check_order(draft, order._replace(public_key=5), 1, (100, 50_000, 0), world.authority) is Reject.WRONG_KEY


def test_open_interest_is_counted_once_in_a_draft_of_two_trades() -> None:
    """A rehearsal of several fills, as fill-or-kill makes one."""
    world = World()
    draft = Draft(world.state)
    draft.time_ms = world.now
    for _ in range(2):
        assert not isinstance(trade(draft, world.a_trade(0, 3, 1, 1_000, 500), world.authority), Reject)
    assert draft.market(1).open_interest == 2_000
    draft.commit()
    assert violations(world.state) == []


def test_no_domino_on_a_parent_whose_funding_is_due() -> None:
    """Asking what a parent owes its child touches nothing of the parent: its leaf is the same record after."""
    player = Player()
    for line in (
        "register maker ok",
        "register owner ok",
        "deposit maker 1000000 ok",
        "deposit owner 120 ok",
        "tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok",
        "configure owner BTC isolated 50x cap 10000 ok",
        "trade maker sell owner 0.1 BTC @ 50000 ok",
        "trade maker sell owner 0.1 ETH @ 3000 ok",
        "wait 3600s",
        "tick BTC 49500 ETH 3000 ok",
        "funding ETH 1% ok",
        "topup owner/BTC ok",
        "wait 3600s",
        "tick BTC 49300 ETH 3000 ok",
        "funding ETH 1% ok",
    ):
        player.play(line)
    owner = player.names.account("owner")
    before = player.state.accounts[owner]
    assert settled(player.state, before)[0] != before
    player.play("liquidate owner/BTC: maker buy 0.01 BTC @ 49300 ok")
    assert player.state.accounts[owner] is before


def test_hashes_are_remembered_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority_module, "MEMO_MAX", 4)
    world = World()
    memory = Authority(world.state.config)
    orders = [world.order(OWNER, 1, 100, 50_000) for _ in range(6)]
    hashes = [memory.order_hash(order) for order in orders]
    assert len(set(hashes)) == 6 and len(memory._hashes) <= 4
    assert [memory.order_hash(order) for order in orders] == hashes


def test_a_configuration_is_asked_by_id() -> None:
    config = World().state.config
    assert config.market(2).market_id == 2 and config.market(9) is None
    assert config.asset(1).name == "USD" and config.asset(9) is None
