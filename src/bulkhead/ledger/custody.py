"""Collateral in and out: deposits, withdrawals, transfers to others, sales of other collateral."""

from __future__ import annotations

from bulkhead.fixed import ONE, div_ceil, quote_floor, seconds_floor
from bulkhead.ledger.accounts import collateral_price, health_of, settled_in
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.orders import key_of
from bulkhead.ledger.receipt import Paid
from bulkhead.ledger.state import Account, Kind
from bulkhead.ledger.trade import check_price
from bulkhead.ledger.tx import CollateralSale, Deposit, FundDeposit, Transfer, Withdrawal
from bulkhead.limits import COLLATERALS_MAX, L1_ADDRESS_BITS, QUOTE_LIMIT, SALT_BITS, TIME_S_BITS
from bulkhead.reject import Reject
from bulkhead.rules import margin, prices
from bulkhead.units import AssetId, Fraction, Price, Quote, Size


def check_amount(draft: Draft, asset_id: int, amount: int) -> Reject | None:
    """A known asset and a positive amount in range."""
    if draft.config.asset(asset_id) is None:
        return Reject.UNKNOWN_ASSET
    if amount <= 0:
        return Reject.AMOUNT_NOT_POSITIVE
    return Reject.OUT_OF_RANGE if amount >= QUOTE_LIMIT else None


def amount_of(account: Account, asset_id: int) -> int:
    """What an account holds of an asset; its balance may be negative."""
    if asset_id == account.asset_id:
        return int(account.balance)
    return dict(account.collateral).get(AssetId(asset_id), 0)


def credit(draft: Draft, account: Account, asset_id: AssetId, amount: int) -> Reject | None:
    """Add to (or, below zero, take from) an account's holding of an asset, and write it."""
    held = amount_of(account, asset_id) + amount
    if abs(held) >= QUOTE_LIMIT:
        return Reject.OUT_OF_RANGE
    if asset_id == account.asset_id:
        draft.put(account._replace(balance=Quote(held)))
        return None
    if held < 0:
        return Reject.INSUFFICIENT_BALANCE
    if account.kind is Kind.CHILD:
        return Reject.WRONG_ASSET  # isolated positions are backed by the settlement asset alone
    others = {asset: size for asset, size in account.collateral if asset != asset_id}
    if held:
        if not draft.config.other_collateral:
            return Reject.MODE_NOT_AVAILABLE
        others[asset_id] = held
    if len(others) > COLLATERALS_MAX:
        return Reject.TOO_MANY_COLLATERALS
    draft.put(account._replace(collateral=tuple(sorted(others.items()))))
    return None


def deposit(draft: Draft, tx: Deposit) -> Reject | Paid:
    """Credit what L1 holds, in queue order. L1 bound the deposit to the account's key, so none is asked here."""
    problem = _check_queue(draft, tx.number) or check_amount(draft, tx.asset_id, tx.amount)
    if problem is not None:
        return problem
    account = draft.account(tx.account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    if account.kind is Kind.CHILD:
        return Reject.ACCOUNT_ID_NOT_SIGNABLE
    asset = draft.config.asset(tx.asset_id)
    assert asset is not None  # check_amount saw it
    if asset.is_settlement and tx.asset_id != account.asset_id:
        return Reject.WRONG_ASSET
    if draft.held(tx.asset_id) + tx.amount > asset.cap:
        return Reject.VALUE_ABOVE_MAXIMUM
    problem = credit(draft, account, tx.asset_id, tx.amount)
    if problem is not None:
        return problem
    return _deposited(draft, tx.number, Paid(tx.account_id, tx.asset_id, tx.amount))


def fund_deposit(draft: Draft, tx: FundDeposit) -> Reject | Paid:
    """The venue's own money into the insurance fund of one settlement asset."""
    problem = _check_queue(draft, tx.number) or check_amount(draft, tx.asset_id, int(tx.amount))
    if problem is not None:
        return problem
    if tx.asset_id not in draft.state.funds:
        return Reject.WRONG_ASSET
    draft.pay_fund(tx.asset_id, insurance=int(tx.amount))
    return _deposited(draft, tx.number, Paid(BACKSTOP_ACCOUNT, tx.asset_id, int(tx.amount)))


def _check_queue(draft: Draft, number: int) -> Reject | None:
    return None if number == draft.counters.deposits + 1 else Reject.REPLAYED


def _deposited(draft: Draft, number: int, paid: Paid) -> Paid:
    draft.custody[paid.asset_id] = draft.held(paid.asset_id) + paid.amount
    draft.counters = draft.counters._replace(deposits=number)
    return paid


def withdrawal(draft: Draft, tx: Withdrawal, authority: Authority) -> Reject | Paid:
    """Collateral to an L1 address, signed by the owner; must leave max(initial requirement, profit lock)."""
    problem = check_amount(draft, tx.asset_id, tx.amount)
    if problem is not None:
        return problem
    if not 0 < tx.recipient < 1 << L1_ADDRESS_BITS:
        return Reject.OUT_OF_RANGE
    account = draft.account(tx.account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    message_hash = authority.withdrawal_hash(tx, account.owner_key)
    problem = _spend_once(draft, account, tx, message_hash, authority)
    if problem is None:
        problem = take_out(draft, account, tx.asset_id, tx.amount)
    if problem is not None:
        return problem
    draft.custody[tx.asset_id] = draft.held(tx.asset_id) - tx.amount
    draft.counters = draft.counters._replace(withdrawals=draft.counters.withdrawals + 1)
    return Paid(tx.account_id, tx.asset_id, tx.amount)


def transfer(draft: Draft, tx: Transfer, authority: Authority) -> Reject | Paid:
    """Collateral to another signable account, whoever owns it; signed by the sender, same lock as a withdrawal."""
    problem = check_amount(draft, tx.asset_id, tx.amount)
    if problem is not None:
        return problem
    source, target = draft.account(tx.source), draft.account(tx.target)
    if source is None or target is None:
        return Reject.UNKNOWN_ACCOUNT
    if tx.source == tx.target:
        return Reject.SAME_ACCOUNT
    if target.kind is Kind.CHILD:
        return Reject.ACCOUNT_ID_NOT_SIGNABLE
    asset = draft.config.asset(tx.asset_id)
    if asset is not None and asset.is_settlement and target.asset_id != tx.asset_id:
        return Reject.WRONG_ASSET
    message_hash = authority.transfer_hash(tx, source.owner_key)
    problem = _spend_once(draft, source, tx, message_hash, authority)
    if problem is None:
        problem = take_out(draft, source, tx.asset_id, tx.amount)
    if problem is None:
        problem = credit(draft, target, tx.asset_id, tx.amount)
    return problem or Paid(tx.target, tx.asset_id, tx.amount)


def _spend_once(
    draft: Draft, account: Account, tx: Withdrawal | Transfer, message_hash: int, authority: Authority
) -> Reject | None:
    """A signed message moves money once: its whole amount is entered like a filled order."""
    if account.kind is Kind.CHILD:
        return Reject.ACCOUNT_ID_NOT_SIGNABLE
    if not (0 <= tx.salt < 1 << SALT_BITS and 0 <= tx.expiration_s < 1 << TIME_S_BITS):
        return Reject.OUT_OF_RANGE
    now_s = seconds_floor(draft.time_ms)
    if tx.expiration_s < now_s:
        return Reject.EXPIRED
    if tx.expiration_s > now_s + draft.config.expiry_max_s:
        return Reject.EXPIRY_TOO_FAR
    key = key_of(message_hash)
    if draft.order_filled(key):
        return Reject.REPLAYED
    if not draft.has_room(key):
        return Reject.ORDER_TABLE_FULL
    if not authority.is_signed(account.owner_key, message_hash, tx.signature):
        return Reject.WRONG_SIGNATURE
    draft.filled[key] = (tx.amount, tx.expiration_s)
    return None


def take_out(draft: Draft, account: Account, asset_id: AssetId, amount: int) -> Reject | None:
    """Value leaves an account for good: enough held, positions at fresh prices, requirement and profit lock kept."""
    before = settled_in(draft, account)
    if not before.positions and amount_of(before, asset_id) < amount:
        return Reject.INSUFFICIENT_BALANCE
    problem = check_prices(draft, before) or credit(draft, before, asset_id, -amount)
    if problem is not None:
        return problem
    after = draft.accounts[account.account_id]
    health = health_of(draft, after)
    if not health.is_initial:
        return Reject.INSUFFICIENT_MARGIN
    if not margin.withdrawal_floor(health, after.positions, draft.risks, draft.config.profit_lock):
        return Reject.PROFIT_LOCKED
    return None


def check_prices(draft: Draft, account: Account) -> Reject | None:
    """Prices of everything the account holds, and only of that, are known and fresh."""
    for position in account.positions:
        problem = check_price(draft, position.market_id)
        if problem is not None:
            return problem
    if account.positions:
        for asset_id, _ in account.collateral:
            terms = draft.config.asset(asset_id)
            times = {held: time for held, _, time in draft.oracle.collateral}
            age_max = 0 if terms is None else terms.price_age_max_ms
            if asset_id in times and not prices.is_fresh(times[asset_id], draft.time_ms, age_max):
                return Reject.PRICE_STALE
    return None


def collateral_sale(draft: Draft, tx: CollateralSale) -> Reject | Paid:
    """Other collateral is sold last: to the backstop, at half its haircut, no more than the debt needs.

    Only when the account holds no positions and owes settlement asset. The backstop pays from a balance
    that must stay healthy at its initial requirement.
    """
    account, backstop = draft.account(tx.account_id), draft.account(BACKSTOP_ACCOUNT)
    if account is None or backstop is None:
        return Reject.UNKNOWN_ACCOUNT
    asset = draft.config.asset(tx.asset_id)
    if asset is None:
        return Reject.UNKNOWN_ASSET
    if account.positions:
        return Reject.POSITIONS_OPEN
    held = dict(account.collateral).get(tx.asset_id, 0)
    if not held or int(account.balance) >= 0:
        return Reject.NOT_LIQUIDATABLE
    price = collateral_price(draft, tx.asset_id)
    if price is None:
        return Reject.PRICE_UNKNOWN
    reduced = int(margin.haircut_worth(price * Size(1), half(asset.haircut)))
    if reduced <= 0:
        return Reject.PRICE_IS_ZERO
    needed = div_ceil(-int(account.balance) << 32, reduced)
    sold = min(held, needed)
    paid = quote_floor(Price(reduced) * Size(sold))
    backstop = settled_in(draft, backstop)
    problem = (
        credit(draft, account, tx.asset_id, -sold)
        or credit(draft, draft.accounts[tx.account_id], account.asset_id, int(paid))
        or credit(draft, backstop, tx.asset_id, sold)
        or credit(draft, draft.accounts[BACKSTOP_ACCOUNT], account.asset_id, -int(paid))
    )
    if problem is not None:
        return problem
    if not health_of(draft, draft.accounts[BACKSTOP_ACCOUNT]).is_initial:
        return Reject.BACKSTOP_FULL
    return Paid(tx.account_id, tx.asset_id, sold)


def half(share: Fraction) -> Fraction:
    """Half of a share, rounded up."""
    return Fraction(div_ceil(int(share), 2)) if share <= ONE else ONE
