"""Registration and signed configuration of accounts."""

from __future__ import annotations

from bulkhead.fixed import seconds_floor
from bulkhead.ledger.accounts import check_prices, health_of, settled_in
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.receipt import Done
from bulkhead.ledger.state import Account, Choice, Kind, MarginRule, Mode, child_id, is_signable
from bulkhead.ledger.tx import Configure, Register
from bulkhead.limits import ACCOUNT_ID_BITS, L1_ADDRESS_BITS, LEVERAGE_MAX, NONCE_BITS, QUOTE_LIMIT, TIME_S_BITS
from bulkhead.reject import Reject
from bulkhead.units import AccountId, Requirement


def register(draft: Draft, tx: Register, authority: Authority) -> Reject | Done:
    """A new signable account, signed by the key that will own it.

    A strategy names a main account of the same key as its parent. The backstop's id takes the key of the
    configuration, so that nobody can register in its place.
    """
    problem = _registration_problem(draft, tx)
    if problem is not None:
        return problem
    if not authority.agrees(tx):
        return Reject.WRONG_SIGNATURE
    if tx.rule is MarginRule.SCENARIO and not draft.config.scenario_accounts:
        return Reject.MODE_NOT_AVAILABLE
    draft.put(Account(tx.account_id, tx.kind, tx.rule, tx.owner_key, tx.l1_owner, tx.parent_id, tx.asset_id))
    return Done()


def _registration_problem(draft: Draft, tx: Register) -> Reject | None:
    if not (0 < tx.account_id < 1 << ACCOUNT_ID_BITS and 0 <= tx.l1_owner < 1 << L1_ADDRESS_BITS):
        return Reject.OUT_OF_RANGE
    asset = draft.config.asset(tx.asset_id)
    if asset is None:
        return Reject.UNKNOWN_ASSET
    parent = draft.account(tx.parent_id)
    if tx.parent_id and parent is None:
        return Reject.UNKNOWN_ACCOUNT
    if draft.account(tx.account_id) is not None:
        return Reject.ACCOUNT_EXISTS
    if not is_signable(tx.account_id):
        return Reject.ACCOUNT_ID_NOT_SIGNABLE
    if tx.kind is Kind.CHILD or (tx.kind is Kind.BACKSTOP) != (tx.account_id == BACKSTOP_ACCOUNT):
        return Reject.WRONG_KIND
    if (tx.kind is Kind.STRATEGY) != (parent is not None) or (parent is not None and parent.kind is not Kind.MAIN):
        return Reject.WRONG_KIND
    if parent is not None and parent.owner_key != tx.owner_key:
        return Reject.WRONG_OWNER
    if not asset.is_settlement or (parent is not None and parent.asset_id != tx.asset_id):
        return Reject.WRONG_ASSET
    return Reject.WRONG_KEY if tx.kind is Kind.BACKSTOP and tx.owner_key != draft.config.backstop_key else None


def configure(draft: Draft, tx: Configure, authority: Authority) -> Reject | Done:
    """Signed choice of mode, leverage and top-up cap for one market.

    The mode cannot change while the old container still holds a position: that is a Move, which takes the
    position along. Open orders are the engine's to check, for the ledger knows none.
    """
    if not _is_choice_in_range(tx.choice):
        return Reject.OUT_OF_RANGE
    if tx.choice.market_id and tx.choice.market_id not in draft.terms:
        return Reject.UNKNOWN_MARKET
    account = draft.account(tx.account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    problem = _check_place(draft, account, tx.choice) or check_nonce(draft, account, tx.expiration_s, tx.nonce)
    if problem is not None:
        return problem
    if not authority.is_signed(account.owner_key, authority.configure_hash(tx, account.owner_key), tx.signature):
        return Reject.WRONG_SIGNATURE
    problem = _check_terms(account, tx.choice)
    if problem is not None:
        return problem
    before = settled_in(draft, account)
    after = with_choice(before, tx.choice)._replace(nonce=tx.nonce)
    child = draft.account(child_id(account.account_id, tx.choice.market_id)) if tx.choice.market_id else None
    held = [before] if child is None else [before, settled_in(draft, child)]
    asked = [health_of(draft, one).initial for one in held]
    draft.put(after)
    for one, initial in zip([after, *held[1:]], asked, strict=True):
        problem = _check_leverage(draft, one, initial)
        if problem is not None:
            return problem
    old = account.choice(tx.choice.market_id)
    if tx.choice.market_id and (old.mode if old else Mode.CROSS) is not tx.choice.mode:
        if any(one.size(tx.choice.market_id) for one in held):
            return Reject.POSITIONS_OPEN
    return Done()


def _check_leverage(draft: Draft, account: Account, initial: Requirement) -> Reject | None:
    """A lower leverage asks more initial margin: it must be there at fresh prices, in the account or in its child."""
    health = health_of(draft, account)
    if health.initial <= initial:
        return None
    return check_prices(draft, account) or (None if health.is_initial else Reject.INSUFFICIENT_MARGIN)


def check_choice(draft: Draft, account: Account, choice: Choice) -> Reject | None:
    """A choice in itself: a market the account can trade, a leverage and a cap in range.

    Market 0 is the account's own top-up from its parent: strategies only, and it has no mode to choose.
    """
    if not _is_choice_in_range(choice):
        return Reject.OUT_OF_RANGE
    if choice.market_id and choice.market_id not in draft.terms:
        return Reject.UNKNOWN_MARKET
    return _check_place(draft, account, choice) or _check_terms(account, choice)


def _is_choice_in_range(choice: Choice) -> bool:
    return 0 <= int(choice.top_up_cap) < QUOTE_LIMIT


def _check_place(draft: Draft, account: Account, choice: Choice) -> Reject | None:
    if account.kind is Kind.CHILD or account.kind is Kind.BACKSTOP:
        return Reject.WRONG_KIND
    if choice.market_id == 0:
        return None if account.kind is Kind.STRATEGY and choice.mode is Mode.CROSS else Reject.WRONG_KIND
    return None if draft.terms[choice.market_id].asset_id == account.asset_id else Reject.WRONG_ASSET


def _check_terms(account: Account, choice: Choice) -> Reject | None:
    if not 0 <= choice.leverage <= (LEVERAGE_MAX if choice.market_id else 0):
        return Reject.LEVERAGE_OUT_OF_RANGE
    if choice.mode is Mode.ISOLATED and account.rule is MarginRule.SCENARIO:
        return Reject.MODE_NOT_AVAILABLE
    return None


def check_nonce(draft: Draft, account: Account, expiration_s: int, nonce: int) -> Reject | None:
    """Messages of the venue's own kind expire, and carry a strictly rising nonce."""
    if expiration_s < seconds_floor(draft.time_ms):
        return Reject.EXPIRED
    if expiration_s >= 1 << TIME_S_BITS:  # wider than any time: no proof could carry it
        return Reject.OUT_OF_RANGE
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
