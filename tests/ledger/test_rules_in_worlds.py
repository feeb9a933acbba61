"""Rules that hold in every world: each test is named after the rule it guards."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings

from bulkhead.ledger import tx
from bulkhead.ledger.accounts import settled
from bulkhead.ledger.receipt import Paid, Receipt, TakenOver
from bulkhead.ledger.state import Kind
from bulkhead.rules import margin
from tests.ledger.world import OWNER, STRATEGY, World, health, worlds

Check = Callable[[World, Receipt], None]


def run(numbers: list[tuple[int, ...]], check: Check) -> None:
    """Play a world and look at every accepted transaction; invariants and rejects are checked by the world."""
    world = World()
    for step in numbers:
        receipt = world.step(step)
        if receipt is not None and receipt.is_ok:
            check(world, receipt)


def owners_of(transaction: tx.Transaction) -> set[int]:
    """Signable accounts whose signature, or order, the transaction carries."""
    if isinstance(transaction, tx.Trade):
        return {transaction.maker.account_id, transaction.taker.account_id}
    if isinstance(transaction, tx.Liquidation):
        return {fill.order.account_id for fill in transaction.fills}
    if isinstance(transaction, tx.Move):
        return {OWNER, STRATEGY} if transaction.account_id in (OWNER, STRATEGY) else {transaction.account_id}
    if isinstance(transaction, tx.Transfer):
        return {transaction.source, transaction.target}
    return {getattr(transaction, "account_id", 0)}


@settings(max_examples=80)
@given(worlds)
def test_invariants_hold_and_rejects_change_nothing(numbers: list[tuple[int, ...]]) -> None:
    run(numbers, lambda world, receipt: None)


@settings(max_examples=60)
@given(worlds)
def test_no_domino(numbers: list[tuple[int, ...]]) -> None:
    """A liquidation of an account changes it, its counterparties and the funds; of its owner's others nothing but
    that a parent may be given what a flat child had left."""

    def check(world: World, receipt: Receipt) -> None:
        transaction = world.transaction
        if not isinstance(transaction, tx.Liquidation | tx.Backstop | tx.Deleveraging):
            return
        allowed = {transaction.account_id}
        if isinstance(transaction, tx.Liquidation):
            for fill in transaction.fills:
                allowed |= {fill.order.account_id, fill.order.account_id + fill.market_id}
        elif isinstance(receipt.detail, TakenOver):
            allowed |= {account_id for account_id, _ in receipt.detail.shares}
        before, after = world.before.accounts, world.state.accounts
        for account_id in before.keys() | after.keys():
            old, new = before.get(account_id), after.get(account_id)
            if old == new or account_id in allowed:
                continue
            assert old is not None and new is not None
            assert new == old._replace(balance=new.balance) and new.balance > old.balance
            children = [child for child, account in before.items() if account.parent_id == account_id]
            assert any(child in allowed and child not in after for child in children)

    run(numbers, check)


@settings(max_examples=60)
@given(worlds)
def test_healthy_or_healthier(numbers: list[tuple[int, ...]]) -> None:
    """After a trade, a move or a configuration every account touched is healthy, or healthier with smaller sizes."""

    def check(world: World, receipt: Receipt) -> None:
        if not isinstance(world.transaction, tx.Trade | tx.Move | tx.Configure | tx.ForcedClose):
            return
        taken = receipt.detail.shares if isinstance(receipt.detail, TakenOver) else ()
        for account_id, after in world.state.accounts.items():
            before = world.before.accounts.get(account_id)
            if before == after or account_id in [holder for holder, _ in taken]:
                continue
            # Judged by the open interest before the transaction, as the rule is.
            now = health(world.before, after)
            if now.is_maintained or before is None:
                assert now.is_maintained
                continue
            was = health(world.before, before)
            assert margin.only_shrinks(before.positions, after.positions)
            assert margin.is_healthier(was, now)

    run(numbers, check)


@settings(max_examples=60)
@given(worlds)
def test_an_isolated_child_can_lose_only_its_own_collateral(numbers: list[tuple[int, ...]]) -> None:
    """What nobody of an owner signed lowers no balance of his but the one it is about, and top-up stays in its cap."""

    def check(world: World, receipt: Receipt) -> None:
        transaction = world.transaction
        signed = owners_of(transaction)
        taken = receipt.detail.shares if isinstance(receipt.detail, TakenOver) else ()
        touched = {account_id for account_id, _ in taken}
        for account_id, before in world.before.accounts.items():
            if account_id & -64 in signed or account_id in signed | touched | {64}:
                continue
            after = world.state.accounts.get(account_id)
            settled_before = settled(world.state, before)[0]
            lost = int(settled_before.balance) - int(settled(world.state, after)[0].balance) if after else 0
            if isinstance(transaction, tx.TopUp) and isinstance(receipt.detail, Paid):
                assert lost in (0, receipt.detail.amount)
            elif not isinstance(transaction, tx.CollateralSale):
                assert lost <= 0 or account_id == getattr(transaction, "account_id", 0)
        for account_id, account in world.state.accounts.items():
            if account.topped_up:
                parent = world.state.accounts[account.parent_id]
                drawn = world.before.accounts.get(account_id)
                if drawn is None or drawn.topped_up != account.topped_up:
                    choice = parent.choice(account_id & 63) if account.kind is Kind.CHILD else account.choice(0)
                    assert choice is not None and account.topped_up <= choice.top_up_cap

    run(numbers, check)


@settings(max_examples=60)
@given(worlds)
def test_a_withdrawal_leaves_the_lock(numbers: list[tuple[int, ...]]) -> None:
    def check(world: World, receipt: Receipt) -> None:
        transaction = world.transaction
        if not isinstance(transaction, tx.Withdrawal | tx.Transfer | tx.ForcedWithdrawal) or not isinstance(
            receipt.detail, Paid
        ):
            return
        source = transaction.source if isinstance(transaction, tx.Transfer) else transaction.account_id
        after = world.state.accounts[source]
        now = health(world.state, after)
        assert now.is_initial
        gross = sum(abs(int(held.size) * int(world.state.markets[held.market_id].price)) for held in after.positions)
        assert int(now.value) * 10 >= gross

    run(numbers, check)


@settings(max_examples=60)
@given(worlds)
def test_deleveraging_is_exact_and_never_more_than_it_closes(numbers: list[tuple[int, ...]]) -> None:
    def check(world: World, receipt: Receipt) -> None:
        transaction = world.transaction
        if not isinstance(transaction, tx.Deleveraging) or not isinstance(receipt.detail, TakenOver):
            return
        assert sum(size for _, size in receipt.detail.shares) == transaction.size
        market_id = transaction.market_id
        for account_id, size in receipt.detail.shares:
            old = world.before.accounts[account_id].size(market_id)
            after = world.state.accounts.get(account_id)
            new = 0 if after is None else after.size(market_id)
            assert abs(old) - abs(new) == size > 0 and new * old >= 0

    run(numbers, check)


@settings(max_examples=60)
@given(worlds)
def test_funding_never_mints(numbers: list[tuple[int, ...]]) -> None:
    """Paying everybody's funding takes no less than it gives; the difference is the dust that the funds keep."""

    def check(world: World, receipt: Receipt) -> None:
        if isinstance(world.transaction, tx.FundingTick):
            paid = dust = 0
            for account in world.state.accounts.values():
                after, rest = settled(world.state, account)
                paid += int(account.balance) - int(after.balance)
                dust += int(rest)
            assert paid >= 0 or int(world.state.funds[1].dust) > 0
            assert 0 <= dust < len(world.state.accounts) << 32

    run(numbers, check)


@settings(max_examples=40)
@given(worlds)
def test_the_order_of_two_independent_trades_does_not_matter(numbers: list[tuple[int, ...]]) -> None:
    """Two trades of four different owners: the same accounts, funds and markets whichever comes first."""
    worlds_seen = []
    for turned in (False, True):
        world = World()
        for step in numbers:
            world.step((step[0] % 50, *step[1:]))
        trades = [
            world.a_trade(0, 1, 1, 1_000, 501), world.a_trade(3, 4, 1, 2_000, 498),
        ]  # fmt: skip
        outcomes = [world.apply(trade).reject for trade in (trades[::-1] if turned else trades)]
        state = world.state
        worlds_seen.append((outcomes[::-1] if turned else outcomes, state.accounts, state.markets, state.funds))
    assert worlds_seen[0] == worlds_seen[1]
