"""One account four ways: the same trader rearranged into each margin mode, in drafts that nobody commits."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from bulkhead.ledger.accounts import account_of, health_of, new_child, settled_in, with_position
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.register import with_choice
from bulkhead.ledger.state import Account, Choice, Kind, MarginRule, Mode, State, child_id
from bulkhead.limits import ACCOUNT_ID_BITS, CHILDREN_PER_ACCOUNT
from bulkhead.rules import margin
from bulkhead.units import AccountId, MarketId, Quote, TimeMs


class MarginMode(IntEnum):
    """Which compartment a trade is put into."""

    CROSS = 1  # the account itself: everything backs everything
    ISOLATED = 2  # a child of its own
    STRATEGY = 3  # a sub-account, isolated from the rest and cross inside
    SCENARIO = 4  # the account itself, under portfolio margin


class Arranged(NamedTuple):
    """A draft in which the trader has chosen a mode. An order is signed for `account_id`; what it opens lies in
    `container_id`. A strategy that does not exist yet is funded by `parent_id` with what its order needs.

    `is_moved`: a position that is open now lies elsewhere, and was carried along; really switching takes a Move.
    """

    draft: Draft
    account_id: AccountId
    container_id: AccountId
    parent_id: AccountId  # 0 but for a new strategy
    is_moved: bool


NEW_STRATEGY = AccountId((1 << ACCOUNT_ID_BITS) - CHILDREN_PER_ACCOUNT)
"""The id a strategy has in previews before it exists: the last signable one."""


def mode_of(state: State, account: Account, market_id: int) -> MarginMode:
    """The mode an order of this account in this market has now."""
    choice = account.choice(market_id)
    if choice is not None and choice.mode is Mode.ISOLATED:
        return MarginMode.ISOLATED
    if account.rule is MarginRule.SCENARIO:
        return MarginMode.SCENARIO
    return MarginMode.STRATEGY if account.kind is Kind.STRATEGY else MarginMode.CROSS


def arranged(
    state: State, now: TimeMs, account_id: AccountId, market_id: MarketId, mode: MarginMode, *, leverage: int = 0
) -> Arranged:
    """The account as it would stand in a mode. What is already in that mode is left as it is.

    `leverage` is as if it had been signed for the market; 0 leaves what was.
    """
    draft = Draft(state)
    draft.time_ms = now
    account = settled_in(draft, state.accounts[account_id])
    if mode is MarginMode.STRATEGY:
        return _strategy(draft, account, market_id, leverage)
    if account.kind is Kind.STRATEGY and mode is not mode_of(state, account, market_id):
        parent = account_of(draft, account.parent_id)
        if parent is not None and mode is MarginMode.CROSS:
            account = settled_in(draft, parent)
    rule = MarginRule.SCENARIO if mode is MarginMode.SCENARIO else MarginRule.LINEAR
    side = Mode.ISOLATED if mode is MarginMode.ISOLATED else Mode.CROSS
    old = account.choice(market_id)
    signed, cap = (0, Quote(0)) if old is None else (old.leverage, old.top_up_cap)
    account = with_choice(account._replace(rule=rule), Choice(market_id, side, leverage or signed, cap))
    draft.put(account)
    if side is Mode.ISOLATED:
        is_moved = _carry_out(draft, account, market_id)
        return Arranged(draft, account.account_id, child_id(account.account_id, market_id), AccountId(0), is_moved)
    is_moved = _carry_in(draft, account, market_id)
    return Arranged(draft, account.account_id, account.account_id, AccountId(0), is_moved)


def _strategy(draft: Draft, account: Account, market_id: MarketId, leverage: int) -> Arranged:
    """A strategy trades in itself; any other account gets a new, empty one for the order."""
    old = account.choice(market_id)
    wanted = leverage or (0 if old is None else old.leverage)
    if account.kind is Kind.STRATEGY:
        is_moved = False
        cap = Quote(0) if old is None else old.top_up_cap
        if wanted or old is not None:
            account = with_choice(account, Choice(market_id, Mode.CROSS, wanted, cap))
            draft.put(account)
        if old is not None and old.mode is Mode.ISOLATED:
            is_moved = _carry_in(draft, account, market_id)
        return Arranged(draft, account.account_id, account.account_id, AccountId(0), is_moved)
    strategy = Account(
        NEW_STRATEGY,
        Kind.STRATEGY,
        MarginRule.LINEAR,
        account.owner_key,
        account.l1_owner,
        account.account_id,
        account.asset_id,
    )
    if wanted:
        strategy = with_choice(strategy, Choice(market_id, Mode.CROSS, wanted, Quote(0)))
    draft.put(strategy)
    return Arranged(draft, NEW_STRATEGY, NEW_STRATEGY, account.account_id, False)


def _carry_out(draft: Draft, account: Account, market_id: MarketId) -> bool:
    """A position held in the account goes to its child, with the initial margin it asks there."""
    held = account.position(market_id)
    if held is None:
        return False
    child = draft.account(child_id(account.account_id, market_id)) or new_child(account, market_id)
    child = with_position(child, held)._replace(balance=child.balance - held.cost)
    left = account._replace(positions=tuple(one for one in account.positions if one.market_id != market_id))
    left = left._replace(balance=left.balance + held.cost)
    draft.put(child)
    health = health_of(draft, child)
    funded = margin.shortfall(health.initial, health.value)
    draft.put(child._replace(balance=child.balance + funded))
    draft.put(left._replace(balance=left.balance - funded))
    return True


def _carry_in(draft: Draft, account: Account, market_id: MarketId) -> bool:
    """A position held in the child comes home with all that the child has."""
    child = draft.account(child_id(account.account_id, market_id))
    if child is None:
        return False
    child = settled_in(draft, child)
    held = child.position(market_id)
    home = account._replace(balance=account.balance + child.balance)
    if held is not None:
        home = with_position(home, held)
    draft.put(home)
    draft.put(child._replace(balance=Quote(0), positions=()))
    return held is not None
