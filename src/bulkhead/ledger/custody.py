"""Collateral in and out: deposits, withdrawals, transfers to others, sales of other collateral."""

from __future__ import annotations

from bulkhead.fixed import FRACTION_BITS, ONE, div_ceil, quote_floor, seconds_floor
from bulkhead.ledger.accounts import check_prices, collateral_price, collateral_worth, health_of, settled_in
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, AssetTerms
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.orders import key_of
from bulkhead.ledger.receipt import Paid
from bulkhead.ledger.state import Account, Kind
from bulkhead.ledger.tx import CollateralSale, Deposit, FundDeposit, Refund, Transfer, Withdrawal
from bulkhead.limits import COLLATERALS_MAX, L1_ADDRESS_BITS, QUOTE_LIMIT, SALT_BITS, TIME_S_BITS
from bulkhead.reject import Reject
from bulkhead.rules import margin, prices
from bulkhead.rules.terms import Health
from bulkhead.units import AccountId, AssetId, Fraction, Price, Quote, Size

NUMERAIRE = AssetId(1)
"""The first settlement asset: prices of other collateral are in it, so only its accounts may hold any."""


def check_amount(draft: Draft, asset_id: int, amount: int) -> Reject | None:
    """A known asset and a positive amount in range."""
    if abs(amount) >= QUOTE_LIMIT:
        return Reject.OUT_OF_RANGE
    if amount <= 0:
        return Reject.AMOUNT_NOT_POSITIVE
    return Reject.UNKNOWN_ASSET if draft.config.asset(asset_id) is None else None


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
    if account.kind is Kind.CHILD or account.asset_id != NUMERAIRE:
        return Reject.WRONG_ASSET  # children hold their settlement asset alone; oracle prices are in the first one
    if held < 0:
        return Reject.INSUFFICIENT_BALANCE
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
    problem = check_amount(draft, tx.asset_id, tx.amount)
    if problem is not None:
        return problem
    account = draft.account(tx.account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    if account.kind is Kind.CHILD:
        return Reject.ACCOUNT_ID_NOT_SIGNABLE
    if _settles(draft, tx.asset_id) and tx.asset_id != account.asset_id:
        return Reject.WRONG_ASSET
    problem = (
        _check_queue(draft, tx.number)
        or _check_cap(draft, tx.asset_id, tx.amount)
        or credit(draft, account, tx.asset_id, tx.amount)
    )
    return problem or _deposited(draft, tx.number, Paid(tx.account_id, tx.asset_id, tx.amount))


def fund_deposit(draft: Draft, tx: FundDeposit) -> Reject | Paid:
    """The venue's own money into the insurance fund of one settlement asset."""
    problem = check_amount(draft, tx.asset_id, int(tx.amount))
    if problem is None and not _settles(draft, tx.asset_id):
        problem = Reject.WRONG_ASSET
    problem = problem or _check_queue(draft, tx.number) or _check_cap(draft, tx.asset_id, int(tx.amount))
    if problem is not None:
        return problem
    draft.pay_fund(tx.asset_id, insurance=int(tx.amount))
    return _deposited(draft, tx.number, Paid(BACKSTOP_ACCOUNT, tx.asset_id, int(tx.amount)))


def refund(draft: Draft, tx: Refund) -> Reject | Paid:
    """The next deposit of the queue goes back to its sender: its account does not exist, or is one nobody signs for.

    Without it a deposit for nobody would hold up all that come after. Custody's cap is not asked, for nothing stays.
    """
    if not 0 < tx.depositor < 1 << L1_ADDRESS_BITS:
        return Reject.OUT_OF_RANGE
    problem = check_amount(draft, tx.asset_id, tx.amount)
    if problem is not None:
        return problem
    account = draft.account(tx.account_id)
    if tx.account_id == 0 or (account is not None and account.kind is not Kind.CHILD):
        return Reject.ACCOUNT_EXISTS  # it could be credited; a deposit for account 0 is the insurance fund's
    problem = _check_queue(draft, tx.number)
    if problem is not None:
        return problem
    return paid_out(draft, _deposited(draft, tx.number, Paid(tx.account_id, tx.asset_id, tx.amount)))


def _check_queue(draft: Draft, number: int) -> Reject | None:
    return None if number == draft.counters.deposits + 1 else Reject.REPLAYED


def _check_cap(draft: Draft, asset_id: AssetId, amount: int) -> Reject | None:
    asset = draft.config.asset(asset_id)
    assert asset is not None  # check_amount saw it
    return Reject.VALUE_ABOVE_MAXIMUM if draft.held(asset_id) + amount > asset.cap else None


def _settles(draft: Draft, asset_id: int) -> bool:
    return asset_id in draft.state.funds


def _deposited(draft: Draft, number: int, paid: Paid) -> Paid:
    draft.custody[paid.asset_id] = draft.held(paid.asset_id) + paid.amount
    draft.counters = draft.counters._replace(deposits=number)
    return paid


def withdrawal(draft: Draft, tx: Withdrawal, authority: Authority) -> Reject | Paid:
    """Collateral to an L1 address, signed by the owner; must leave max(initial requirement, profit lock)."""
    if not (0 < tx.recipient < 1 << L1_ADDRESS_BITS and _is_message_in_range(tx)):
        return Reject.OUT_OF_RANGE
    problem = check_amount(draft, tx.asset_id, tx.amount)
    if problem is not None:
        return problem
    account = draft.account(tx.account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    if account.kind is Kind.CHILD:
        return Reject.ACCOUNT_ID_NOT_SIGNABLE
    messages = authority.withdrawal_hashes(tx, account.owner_key)
    problem = _spend_once(draft, account, tx, messages, authority)
    problem = problem or take_out(draft, account, tx.asset_id, tx.amount)
    return problem or paid_out(draft, Paid(tx.account_id, tx.asset_id, tx.amount))


def paid_out(draft: Draft, paid: Paid) -> Reject | Paid:
    """Custody pays, if it has as much: profit may be backed by a debtor's other collateral that is not sold yet."""
    if draft.held(paid.asset_id) < paid.amount:
        return Reject.INSUFFICIENT_BALANCE
    draft.custody[paid.asset_id] = draft.held(paid.asset_id) - paid.amount
    draft.counters = draft.counters._replace(withdrawals=draft.counters.withdrawals + 1)
    return paid


def transfer(draft: Draft, tx: Transfer, authority: Authority) -> Reject | Paid:
    """Collateral to another signable account, whoever owns it; signed by the sender, same lock as a withdrawal."""
    if not _is_message_in_range(tx):
        return Reject.OUT_OF_RANGE
    problem = check_amount(draft, tx.asset_id, tx.amount)
    if problem is not None:
        return problem
    source, target = draft.account(tx.source), draft.account(tx.target)
    if source is None or target is None:
        return Reject.UNKNOWN_ACCOUNT
    if target.kind is Kind.CHILD or source.kind is Kind.CHILD:
        return Reject.ACCOUNT_ID_NOT_SIGNABLE
    if _settles(draft, tx.asset_id) and target.asset_id != tx.asset_id:
        return Reject.WRONG_ASSET
    if tx.source == tx.target:
        return Reject.SAME_ACCOUNT
    messages = authority.transfer_hashes(tx, source.owner_key)
    problem = _spend_once(draft, source, tx, messages, authority)
    if problem is None:
        problem = take_out(draft, source, tx.asset_id, tx.amount)
    if problem is None:
        problem = credit(draft, target, tx.asset_id, tx.amount)
    return problem or Paid(tx.target, tx.asset_id, tx.amount)


def _is_message_in_range(tx: Withdrawal | Transfer) -> bool:
    return 0 <= tx.salt < 1 << SALT_BITS and 0 <= tx.expiration_s < 1 << TIME_S_BITS


def _spend_once(
    draft: Draft, account: Account, tx: Withdrawal | Transfer, messages: tuple[int, ...], authority: Authority
) -> Reject | None:
    """A signed message moves money once: its whole amount is entered like a filled order, under the first hash."""
    now_s = seconds_floor(draft.time_ms)
    if tx.expiration_s < now_s:
        return Reject.EXPIRED
    if tx.expiration_s > now_s + draft.config.expiry_max_s:
        return Reject.EXPIRY_TOO_FAR
    key = key_of(messages[0])
    if draft.order_filled(key):
        return Reject.REPLAYED
    if not authority.is_one_signed(account.owner_key, messages, tx.signature):
        return Reject.WRONG_SIGNATURE
    problem = draft.lack(key)
    if problem is None:
        draft.filled[key] = (tx.amount, tx.expiration_s)
    return problem


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
    return Reject.INSUFFICIENT_BALANCE if is_borrowing(draft, after, health) else None


def is_borrowing(draft: Draft, account: Account, health: Health) -> bool:
    """Settlement asset and positions together are worth less than nothing: the account lives on other collateral.

    Losses may bring it there; taking value out may not, for nobody lends here.
    """
    return bool(account.collateral) and health.value < collateral_worth(draft, account)


def collateral_sale(draft: Draft, tx: CollateralSale) -> Reject | Paid:
    """Other collateral is sold last: to the backstop, at half its haircut, no more than the debt needs.

    Only when the account holds no positions and owes settlement asset. The backstop pays from a balance
    that must stay healthy at its initial requirement. What is still owed when nothing is left to sell (and the
    sale of the settlement asset itself, which sells nothing) is paid by the insurance fund, as far as it goes.
    """
    asset = draft.config.asset(tx.asset_id)
    if asset is None:
        return Reject.UNKNOWN_ASSET
    account, backstop = draft.account(tx.account_id), draft.account(BACKSTOP_ACCOUNT)
    if account is None or backstop is None:
        return Reject.UNKNOWN_ACCOUNT
    if account.kind is Kind.BACKSTOP:
        return Reject.WRONG_KIND
    if int(account.balance) >= 0:
        return Reject.NOT_LIQUIDATABLE
    if account.positions:
        return Reject.POSITIONS_OPEN
    sold = 0
    if tx.asset_id != account.asset_id:
        outcome = _sell(draft, account, backstop, asset)
        if isinstance(outcome, Reject):
            return outcome
        sold = outcome
    elif account.collateral:
        return Reject.NOT_LIQUIDATABLE
    if cover_flat(draft, tx.account_id) or sold:
        return Paid(tx.account_id, tx.asset_id, sold)
    return Reject.BUDGET_EXHAUSTED


def _sell(draft: Draft, account: Account, backstop: Account, asset: AssetTerms) -> Reject | int:
    """The amount of other collateral that the backstop bought."""
    held = dict(account.collateral).get(asset.asset_id, 0)
    if not held:
        return Reject.NOT_LIQUIDATABLE
    price = collateral_price(draft, asset.asset_id)
    if price is None:
        return Reject.PRICE_UNKNOWN
    times = {other: time_ms for other, _, time_ms in draft.oracle.collateral}
    is_fresh = prices.is_fresh(times[asset.asset_id], draft.time_ms, asset.price_age_max_ms)
    if not is_fresh or times[asset.asset_id] <= draft.counters.fresh_after_ms:
        return Reject.PRICE_STALE
    # Worth of one smallest unit; an asset whose unit is worth less than 2^-32 of a quote unit fetches nothing.
    reduced = max(1, int(margin.haircut_worth(price * Size(1), half(asset.haircut))))
    sold = min(held, div_ceil(-int(account.balance) << FRACTION_BITS, reduced))
    paid = int(quote_floor(Price(reduced) * Size(sold)))
    problem = (
        check_prices(draft, backstop)
        or credit(draft, account, asset.asset_id, -sold)
        or credit(draft, draft.accounts[account.account_id], account.asset_id, paid)
        or credit(draft, settled_in(draft, backstop), asset.asset_id, sold)
        or credit(draft, draft.accounts[BACKSTOP_ACCOUNT], account.asset_id, -paid)
    )
    if problem is not None:
        return problem
    return sold if health_of(draft, draft.accounts[BACKSTOP_ACCOUNT]).is_initial else Reject.BACKSTOP_FULL


def cover_flat(draft: Draft, account_id: AccountId) -> Quote:
    """The insurance fund pays the debt of an account that holds nothing any more, as far as it goes."""
    account = draft.account(account_id)
    if account is None or account.positions or account.collateral or int(account.balance) >= 0:
        return Quote(0)
    paid = min(-account.balance, draft.fund(account.asset_id).insurance)
    if int(paid):
        draft.pay_fund(account.asset_id, insurance=-int(paid))
        draft.put(account._replace(balance=account.balance + paid))
    return paid


def half(share: Fraction) -> Fraction:
    """Half of a share, rounded up."""
    return Fraction(div_ceil(int(share), 2)) if share <= ONE else ONE
