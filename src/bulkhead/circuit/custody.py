"""Collateral in and out in the circuit: deposits, withdrawals, transfers (`ledger.custody`)."""

from __future__ import annotations

from bulkhead.circuit.accounts import (
    Settled,
    add_to,
    base_of,
    change_balance,
    given_account,
    own_word,
    read_head,
    settled_account,
)
from bulkhead.circuit.arithmetic import given_narrow, is_zero, narrow, wide
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.margin import REQUIREMENT_GAP_BITS, check_covered
from bulkhead.circuit.messages import (
    Opening,
    check_alive,
    count,
    in_seconds,
    opened,
    owner_key,
    signed_message,
    spend,
)
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import HEAD, MONEY_RECORD, Counter, Money
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.state import Kind
from bulkhead.ledger.tx import Deposit, FundDeposit, Refund, Transfer, Withdrawal
from bulkhead.limits import ACCOUNT_ID_BITS, L1_ADDRESS_BITS, QUOTE_BITS, TIME_S_BITS
from bulkhead.signing.messages import TRANSFER_SELECTOR, WITHDRAWAL_SELECTOR


def queued(frame: Frame, tag: Tag, number: Value, hint: int) -> Value:
    """What L1's queue says of a number."""
    return frame.message(tag, number, frame.constant(0), -1, lambda: hint)


def _deposited(frame: Frame, venue: Venue, tx: Deposit | FundDeposit | None) -> tuple[Value, Value]:
    """The next deposit of the queue: for which account, and how much; custody holds it, up to its cap."""
    opened(frame, int(tx.time_ms) if tx else None)
    number = count(frame, Counter.DEPOSITS)
    account = queued(frame, Tag.DEPOSIT_ACCOUNT, number, int(tx.account_id) if isinstance(tx, Deposit) else 0)
    amount = queued(frame, Tag.DEPOSIT_AMOUNT, number, int(tx.amount) if tx else 0)
    queued(frame, Tag.DEPOSIT_DEPOSITOR, number, tx.depositor if tx else 0)
    add_to(frame, Money.CUSTODY, amount)
    held = own_word(frame, MONEY_RECORD, Money.CUSTODY)
    frame.number("custody's cap", frame.constant(venue.asset.cap) - held)
    return account, amount


def deposit_frame(frame: Frame, venue: Venue, tx: Deposit | None) -> None:
    """Collateral that L1 took in is credited to a signable account."""
    account, amount = _deposited(frame, venue, tx)
    base = base_of(frame, account)
    head = read_head(frame, account, base)
    frame.zero("an account that signs", is_zero(frame, "an account that signs", head.kind - int(Kind.CHILD)))
    change_balance(frame, base, amount)


def fund_deposit_frame(frame: Frame, venue: Venue, tx: FundDeposit | None) -> None:
    """The venue's own money into the insurance fund: a deposit for account 0."""
    account, amount = _deposited(frame, venue, tx)
    frame.zero("it is for no account", account)
    add_to(frame, Money.INSURANCE, amount)


def refund_frame(frame: Frame, venue: Venue, tx: Refund | None, *, is_child: bool) -> None:
    """The next deposit of L1's queue goes back: its account does not exist, or is an isolated child.

    That amount and depositor are in range is what L1 checked when it queued them. The cap of custody is not asked.
    """
    opened(frame, int(tx.time_ms) if tx else None)
    number = count(frame, Counter.DEPOSITS)
    account = queued(frame, Tag.DEPOSIT_ACCOUNT, number, int(tx.account_id) if tx else 0)
    amount = queued(frame, Tag.DEPOSIT_AMOUNT, number, int(tx.amount) if tx else 0)
    depositor = queued(frame, Tag.DEPOSIT_DEPOSITOR, number, tx.depositor if tx else 0)
    narrow(frame, "an account's number", account, ACCOUNT_ID_BITS)
    frame.zero("it is not the fund's", is_zero(frame, "it is not the fund's", account))
    base = base_of(frame, account)
    if is_child:
        frame.equal("an account that nobody signs for", read_head(frame, account, base).kind, int(Kind.CHILD))
    else:
        frame.zero("the account does not exist", frame.access(base, HEAD, None))
    add_to(frame, Money.CUSTODY, amount)
    pay_out(frame, depositor, amount)


def pay_out(frame: Frame, recipient: Value, amount: Value) -> None:
    """Custody pays, if it has as much; L1 is told."""
    number = count(frame, Counter.WITHDRAWALS)
    frame.tell(Tag.PAID_RECIPIENT, number, frame.constant(0), recipient)
    frame.tell(Tag.PAID_AMOUNT, number, frame.constant(0), amount)
    add_to(frame, Money.CUSTODY, frame.lift(-1 * amount))


def take_out(frame: Frame, venue: Venue, settled: Settled, amount: Value) -> None:
    """Value leaves an account: fresh prices, max(initial requirement, share of gross notional) stay behind.

    Without positions there is no requirement, so what may leave is the balance.
    """
    paid = frame.lift(-1 * amount)
    before = change_balance(frame, settled.base, paid)
    frame.number("value leaves at fresh prices", settled.freshness, -1)
    health = settled.health(before - amount)
    check_covered(frame, "the initial requirement stays", health.value, health.initial)
    lock = int(venue.config.profit_lock)
    left = (1 << FRACTION_BITS) * health.value - lock * settled.gross
    wide(frame, "the profit lock holds", left, REQUIREMENT_GAP_BITS)


def check_signs(frame: Frame, settled: Settled) -> None:
    """The account is one that signs."""
    frame.zero("an account that signs", is_zero(frame, "an account that signs", settled.kind - int(Kind.CHILD)))


def _message(
    frame: Frame, venue: Venue, tx: Withdrawal | Transfer | None, opening: Opening, account: Value, other: Value
) -> Value:
    """The signed message of a withdrawal or transfer is spent; answers the amount."""
    base = base_of(frame, account)
    amount = given_narrow(frame, "an amount", lambda: tx.amount if tx else 0, QUOTE_BITS)
    frame.number("an amount is positive", amount, -1)
    expiry = given_narrow(frame, "an expiry", lambda: int(tx.expiration_s) if tx else 0, TIME_S_BITS)
    salt = frame.given(lambda: tx.salt if tx else 0, "a salt", is_number=True)
    check_alive(frame, venue, opening.now_s, expiry)
    selector = TRANSFER_SELECTOR if frame.name.startswith("transfer") else WITHDRAWAL_SELECTOR
    members = [other, account, frame.constant(int(venue.asset.collateral_id)), amount, expiry, salt]
    digest = signed_message(frame, venue, owner_key(frame, base), selector, members)
    spend(frame, digest, expiry, amount)
    return amount


def check_address(frame: Frame, address: Value) -> None:
    """An address on L1, and not zero."""
    high = given_narrow(frame, "an address on L1", lambda: int(address) >> 128, L1_ADDRESS_BITS - 128)
    wide(frame, "an address on L1", address - (1 << 128) * high, 128)
    frame.zero("an address is not zero", is_zero(frame, "an address is not zero", address))


def withdrawal_frame(frame: Frame, venue: Venue, tx: Withdrawal | None) -> None:
    """Collateral to an address on L1, signed by the owner; the account's frame comes before this one."""
    opening = in_seconds(frame, opened(frame, int(tx.time_ms) if tx else None))
    account = given_account(frame, lambda: int(tx.account_id) if tx else 0)
    recipient = frame.given(lambda: tx.recipient if tx else 0)
    check_address(frame, recipient)
    amount = _message(frame, venue, tx, opening, account, recipient)
    settled = settled_account(frame, account, 1, opening.now_ms)
    check_signs(frame, settled)
    take_out(frame, venue, settled, amount)
    pay_out(frame, recipient, amount)


def transfer_frame(frame: Frame, venue: Venue, tx: Transfer | None) -> None:
    """Collateral to another signable account, signed by the sender; the sender's frame comes before this one."""
    opening = in_seconds(frame, opened(frame, int(tx.time_ms) if tx else None))
    source = given_account(frame, lambda: int(tx.source) if tx else 0)
    target = given_account(frame, lambda: int(tx.target) if tx else 0)
    frame.zero("not within one account", is_zero(frame, "not within one account", source - target))
    amount = _message(frame, venue, tx, opening, source, target)
    settled = settled_account(frame, source, 1, opening.now_ms)
    check_signs(frame, settled)
    take_out(frame, venue, settled, amount)
    base = base_of(frame, target)
    head = read_head(frame, target, base)
    frame.zero("the target signs", is_zero(frame, "the target signs", head.kind - int(Kind.CHILD)))
    change_balance(frame, base, amount)
