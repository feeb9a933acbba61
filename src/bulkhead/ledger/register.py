"""Registration and signed configuration of accounts."""

from __future__ import annotations

from bulkhead.fixed import seconds_floor
from bulkhead.ledger.accounts import account_for, health_of, settled_in
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.receipt import Done
from bulkhead.ledger.state import Account, Choice, Kind, MarginRule, Mode, child_id, is_signable
from bulkhead.ledger.tx import Configure, Register
from bulkhead.limits import ACCOUNT_ID_BITS, L1_ADDRESS_BITS, LEVERAGE_MAX, NONCE_BITS, QUOTE_LIMIT
from bulkhead.reject import Reject
from bulkhead.units import AccountId


def register(draft: Draft, tx: Register, authority: Authority) -> Reject | Done:
    """A new signable account, signed by the key that will own it.

    A strategy names a main account of the same key as its parent. The backstop's id takes the key of the
    configuration, so that nobody can register in its place.
    """
    problem = _registration_problem(draft, tx)
    if problem is not None:
        return problem
    if not authority.is_signed(tx.owner_key, authority.register_hash(tx), tx.signature):
        return Reject.WRONG_SIGNATURE
    draft.put(Account(tx.account_id, tx.kind, tx.rule, tx.owner_key, tx.l1_owner, tx.parent_id, tx.asset_id))
    return Done()


def _registration_problem(draft: Draft, tx: Register) -> Reject | None:
    if not (0 < tx.account_id < 1 << ACCOUNT_ID_BITS and 0 <= tx.l1_owner < 1 << L1_ADDRESS_BITS):
        return Reject.OUT_OF_RANGE
    if draft.account(tx.account_id) is not None:
        return Reject.ACCOUNT_EXISTS
    if not is_signable(tx.account_id):
        return Reject.ACCOUNT_ID_NOT_SIGNABLE
    if tx.kind is Kind.CHILD or (tx.kind is Kind.BACKSTOP) != (tx.account_id == BACKSTOP_ACCOUNT):
        return Reject.WRONG_KIND
    if tx.rule is MarginRule.SCENARIO and not draft.config.scenario_accounts:
        return Reject.MODE_NOT_AVAILABLE
    asset = draft.config.asset(tx.asset_id)
    if asset is None:
        return Reject.UNKNOWN_ASSET
    if not asset.is_settlement:
        return Reject.WRONG_ASSET
    if tx.kind is Kind.BACKSTOP and tx.owner_key != draft.config.backstop_key:
        return Reject.WRONG_KEY
    if tx.kind is not Kind.STRATEGY:
        return Reject.WRONG_KIND if tx.parent_id else None
    parent = draft.account(tx.parent_id)
    if parent is None:
        return Reject.UNKNOWN_ACCOUNT
    if parent.kind is not Kind.MAIN:
        return Reject.WRONG_KIND
    if parent.owner_key != tx.owner_key:
        return Reject.WRONG_OWNER
    return None if parent.asset_id == tx.asset_id else Reject.WRONG_ASSET


def configure(draft: Draft, tx: Configure, authority: Authority) -> Reject | Done:
    """Signed choice of mode, leverage and top-up cap for one market.

    The mode cannot change while the old container still holds a position: that is a Move, which takes the
    position along. Open orders are the engine's to check, for the ledger knows none.
    """
    account = draft.account(tx.account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    problem = check_choice(draft, account, tx.choice)
    if problem is not None:
        return problem
    problem = check_nonce(draft, account, tx.expiration_s, tx.nonce)
    if problem is not None:
        return problem
    if not authority.is_signed(account.owner_key, authority.configure_hash(tx, account.owner_key), tx.signature):
        return Reject.WRONG_SIGNATURE
    old = account.choice(tx.choice.market_id)
    if tx.choice.market_id and (old.mode if old else Mode.CROSS) is not tx.choice.mode:
        holder = account_for(draft, tx.account_id, tx.choice.market_id)
        if holder is not None and holder.size(tx.choice.market_id):
            return Reject.POSITIONS_OPEN
    before = settled_in(draft, account)
    after = with_choice(before, tx.choice)._replace(nonce=tx.nonce)
    draft.put(after)
    return _check_leverage(draft, before, after, tx.choice) or Done()


def _check_leverage(draft: Draft, before: Account, after: Account, choice: Choice) -> Reject | None:
    """A lower leverage asks more initial margin: it must be there, in the account or in its child."""
    if after.positions and int(health_of(draft, after).initial) > int(health_of(draft, before).initial):
        if not health_of(draft, after).is_initial:
            return Reject.INSUFFICIENT_MARGIN
    child = draft.account(child_id(after.account_id, choice.market_id)) if choice.market_id else None
    if child is not None and child.positions:
        child = settled_in(draft, child)
        old = before.choice(choice.market_id)
        tighter = choice.leverage and (old is None or not old.leverage or choice.leverage < old.leverage)
        if tighter and not health_of(draft, child).is_initial:
            return Reject.INSUFFICIENT_MARGIN
    return None


def check_choice(draft: Draft, account: Account, choice: Choice) -> Reject | None:
    """A choice in itself: a market the account can trade, a leverage and a cap in range.

    Market 0 is the account's own top-up from its parent: strategies only, and it has no mode to choose.
    """
    if account.kind is Kind.CHILD or account.kind is Kind.BACKSTOP:
        return Reject.WRONG_KIND
    if not (0 <= int(choice.top_up_cap) < QUOTE_LIMIT):
        return Reject.OUT_OF_RANGE
    if not 0 <= choice.leverage <= LEVERAGE_MAX:
        return Reject.LEVERAGE_OUT_OF_RANGE
    if choice.market_id == 0:
        return None if account.kind is Kind.STRATEGY and choice.mode is Mode.CROSS else Reject.WRONG_KIND
    terms = draft.terms.get(choice.market_id)
    if terms is None:
        return Reject.UNKNOWN_MARKET
    if terms.asset_id != account.asset_id:
        return Reject.WRONG_ASSET
    if choice.mode is Mode.ISOLATED and account.rule is MarginRule.SCENARIO:
        return Reject.MODE_NOT_AVAILABLE
    return None


def check_nonce(draft: Draft, account: Account, expiration_s: int, nonce: int) -> Reject | None:
    """Messages of the venue's own kind expire, and carry a strictly rising nonce."""
    if expiration_s < seconds_floor(draft.time_ms):
        return Reject.EXPIRED
    if not account.nonce < nonce < 1 << NONCE_BITS:
        return Reject.BAD_NONCE
    return None


def with_choice(account: Account, choice: Choice) -> Account:
    """The account with one choice replaced; a choice of nothing special is forgotten."""
    others = [held for held in account.choices if held.market_id != choice.market_id]
    if choice.mode is not Mode.CROSS or choice.leverage or int(choice.top_up_cap):
        others.append(choice)
    return account._replace(choices=tuple(sorted(others)))


def parent_of(draft: Draft, account: Account) -> Account | None:
    """The account a child or strategy is funded from."""
    return draft.account(account.parent_id) if account.parent_id != AccountId(0) else None
