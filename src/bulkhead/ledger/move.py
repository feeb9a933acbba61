"""Move: assets and positions among accounts of one owner, all or nothing; and the capped top-up."""

from __future__ import annotations

from bulkhead.fixed import part_floor, worth_ceil
from bulkhead.ledger.accounts import check_prices, health_of, new_child, settled, settled_in, with_position
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.custody import check_amount, credit, is_borrowing
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.fill import fits, in_range
from bulkhead.ledger.receipt import Done, Paid
from bulkhead.ledger.register import check_choice, check_nonce, parent_of, with_choice
from bulkhead.ledger.state import Account, Kind, Mode, child_id
from bulkhead.ledger.tx import AssetLeg, Move, PositionLeg, TopUp
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.reject import Reject
from bulkhead.rules import margin
from bulkhead.rules.terms import Health, Position
from bulkhead.units import AccountId, Felt, Quote, Requirement, Size

LEGS_MAX = 16


def move(draft: Draft, tx: Move, authority: Authority) -> Reject | Done:
    """Every leg is written to the draft first; then each account touched is judged once."""
    signer = draft.account(tx.account_id)
    if signer is None:
        return Reject.UNKNOWN_ACCOUNT
    if signer.kind is Kind.CHILD or signer.kind is Kind.BACKSTOP:
        return Reject.WRONG_KIND
    legs = len(tx.assets) + len(tx.positions) + len(tx.choices)
    if not 0 < legs <= LEGS_MAX or (draft.config.simple_moves and not is_simple(tx)):
        return Reject.TOO_MANY_LEGS
    problem = check_nonce(draft, signer, tx.expiration_s, tx.nonce)
    if problem is not None:
        return problem
    if not authority.is_signed(signer.owner_key, authority.move_hash(tx, signer.owner_key), tx.signature):
        return Reject.WRONG_SIGNATURE
    before: dict[int, tuple[Account, Health]] = {}
    draft.put(settled_in(draft, signer)._replace(nonce=tx.nonce))
    problem = _choices(draft, tx, signer.owner_key, before) or _legs(draft, tx, signer.owner_key, before)
    if problem is not None:
        return problem
    for touched in sorted(before):
        problem = _judge(draft, *before[touched])
        if problem is not None:
            return problem
    return _lock_families(draft, before) or Done()


def is_simple(tx: Move) -> bool:
    """At most one leg of each kind, an asset's or a position's among them, between the signer's account and one other.

    The other is a child of the signer's account, or an account that signs; a choice is the signer's, for the market of
    that child. A venue that settles with proofs takes no other moves.
    """
    legs: tuple[AssetLeg | PositionLeg, ...] = (*tx.assets, *tx.positions)
    if not legs or max(len(tx.assets), len(tx.positions), len(tx.choices)) > 1:
        return False
    pair = {legs[0].source, legs[0].target}
    if tx.account_id not in pair or any({leg.source, leg.target} != pair for leg in legs):
        return False
    other = next(iter(pair - {tx.account_id}), tx.account_id)
    market_id = other & (CHILDREN_PER_ACCOUNT - 1)
    if market_id and (other - market_id != tx.account_id or any(leg.market_id != market_id for leg in tx.positions)):
        return False
    return all(
        market_id and account_id == tx.account_id and choice.market_id == market_id
        for account_id, choice in tx.choices
    )


def _lock_families(draft: Draft, before: dict[int, tuple[Account, Health]]) -> Reject | None:
    """Value that leaves a family, an account with its children, leaves the account: its profit lock is asked.

    Opening a child is exempt from the lock, so without this a child would be a way around it.
    """
    moved: dict[int, int] = {}
    for touched, (account, health) in before.items():
        family = touched & -CHILDREN_PER_ACCOUNT
        now = health_of(draft, draft.accounts.get(account.account_id, account))
        moved[family] = moved.get(family, 0) + int(now.value) - int(health.value)
    for family in sorted(moved):
        head = draft.account(family)
        if moved[family] >= 0 or head is None or not head.positions:
            continue
        problem = check_prices(draft, head)
        if problem is not None:
            return problem
        head = settled_in(draft, head)
        health = health_of(draft, head)
        if not margin.withdrawal_floor(health, head.positions, draft.risks, draft.config.profit_lock):
            return Reject.PROFIT_LOCKED if health.is_initial else Reject.INSUFFICIENT_MARGIN
    return None


def _touch(
    draft: Draft, account_id: AccountId, owner: Felt, before: dict[int, tuple[Account, Health]]
) -> Account | Reject:
    """An account of the owner, funded up to date, remembered as it was; a child may be made on the way."""
    account = draft.account(account_id)
    if account is None:
        market_id = account_id & (CHILDREN_PER_ACCOUNT - 1)
        parent = draft.account(account_id - market_id)
        if parent is None or not market_id or market_id not in draft.terms:
            return Reject.UNKNOWN_ACCOUNT
        account = new_child(parent, draft.terms[market_id].market_id)
    if account.kind is Kind.BACKSTOP:
        return Reject.WRONG_KIND
    if account.owner_key != owner:
        return Reject.WRONG_OWNER
    account = settled_in(draft, account)
    if account_id not in before:
        problem = check_prices(draft, account)
        if problem is not None:
            return problem
        before[account_id] = (account, health_of(draft, account))
    return account


def _choices(draft: Draft, tx: Move, owner: Felt, before: dict[int, tuple[Account, Health]]) -> Reject | None:
    for account_id, choice in tx.choices:
        account = _touch(draft, account_id, owner, before)
        if isinstance(account, Reject):
            return account
        problem = check_choice(draft, account, choice)
        if problem is not None:
            return problem
        isolated = child_id(account_id, choice.market_id)
        if choice.market_id and draft.account(isolated) is not None:
            child = _touch(draft, isolated, owner, before)  # judged too: its leverage is its parent's choice
            if isinstance(child, Reject):
                return child
        draft.put(with_choice(account, choice))
    return None


def _legs(draft: Draft, tx: Move, owner: Felt, before: dict[int, tuple[Account, Health]]) -> Reject | None:
    for leg in tx.assets:
        problem = check_amount(draft, leg.asset_id, leg.amount)
        if problem is not None:
            return problem
        pair = _pair(draft, leg.source, leg.target, owner, before)
        if isinstance(pair, Reject):
            return pair
        source, target = pair
        if target.asset_id != leg.asset_id and _settles(draft, leg.asset_id):
            return Reject.WRONG_ASSET
        problem = credit(draft, source, leg.asset_id, -leg.amount) or credit(draft, target, leg.asset_id, leg.amount)
        if problem is not None:
            return problem
    for part in tx.positions:
        pair = _pair(draft, part.source, part.target, owner, before)
        problem = pair if isinstance(pair, Reject) else _move_position(draft, part, *pair)
        if problem is not None:
            return problem
    return None


def _pair(
    draft: Draft, source_id: AccountId, target_id: AccountId, owner: Felt, before: dict[int, tuple[Account, Health]]
) -> tuple[Account, Account] | Reject:
    if source_id == target_id:
        return Reject.SAME_ACCOUNT
    source = _touch(draft, source_id, owner, before)
    target = _touch(draft, target_id, owner, before)
    if isinstance(source, Reject):
        return source
    if isinstance(target, Reject):
        return target
    if source.asset_id != target.asset_id:
        return Reject.WRONG_ASSET
    draft.put(source)
    draft.put(target)
    return source, target


def _settles(draft: Draft, asset_id: int) -> bool:
    asset = draft.config.asset(asset_id)
    return asset is not None and asset.is_settlement


def _move_position(draft: Draft, leg: PositionLeg, source: Account, target: Account) -> Reject | None:
    """Carry lots with their part of the cost; profit and loss that is not realised travels along."""
    if leg.market_id not in draft.terms:
        return Reject.UNKNOWN_MARKET
    if target.kind is Kind.CHILD and target.account_id != child_id(target.parent_id, leg.market_id):
        return Reject.WRONG_KIND
    held = source.position(leg.market_id)
    if held is None:
        return Reject.NO_SUCH_POSITION
    if int(leg.size) == 0:
        return Reject.SIZE_IS_ZERO
    if int(leg.size) * int(held.size) < 0 or abs(leg.size) > abs(held.size):
        return Reject.WOULD_FLIP
    kept = Quote(part_floor(int(held.cost), held.size - leg.size, held.size))
    cost = held.cost - kept
    index = draft.indices[leg.market_id]
    left = Position(leg.market_id, held.size - leg.size, kept, index)
    draft.put(with_position(source, left)._replace(balance=source.balance + cost))
    if not in_range(draft.accounts[source.account_id], leg.market_id):
        return Reject.OUT_OF_RANGE
    there = target.position(leg.market_id) or Position(leg.market_id, Size(0), Quote(0), index)
    if int(there.size) * int(leg.size) < 0:
        return Reject.WOULD_FLIP  # positions never net across accounts; a hedge there is closed by trading
    grown = with_position(target, Position(leg.market_id, there.size + leg.size, there.cost + cost, index))
    draft.put(grown._replace(balance=target.balance - cost))
    return fits(draft, draft.accounts[target.account_id], leg.market_id)


def _judge(draft: Draft, before: Account, health: Health) -> Reject | None:
    """Positions sit where the choices say; new risk and leaving value need initial margin and the profit lock."""
    after = draft.accounts.get(before.account_id, before)
    problem = _placed(draft, after)
    if problem is not None:
        return problem
    now = health_of(draft, after)
    leaves = now.value < health.value
    shrinks = margin.only_shrinks(before.positions, after.positions)
    grows = int(now.initial) > int(health.initial) or not shrinks
    if (
        leaves
        and after.positions
        and not margin.withdrawal_floor(now, after.positions, draft.risks, draft.config.profit_lock)
    ):
        return Reject.PROFIT_LOCKED if now.is_initial else Reject.INSUFFICIENT_MARGIN
    if not after.positions and int(after.balance) < 0:
        return Reject.INSUFFICIENT_BALANCE
    if not margin.is_allowed(lambda: health, now, is_new_risk=grows or leaves, only_shrinks=not (grows or leaves)):
        return Reject.INSUFFICIENT_MARGIN
    return Reject.INSUFFICIENT_BALANCE if leaves and is_borrowing(draft, after, now) else None


def _placed(draft: Draft, account: Account) -> Reject | None:
    """One mode per account and market: what an account holds agrees with the choice that routes its orders."""
    if account.kind is Kind.CHILD:
        parent = parent_of(draft, account)
        choice = None if parent is None else parent.choice(account.account_id & (CHILDREN_PER_ACCOUNT - 1))
        isolated = choice is not None and choice.mode is Mode.ISOLATED
        return Reject.POSITIONS_OPEN if account.positions and not isolated else None
    for choice in account.choices:
        if choice.mode is Mode.ISOLATED and account.size(choice.market_id):
            return Reject.POSITIONS_OPEN
    return None


def top_up_due(draft: Draft, account: Account) -> Quote:
    """What a child or strategy is owed by its parent now, by rule; zero when nothing.

        min(⌈1.25 · maintenance⌉ − value, cap − drawn before, parent's value above its initial requirement)

    The cap bounds what one leaf draws in its life: a child that is closed is forgotten, with what it drew, and
    opens again only by a fill the owner signed; a strategy draws on until its owner signs a larger cap. A parent
    whose prices are stale cannot be valued and owes nothing, so one silent feed does not hold up a liquidation
    in another market. The account's funding must be settled in this draft.
    """
    parent = parent_of(draft, account)
    if parent is None or not account.positions or not draft.config.top_up:
        return Quote(0)
    market_id = account.account_id & (CHILDREN_PER_ACCOUNT - 1)
    choice = parent.choice(market_id) if account.kind is Kind.CHILD else account.choice(0)
    if choice is None or choice.top_up_cap <= account.topped_up:
        return Quote(0)
    health = health_of(draft, account)
    target = int(health.maintenance) * int(draft.config.top_up_target)
    wanted = margin.shortfall(Requirement(int(worth_ceil(Requirement(target)))), health.value)
    if int(wanted) == 0 or check_prices(draft, parent) is not None:
        return Quote(0)
    parent, _ = settled(draft, parent)  # not written: asking what is due touches nobody
    free = health_of(draft, parent)
    spare = margin.surplus(free.value, free.initial)
    if not parent.positions:
        spare = min(spare, max(Quote(0), parent.balance))  # never into debt: others could call it
    return min(wanted, choice.top_up_cap - account.topped_up, spare)


def top_up(draft: Draft, tx: TopUp) -> Reject | Paid:
    """Draw what the rule owes from the parent. Anybody may ask; the amount is not theirs to choose."""
    account = draft.account(tx.account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    parent = parent_of(draft, account)
    if parent is None:
        return Reject.WRONG_KIND  # nobody to draw from
    problem = check_prices(draft, account) or check_prices(draft, parent)
    if problem is not None:
        return problem
    account, parent = settled_in(draft, account), settled_in(draft, parent)
    amount = top_up_due(draft, account)
    if int(amount) == 0:
        return Reject.NOTHING_TO_TOP_UP
    draft.put(parent._replace(balance=parent.balance - amount))
    draft.put(account._replace(balance=account.balance + amount, topped_up=account.topped_up + amount))
    return Paid(tx.account_id, account.asset_id, int(amount))
